/** What the gateway took in, over all its lives: the one side of every proof. */
import type { Clock } from "../../core/clock.ts";
import type { Priority } from "../../core/tag.ts";
import type { Sample, UndatedSample } from "../../pipeline.ts";
import { wireForm } from "../ledger.ts";
import { type Dark, offsetBy, type UndatedMark } from "./dark.ts";
import type { Story } from "./story.ts";

export interface TakenIn {
  readonly id: string;
  readonly epoch: number;
  /** Of what is not dated yet: by the best-known time. */
  t: number;
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
  /** Taken in while nobody knew the time. */
  readonly undated?: UndatedMark;
}

/** Whether its stamp is the one that it goes out with. */
export function isDated({ undated }: TakenIn): boolean {
  return undated === undefined || undated.dark.offsetMs !== undefined;
}

export interface Moment {
  readonly epoch: number;
  readonly t: number;
}

interface TagBook {
  readonly byStamp: Map<string, TakenIn>;
  /** As they are shown before they are dated. */
  readonly copies: Map<string, TakenIn>;
  /** In the order of being taken in. */
  readonly all: TakenIn[];
  lastIsReadBefore: boolean;
}

/** Session numbers are stored so far ahead, a second each: the next start goes on above them. */
const NUMBERS_AHEAD_MS = 16_000;
/** A stamp counts on from the one before, by a step of the clock up to a second; a read-before is older. */
const STAMP_OFF_MAX_MS = 1_500;

export class TakenInBook {
  /** When each life began. */
  readonly livesMs: number[] = [];
  /** The time was good when it began; else only what is Good must have the right time. */
  lifeBeganInTime = true;
  readonly #clock: Clock;
  readonly #story: Story;
  readonly #tags = new Map<string, TagBook>();
  readonly #darks = new Map<Dark, TakenIn[]>();
  #onDated: (samples: readonly TakenIn[]) => void = () => undefined;
  #count = 0;
  #highestEpoch = 0;

  /** @param clock that is always right */
  constructor(clock: Clock, story: Story) {
    this.#clock = clock;
    this.#story = story;
  }

  /** Of the running one. */
  get lifeBeganMs(): number {
    return this.livesMs.at(-1) ?? 0;
  }

  /** Nobody had to guess when anything was. */
  isDatedRight(): boolean {
    const isRight = ({ offsetMs, trueOffsetMs }: Dark) => Math.abs((offsetMs ?? Infinity) - trueOffsetMs) <= 1_000;
    return [...this.#darks.keys()].every(isRight);
  }

  get count(): number {
    return this.#count;
  }

  /** Called when it shows how the samples of a dark are dated. */
  onDated(listener: (samples: readonly TakenIn[]) => void): void {
    this.#onDated = listener;
  }

  take(sample: Sample): TakenIn {
    const { epoch, sourceTimestampMs: t } = sample;
    const taken = this.#take(sample, t, undefined);
    this.#checkStamp(sample);
    this.#book(taken.id).byStamp.set(keyOf(epoch, t), taken);
    return taken;
  }

  takeUndated(sample: UndatedSample, dark: Dark): TakenIn {
    const { epoch, bootMs } = sample;
    const t = bootMs + dark.knownOffsetMs;
    const taken = this.#take(sample, t, { bootMs, dark });
    this.#darks.set(dark, this.#darks.get(dark) ?? []);
    this.#darks.get(dark)?.push(taken);
    this.#book(taken.id).copies.set(keyOf(epoch, t), taken);
    if (dark.offsetMs !== undefined) this.#story.breach("P9 honest time", `${taken.id} is taken in without its time`);
    return taken;
  }

  /** What was taken in last of this tag. */
  last(id: string): TakenIn | undefined {
    return this.#tags.get(id)?.all.at(-1);
  }

  find(id: string, epoch: number, t: number): TakenIn | undefined {
    const known = this.known(id, epoch, t);
    if (known !== undefined) return known;
    this.#findOffset(id, epoch, t);
    return this.known(id, epoch, t);
  }

  /** As far as its time has shown. */
  known(id: string, epoch: number, t: number): TakenIn | undefined {
    return this.#tags.get(id)?.byStamp.get(keyOf(epoch, t));
  }

  /** By the stamp it has as long as nobody knows the time. */
  findCopy(id: string, epoch: number, t: number): TakenIn | undefined {
    return this.#tags.get(id)?.copies.get(keyOf(epoch, t));
  }

  /** Epochs and sessions are the Unix time at first; many starts in a short time run ahead of it, to here. */
  furthestMs(): number {
    return this.#highestEpoch * 1_000 + NUMBERS_AHEAD_MS;
  }

  /** The newest that was taken in at this time or before. */
  newestAt(id: string, atMs: number): TakenIn | undefined {
    const all = this.#tags.get(id)?.all ?? [];
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((all[middle]?.atMs ?? Number.POSITIVE_INFINITY) <= atMs) low = middle + 1;
      else high = middle;
    }
    return all[low - 1];
  }

