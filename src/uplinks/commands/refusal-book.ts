/** Keeps a storm of refused commands from becoming one of results: some are told, the rest counted. */
import type { Clock, Timer } from "../../core/clock.ts";
import { type Allowance, fullAllowance, type Rate, takeOne } from "./allowance.ts";

/** `proven`: an authorized key signed it. Those of strangers must not hide them. */
export type RefusalKind = "proven" | "unproven";

export const TOLD: Rate = { burst: 20, perS: 0.2 };
const AGAIN_MS = 5_000;

type Tell = (count: { readonly count?: number }) => void;

interface Book {
  allowance: Allowance;
  untold: number;
  /** Of the last one that was not told by itself. */
  last: Tell;
  timer: Timer | undefined;
}

export class RefusalBook {
  readonly #clock: Clock;
  readonly #books: Readonly<Record<RefusalKind, Book>>;

  constructor(clock: Clock) {
    this.#clock = clock;
    const book = (): Book => ({
      allowance: fullAllowance(TOLD, clock.monotonicMs()),
      untold: 0,
      last: () => undefined,
      timer: undefined,
    });
    this.#books = { proven: book(), unproven: book() };
  }

  /** Tells it now, or with all that follow. */
  note(kind: RefusalKind, tell: Tell): void {
    const book = this.#books[kind];
    const left = book.untold > 0 ? undefined : takeOne(book.allowance, TOLD, this.#clock.monotonicMs());
    if (left !== undefined) {
      book.allowance = left;
      tell({});
      return;
    }
    book.untold += 1;
    book.last = tell;
    book.timer ??= this.#clock.after(AGAIN_MS, () => this.#tellRest(book));
  }

  stop(): void {
    for (const book of Object.values(this.#books)) this.#tellRest(book);
  }

  #tellRest(book: Book): void {
    book.timer?.cancel();
    book.timer = undefined;
    if (book.untold === 0) return;
    book.allowance = { left: 0, atMs: this.#clock.monotonicMs() };
    const { untold, last } = book;
    book.untold = 0;
    last({ count: untold });
  }
}
