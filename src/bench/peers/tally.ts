/** Values served on the lines against values that arrived. Pure. */
import { BLOCK_REGISTERS, BLOCKS } from "./plan.ts";

/** A register of a device on a line. */
export interface Place {
  readonly line: number;
  readonly unit: number;
  readonly register: number;
}

/** Some registers of one device were read together; `atMs` is when their values were taken, monotonic. */
export interface Served extends Place {
  readonly quantity: number;
  readonly atMs: number;
  /** What was given next on the line was the same: this reply had come too late for whoever asked. */
  readonly repeated: boolean;
}

/** A value at the subscriber. */
export interface Arrival extends Place {
  readonly value: number;
  readonly atMs: number;
  /** It says of itself that it is not the newest. */
  readonly history: boolean;
}

/** A peer told that values of this register are missing, in wall time. */
export interface Told extends Place {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Tally {
  /** Values that the devices gave in the span. */
  readonly served: number;
  /** Of these, what never arrived. */
  readonly lost: number;
  /** Of the lost, how many the peer told of. */
  readonly told: number;
  /** Of the lost, how many had been asked for again at once. */
  readonly repeated: number;
  /** Arrived more than once. */
  readonly doubled: number;
  /** Came after a newer value of their register. */
  readonly outOfOrder: number;
  /** Of those, marked as history. */
  readonly asHistory: number;
  /** Another register's or another device's value, of all that arrived in the span. */
  readonly wrong: number;
  /** From the device's taking of the value to the subscriber, ascending. */
  readonly latenciesMs: readonly number[];
}

const COUNT_BITS = 8;
const COUNT_MODULUS = 1 << COUNT_BITS;
/** A told period is in whole milliseconds, and by another clock. */
const TOLD_SLACK_MS = 100;

/** What a register of the paced line holds when it is read for the nth time. */
export function countingValue({ unit, register }: Place, nth: number): number {
  return (placeOf(unit, register) << COUNT_BITS) | (nth % COUNT_MODULUS);
}

/** A line of the file that paced-line.c writes. */
export function parseServed(line: number, text: string): readonly Served[] {
  // What is being written now has no end yet.
  const rows = text.split("\n").slice(0, -1);
  const replies = rows.map((row) => {
    const [ns = 0, unit = 0, register = 0, quantity = 0] = row.split(" ").map(Number);
    return { line, unit, register, quantity, atMs: ns / 1e6 };
  });
  return replies.map((reply, at) => {
    const next = replies[at + 1];
    return { ...reply, repeated: next?.unit === reply.unit && next.register === reply.register };
  });
}

/** @param wallMinusMonotonicMs to compare told periods with times served */
export function tally(
  served: readonly Served[],
  arrivals: readonly Arrival[],
  told: readonly Told[],
  span: Span,
  wallMinusMonotonicMs = 0,
): Tally {
  const books = booksOf(served);
  const latenciesMs: number[] = [];
  let wrong = 0;
  for (const arrival of arrivals) {
    const nth = books.get(keyOf(arrival))?.enter(arrival);
    if (nth === undefined) wrong += within(arrival.atMs, span) ? 1 : 0;
    else if (within(nth.servedMs, span)) latenciesMs.push(arrival.atMs - nth.servedMs);
  }
  for (const period of told) books.get(keyOf(period))?.told.push(period);
  const pages = [...books.values()].map((book) => book.count(span, wallMinusMonotonicMs));
  const sum = (of: (page: Page) => number) => pages.reduce((total, page) => total + of(page), 0);
  return {
    served: sum((page) => page.served),
    lost: sum((page) => page.lost),
    told: sum((page) => page.told),
    repeated: sum((page) => page.repeated),
    doubled: sum((page) => page.doubled),
    outOfOrder: sum((page) => page.outOfOrder),
    asHistory: sum((page) => page.asHistory),
    wrong,
    latenciesMs: latenciesMs.sort((a, b) => a - b),
  };
}

export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;
}

/** One of the registers that are asked for. */
export function isWanted(register: number): boolean {
  return BLOCKS.some((first) => register >= first && register < first + BLOCK_REGISTERS);
}

function booksOf(served: readonly Served[]): ReadonlyMap<string, Book> {
  const books = new Map<string, Book>();
  for (const { line, unit, register, quantity, atMs, repeated } of served) {
    for (let i = 0; i < quantity; i++) {
      const place = { line, unit, register: register + i };
      // A gateway may read more than it was asked for, to tell replies apart.
      if (!isWanted(place.register)) continue;
      const key = keyOf(place);
      const book = books.get(key) ?? new Book(placeOf(unit, place.register));
      books.set(key, book);
      book.reads.push({ servedMs: atMs, repeated, arrived: 0, late: undefined });
    }
  }
  return books;
}

type Page = Pick<Tally, "served" | "lost" | "told" | "repeated" | "doubled" | "outOfOrder" | "asHistory">;

interface Read {
  readonly servedMs: number;
  readonly repeated: boolean;
  arrived: number;
  /** It first came after a newer one. */
  late: "history" | "unmarked" | undefined;
}

/** All reads of one register. */
class Book {
  readonly reads: Read[] = [];
  readonly told: Told[] = [];
  readonly #place: number;
  #newest = -1;

  constructor(place: number) {
    this.#place = place;
  }

  /** The read that the value comes from; undefined: not from this register. */
  enter({ value, atMs, history }: Arrival): Read | undefined {
    if (value >> COUNT_BITS !== this.#place) return undefined;
    const at = this.#lastBefore(atMs, value % COUNT_MODULUS);
    const read = this.reads[at];
    if (read === undefined) return undefined;
    read.arrived += 1;
    if (read.arrived === 1 && at < this.#newest) read.late = history ? "history" : "unmarked";
    this.#newest = Math.max(this.#newest, at);
    return read;
  }

  count(span: Span, wallMinusMonotonicMs: number): Page {
    const reads = this.reads.filter(({ servedMs }) => within(servedMs, span));
    const lost = reads.filter(({ arrived }) => arrived === 0);
    const isTold = ({ servedMs }: Read) => {
      const wallMs = servedMs + wallMinusMonotonicMs;
      return this.told.some(({ fromMs, toMs }) => wallMs >= fromMs - TOLD_SLACK_MS && wallMs <= toMs + TOLD_SLACK_MS);
    };
    return {
      served: reads.length,
      lost: lost.length,
      told: lost.filter(isTold).length,
      repeated: lost.filter(({ repeated }) => repeated).length,
      doubled: reads.filter(({ arrived }) => arrived > 1).length,
      outOfOrder: reads.filter(({ late }) => late !== undefined).length,
      asHistory: reads.filter(({ late }) => late === "history").length,
    };
  }

  /** The nth read counts n, so residues repeat; the newest that was served when the value came is meant. */
  #lastBefore(atMs: number, residue: number): number {
    let at = this.reads.length - 1;
    while (at >= 0 && ((at + 1) % COUNT_MODULUS !== residue || (this.reads[at]?.servedMs ?? 0) > atMs)) at--;
    return at;
  }
}

/** As paced-line.c counts the registers that are asked for, over all units. */
function placeOf(unit: number, register: number): number {
  const block = BLOCKS.length * (unit - 1) + (register >= BLOCKS[1] ? 1 : 0);
  return BLOCK_REGISTERS * block + (register % BLOCKS[1]);
}

function keyOf({ line, unit, register }: Place): string {
  return `${line}/${unit}/${register}`;
}

function within(atMs: number, { fromMs, toMs }: Span): boolean {
  return atMs >= fromMs && atMs < toMs;
}