  /** Over all lives each tag's samples have rising identities, those too that were dated later. */
  checkOrder(): void {
    for (const { all } of this.#tags.values()) {
      const known = all.filter(isDated);
      known.forEach((taken, i) => {
        const before = known[i - 1];
        if (before !== undefined) this.#checkAfter(taken, before);
      });
    }
  }

  #take(sample: Sample | UndatedSample, t: number, undated: UndatedMark | undefined): TakenIn {
    const { tag, epoch, status, readBefore } = sample;
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
      ...(undated && { undated }),
    };
    const last = book.all.at(-1);
    // One that is dated later is compared in the end.
    if (last !== undefined && last.undated?.dark === undated?.dark) this.#checkAfter(taken, last);
    if (last !== undefined && book.lastIsReadBefore) last.jump = taken;
    book.all.push(taken);
    book.lastIsReadBefore = readBefore === true;
    this.#highestEpoch = Math.max(this.#highestEpoch, epoch);
    this.#story.note(`${tag.id} ${epoch} ${t} ${String(taken.value)} ${status}`);
    return taken;
  }

  /** The first that comes of a dark shows by which offset all of it was dated. */
  #findOffset(id: string, epoch: number, t: number): void {
    const isOfIt = (taken: TakenIn) => taken.id === id && taken.epoch === epoch;
    for (const [dark, samples] of this.#darks) {
      const marks = samples.filter(isOfIt).flatMap(({ undated }) => undated ?? []);
      if (dark.offsetMs !== undefined || marks.length === 0) continue;
      dark.offsetMs = offsetBy(dark, marks, t);
      this.#date(dark, samples);
    }
  }

  #date({ offsetMs = 0, trueOffsetMs, bootId }: Dark, samples: readonly TakenIn[]): void {
    for (const taken of samples) {
      taken.t = offsetMs + (taken.undated?.bootMs ?? 0);
      const { byStamp } = this.#book(taken.id);
      const key = keyOf(taken.epoch, taken.t);
      if (byStamp.has(key)) this.#story.breach("identity: one content", `${taken.id} ${key} is given twice`);
      byStamp.set(key, taken);
    }
    this.#story.tell(`· ${samples.length} samples of ${bootId} are dated, ${offsetMs - trueOffsetMs} ms off`);
    this.#onDated(samples);
  }

  #checkAfter({ id, epoch, t }: TakenIn, last: TakenIn): void {
    if (isBefore(last, { epoch, t })) return;
    const what = `${id} epoch ${epoch} t ${t}`;
    this.#story.breach("identity: order", `${what} taken in after epoch ${last.epoch} t ${last.t}`);
  }

  #checkStamp({ tag, epoch, sourceTimestampMs: t, status, readBefore }: Sample): void {
    const offMs = Math.abs(t - this.#clock.wallMs());
    if (readBefore === true || offMs <= STAMP_OFF_MAX_MS) return;
    if (!this.lifeBeganInTime && status !== "Good") return;
    const what = `${tag.id} epoch ${epoch} t ${t}`;
    this.#story.breach("P9 honest time", `${what} is ${offMs} ms off the clock when it is taken in`);
  }

  #book(id: string): TagBook {
    let book = this.#tags.get(id);
    if (book === undefined) {
      const [byStamp, copies] = [new Map(), new Map()];
      book = { byStamp, copies, all: [], lastIsReadBefore: false };
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
