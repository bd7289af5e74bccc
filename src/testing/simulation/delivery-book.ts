/** What one uplink owes and what its brokers got of it: P4, identity and order. It outlives lives, servers and formats. */
import { plausibleTimes } from "./dark.ts";
import type { Story } from "./story.ts";
import { isBefore, isDated, type Moment, type TakenIn, type TakenInBook } from "./taken-in.ts";

/** A value as it arrived, whatever the format. */
export interface ToldValue {
  readonly id: string;
  readonly epoch: number;
  readonly t: number;
  /** As JSON readers see it. */
  readonly value: unknown;
  readonly status: string;
  readonly stage: "data" | "history";
  /** Of a time at which nobody knew the time. */
  readonly isCopy: boolean;
  /** Its message and its own mark agree. */
  readonly isMarkedRight: boolean;
  /** Within it the values of a tag rise; undefined where they need not. */
  readonly stream: string | undefined;
  /** By whom it was meant for, and not by the broker alone. */
  readonly isHeard: boolean;
}

/** A stretch told as lost. */
export interface ToldLoss {
  readonly id: string;
  readonly epoch: number;
  readonly from: number;
  readonly to: number;
  /** The epoch of `to`, where it is not that of `from`. */
  readonly toE?: number;
  readonly count: number | null;
  readonly reason: string;
}

export interface Told extends ToldLoss {
  readonly atMs: number;
  /** When the life began that told it. */
  readonly beforeMs: number;
}

/** The link to a broker and the broker itself. */
export interface Way {
  /** No trouble since. */
  readonly wellSinceMs: number;
  /** From being taken in to the broker. */
  readonly liveMaxMs: number;
  /** The same for what may still be called live, whatever held it up. */
  readonly lagMaxMs: number;
  /** Bytes of history that may come before a live value that took so long. */
  readonly historyMaxBytes: (lagMs: number) => number;
}

/** Later than this after being taken in, with all that the slowest link adds, nothing is live. */
const LIVE_LAG_MAX_MS = 30_000;
/** After a connect or a trouble: what has piled up goes first. */
const SETTLING_MS = 15_000;
/** After the status that says online: the first of everything. */
const BEGINNING_MS = 1_000;
/** A small step back is bridged by counting on. */
const GOOD_OFF_MAX_MS = 1_000;
/** Messages of history that are remembered: more than pass while a live value is on its way. */
const REMEMBERED_HISTORY = 500;

