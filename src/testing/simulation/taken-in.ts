/** What the gateway took in, over all its lives: the one side of every proof. */
import type { Clock } from "../../core/clock.ts";
import type { Priority } from "../../core/tag.ts";
import type { Sample } from "../../pipeline.ts";
import { wireForm } from "../ledger.ts";
import type { Story } from "./story.ts";

export interface TakenIn {
  readonly id: string;
  readonly epoch: number;
  readonly t: number;
  readonly priority: Priority;
  /** As it is told on the wire. */
  readonly value: unknown;
  readonly status: string;
  /** Monotonic. */
  readonly atMs: number;
  /** In the order of being taken in, from 1, over all lives. */
  readonly place: number;
  /** Of a read before a jump: the jump, with which it was taken in. */
  jump?: TakenIn;
}

export interface Moment {
  readonly epoch: number;
  readonly t: number;
}

interface TagBook {
  readonly byStamp: Map<string, TakenIn>;
  last: TakenIn | undefined;
  lastIsReadBefore: boolean;
  /** Taken in, not yet old enough to have to be known, oldest first. */
  fresh: TakenIn[];
  /** The newest that is. */
  due: Moment | undefined;
}

/** A stamp counts on from the one before, by a step of the clock up to a second; a read-before is older. */
const STAMP_OFF_MAX_MS = 1_500;

export class TakenInBook {
  /** Of the running one. */
  lifeBeganMs = 0;
  readonly #clock: Clock;
  readonly #story: Story;
  readonly #tags = new Map<string, TagBook>();
  #count = 0;

  constructor(clock: Clock, story: Story) {
    this.#clock = clock;
    this.#story = story;
  }

  get count(): number {
    return this.#count;
  }

  take(sample: Sample): TakenIn {
    const { tag, epoch, sourceTimestampMs: t, status, readBefore } = sample;
    const book = this.#book(tag.id);
    this.#count += 1;
    const taken: TakenIn = {
      id: tag.id,
      epoch,
      t,
      priority: tag.priority,
      value: wireForm(sample),
      status,
      atMs: this.#clock.monotonicMs(),
      place: this.#count,
    };
    this.#checkStamp(sample, book.last);
    book.byStamp.set(keyOf(epoch, t), taken);
    if (book.last !== undefined && book.lastIsReadBefore) book.last.jump = taken;
    book.last = taken;
    book.lastIsReadBefore = readBefore === true;
    book.fresh.push(taken);
    this.#story.note(`${tag.id} ${epoch} ${t} ${String(taken.value)} ${status}`);
    return taken;
  }

  /** What was taken in last of this tag. */
  last(id: string): TakenIn | undefined {
    return this.#tags.get(id)?.last;
  }

  find(id: string, epoch: number, t: number): TakenIn | undefined {
    return this.#tags.get(id)?.byStamp.get(keyOf(epoch, t));
  }

  /** The newest that was taken in at this time or before; times asked for only rise. */
  newestAt(id: string, atMs: number): Moment | undefined {
    const book = this.#tags.get(id);
    if (book === undefined) return undefined;
    let past = 0;
    for (; past < book.fresh.length; past++) {
      const next = book.fresh[past];
      if (next === undefined || next.atMs > atMs) break;
      book.due = next;
    }
    if (past > 0) book.fresh = book.fresh.slice(past);
    return book.due;
  }

  #checkStamp({ tag, epoch, sourceTimestampMs: t, readBefore }: Sample, last: TakenIn | undefined): void {
    const what = `${tag.id} epoch ${epoch} t ${t}`;
    if (last !== undefined && !isBefore(last, { epoch, t })) {
      this.#story.breach("identity: order", `${what} taken in after epoch ${last.epoch} t ${last.t}`);
    }
    const offMs = Math.abs(t - this.#clock.wallMs());
    if (readBefore !== true && offMs > STAMP_OFF_MAX_MS) {
      this.#story.breach("P9 honest time", `${what} is ${offMs} ms off the clock when it is taken in`);
    }
  }

  #book(id: string): TagBook {
    let book = this.#tags.get(id);
    if (book === undefined) {
      book = { byStamp: new Map(), last: undefined, lastIsReadBefore: false, fresh: [], due: undefined };
      this.#tags.set(id, book);
    }
    return book;
  }
}

export function isBefore(a: Moment, b: Moment): boolean {
  return a.epoch < b.epoch || (a.epoch === b.epoch && a.t < b.t);
}

function keyOf(epoch: number, t: number): string {
  return `${epoch} ${t}`;
}