export class DeliveryBook {
  readonly #uplink: string;
  readonly #story: Story;
  readonly #takenIn: TakenInBook;
  /** Owed: not arrived, not told as lost. In the order of being taken in. */
  readonly #owed = new Set<TakenIn>();
  /** When each came first. */
  readonly #arrived = new Map<TakenIn, number>();
  /** Came while nobody was there to hear it, and has to come again. */
  readonly #unheard = new Map<TakenIn, number>();
  #unheardLosses: readonly Told[] = [];
  readonly #lost = new Map<TakenIn, Told[]>();
  readonly #told: Told[] = [];
  #onlineSinceMs = 0;
  readonly #lastStamp = new Map<string, Moment>();
  #history: { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(uplink: string, takenIn: TakenInBook, story: Story) {
    this.#uplink = uplink;
    this.#takenIn = takenIn;
    this.#story = story;
  }

  /** What no start can know of. */
  forgive(sinceMs: number): void {
    for (const taken of this.#owed) if (taken.atMs >= sinceMs) this.#owed.delete(taken);
  }

  owe(taken: TakenIn): void {
    this.#owed.add(taken);
  }

  /** A session is under way: values follow. */
  online(nowMs: number): void {
    this.#onlineSinceMs = nowMs;
  }

  /** The oldest that is owed, if it was taken in before then. */
  overdue(beforeMs: number): TakenIn | undefined {
    for (const taken of this.#owed) {
      if (taken.atMs >= beforeMs) return undefined;
      if (!this.#isToldByGuess(taken)) return taken;
    }
    return undefined;
  }

  owedCount(): number {
    return this.#owed.size;
  }

  /** What was told as lost and never came, with the records that tell it. */
  losses(): readonly (readonly [TakenIn, readonly Told[]])[] {
    return [...this.#lost].filter(([taken]) => !this.#arrived.has(taken) && !this.#unheard.has(taken));
  }

  told(): readonly Told[] {
    return this.#told;
  }

  arrivedCount(): number {
    return this.#arrived.size;
  }

  arrivals(): Iterable<readonly [TakenIn, number]> {
    return this.#arrived;
  }

  value(told: ToldValue, nowMs: number, way: Way): void {
    const { id, epoch, t, status, stage, isCopy, stream } = told;
    const name = isCopy ? "a copy" : stage;
    const what = `${this.#uplink}: ${id} epoch ${epoch} t ${t} on ${name}`;
    const taken = this.#takenIn[isCopy ? "findCopy" : "find"](id, epoch, t);
    if (taken === undefined) {
      this.#story.breach("identity: one content", `${what} was never taken in`);
      return;
    }
    this.#checkContent(taken, told, what);
    // What has no identity is shown at once or not at all, and what got it later is no longer live.
    const isLive = isCopy || taken.undated === undefined;
    if (!told.isMarkedRight || !(isLive || stage === "history") || (isCopy && stage !== "data"))
      this.#story.breach("identity: one content", `${what}: wrong mark`);
    if (stage === "data") this.#checkLag(taken, nowMs, way, what);
    if (stream !== undefined) this.#checkOrder(`${name} ${stream} ${id}`, { epoch, t }, what);
    if (isCopy) return;
    this.#checkTime(taken, status, what);
    if (told.isHeard || this.#arrived.has(taken)) this.#hear(taken, nowMs);
    else if (!this.#unheard.has(taken)) this.#unheard.set(taken, nowMs);
  }

  /** Nobody knows any more that it has to come again. */
  forgiveUnheard(): void {
    for (const [taken, atMs] of [...this.#unheard]) this.#hear(taken, atMs);
    for (const told of this.#unheardLosses) this.#hearLoss(told);
    this.#unheardLosses = [];
  }

  #hear(taken: TakenIn, atMs: number): void {
    if (!this.#arrived.has(taken)) this.#arrived.set(taken, atMs);
    this.#owed.delete(taken);
    this.#unheard.delete(taken);
  }

  /** Shown, and not owed by it: where it was taken in as well, it is the same. */
  shown(told: Pick<ToldValue, "id" | "epoch" | "t" | "value" | "status">): void {
    const { id, epoch, t } = told;
    const taken = this.#takenIn.known(id, epoch, t);
    if (taken !== undefined)
      this.#checkContent(taken, { ...told, isCopy: false }, `${id} epoch ${epoch} t ${t} as shown`);
  }

  /** When it was taken in; undefined where it has come before, or never was. */
  newcomer(id: string, epoch: number, t: number): TakenIn | undefined {
    const taken = this.#takenIn.known(id, epoch, t);
    const hasCome = [this.#arrived, this.#unheard].some((all) => taken !== undefined && all.has(taken));
    return hasCome ? undefined : taken;
  }

  #checkContent(taken: TakenIn, told: Pick<ToldValue, "value" | "status" | "isCopy">, what: string): void {
    if (taken.value === told.value && isStatus(told.status, taken, told.isCopy)) return;
    const became = `${String(told.value)} ${told.status}`;
    this.#story.breach("identity: one content", `${what}: ${String(taken.value)} ${taken.status} became ${became}`);
  }

  /** What was dated later and is Good has the right time, and what could get the right one is not uncertain. */
  #checkTime({ undated, status: read }: TakenIn, status: string, what: string): void {
    if (undated?.dark.mustBeCertain() && status !== read)
      this.#story.breach("P9 honest time", `${what} is dated by a guess, though the time is known`);
    if (undated === undefined || status !== "Good") return;
    const { offsetMs = 0, trueOffsetMs } = undated.dark;
    const offMs = Math.abs(offsetMs - trueOffsetMs);
    if (offMs > GOOD_OFF_MAX_MS) this.#story.breach("P9 honest time", `${what} is Good and ${offMs} ms off`);
  }

  /** P6: on a way without trouble, in a session that goes on, nothing makes a live value wait for long. */
  #checkLag(taken: TakenIn, nowMs: number, way: Way, what: string): void {
    const lagMs = nowMs - taken.atMs;
    const wellFromMs = SETTLING_MS + Math.max(way.wellSinceMs, this.#onlineSinceMs);
    const lagMaxMs = taken.atMs < wellFromMs ? LIVE_LAG_MAX_MS : Math.min(LIVE_LAG_MAX_MS, way.lagMaxMs);
    if (lagMs > lagMaxMs) this.#story.breach("P3 live is live", `${what} is live after ${lagMs} ms`);
    if (taken.jump !== undefined) return;
    this.#checkHistory(taken, lagMs, way, what);
    if (taken.atMs < wellFromMs) return;
    if (lagMs <= way.liveMaxMs) return;
    this.#story.breach("P6 history is no burden", `${what} took ${lagMs} ms, at most ${way.liveMaxMs} ms are right`);
  }

  /** A new session knows nothing of the link and begins slowly; one that goes on must find out what has changed. */
  #checkHistory(taken: TakenIn, lagMs: number, { wellSinceMs, historyMaxBytes }: Way, what: string): void {
    const isNew = this.#onlineSinceMs > wellSinceMs;
    if (taken.atMs < (isNew ? this.#onlineSinceMs + BEGINNING_MS : wellSinceMs + SETTLING_MS)) return;
    const [bytes, maxBytes] = [this.#historySince(taken.atMs), historyMaxBytes(lagMs)];
    if (bytes <= maxBytes) return;
    const told = `${bytes} bytes of history came before it in ${lagMs} ms, at most ${maxBytes} are right`;
    this.#story.breach("P6 history is no burden", `${what}: ${told}`);
  }

  /** So much of history came. */
  history(bytes: number, atMs: number): void {
    this.#history.push({ atMs, bytes });
    if (this.#history.length > 2 * REMEMBERED_HISTORY) this.#history = this.#history.slice(-REMEMBERED_HISTORY);
  }

  #historySince(sinceMs: number): number {
    let bytes = 0;
    for (let i = this.#history.length - 1; i >= 0; i--) {
      const { atMs, bytes: more } = this.#history[i] ?? { atMs: 0, bytes: 0 };
      if (atMs <= sinceMs) break;
      bytes += more;
    }
    return bytes;
  }

  /** These have their times now: what was told before may hold them. */
  dated(samples: readonly TakenIn[]): void {
    for (const taken of samples) {
      const all = this.#owed.has(taken) ? this.#told.filter((told) => this.#isToldBy(told, taken)) : [];
      if (all.length === 0) continue;
      this.#owed.delete(taken);
      this.#lost.set(taken, all);
    }
  }

  lost(loss: ToldLoss, nowMs: number, isHeard: boolean): void {
    const told = { ...loss, atMs: nowMs, beforeMs: this.#takenIn.lifeBeganMs };
    this.#story.note(`${this.#uplink} lost ${loss.id} ${loss.from} ${loss.to} ${loss.reason}`);
    if (isHeard) this.#hearLoss(told);
    else this.#unheardLosses = [...this.#unheardLosses, told];
  }

  #hearLoss(told: Told): void {
    this.#told.push(told);
    for (const [taken, all] of this.#lost) if (this.#isToldBy(told, taken)) all.push(told);
    for (const taken of this.#owed) {
      if (!this.#isToldBy(told, taken)) continue;
      this.#owed.delete(taken);
      this.#lost.set(taken, [told]);
    }
  }

  /** The start that tells of a stop knows nothing of what follows it. */
  #isToldBy(told: Told, taken: TakenIn): boolean {
    const isTooNew = told.reason === "unclean stop" && taken.atMs >= told.beforeMs;
    return !isTooNew && isDated(taken) && coversIt(told, taken);
  }

  /** Nothing of its dark ever came, so nobody can tell the time that it would have got. */
  #isToldByGuess(taken: TakenIn): boolean {
    if (taken.undated === undefined || isDated(taken)) return false;
    const { epoch, id } = taken;
    const times = plausibleTimes(taken.undated);
    return this.#told.some((told) => taken.atMs < told.atMs && times.some((t) => covers(told, { id, epoch, t })));
  }

  #checkOrder(stream: string, moment: Moment, what: string): void {
    const last = this.#lastStamp.get(stream);
    if (last !== undefined && !isBefore(last, moment)) {
      this.#story.breach("identity: order", `${what} came after epoch ${last.epoch} t ${last.t}`);
    }
    this.#lastStamp.set(stream, moment);
  }
}

/** What a read before a jump says, that nothing happened before it, the gap that holds the jump says as well. */
function coversIt(told: Told, taken: TakenIn): boolean {
  const { jump } = taken;
  return covers(told, taken) || (jump !== undefined && isDated(jump) && covers(told, jump));
}

/** As a reader has it: from and to are places in the order of identities. */
function covers({ id, epoch, from, to, toE = epoch }: Told, taken: Moment & { readonly id: string }): boolean {
  return id === taken.id && !isBefore(taken, { epoch, t: from }) && !isBefore({ epoch: toE, t: to }, taken);
}

/** What is dated by a guess is not Good: all of a dark, or nothing of it. */
function isStatus(told: string, { status, undated }: TakenIn, isCopy: boolean): boolean {
  if (undated === undefined || isCopy || status !== "Good") return told === status;
  undated.dark.isCertain ??= told === status;
  return told === (undated.dark.isCertain ? status : "UncertainLastUsableValue");
}
