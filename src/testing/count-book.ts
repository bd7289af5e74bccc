/** What arrived at the far end, held against what counting devices served. */
import type { LossReason } from "../pipeline.ts";
import type { ServedReply } from "./counting-plant.ts";
import type { WireMessage } from "./ledger.ts";

/** Between the moment a simulated device answers and the gateway's stamp lies at most this, also on a busy machine. */
const STAMP_TOLERANCE_MS = 250;

export interface Hole {
  readonly id: string;
  readonly count: number;
  readonly servedAtMs: number;
  /** A BadDataLost that covers it arrived for this tag, for one of the reasons that may be. */
  readonly told: boolean;
}

export interface LossRange {
  readonly fromMs: number;
  readonly toMs: number;
}

export class CountBook {
  readonly #counts = new Map<string, Set<number>>();
  readonly #losses = new Map<string, LossRange[]>();
  readonly #verified = new Map<string, number>();
  readonly #reasons: ReadonlySet<string>;

  /** @param reasons of losses that may be: one for any other reason tells of no hole here */
  constructor(reasons: readonly LossReason[]) {
    this.#reasons = new Set(reasons);
  }

  arrived(message: WireMessage): void {
    for (const value of message.values) {
      if (value.s === "BadDataLost") {
        if (!this.#reasons.has(value.reason ?? "")) continue;
        const range = { fromMs: value.from ?? value.t, toMs: value.to ?? value.t };
        this.#losses.set(value.id, [...(this.#losses.get(value.id) ?? []), range]);
      } else if (value.q && typeof value.v === "number") {
        const counts = this.#counts.get(value.id) ?? new Set<number>();
        this.#counts.set(value.id, counts.add(value.v));
      }
    }
  }

  /** Every (tag, reply) that was served and has not arrived. */
  holes(served: ReadonlyMap<string, readonly ServedReply[]>, tagsPerDevice: number): readonly Hole[] {
    const holes: Hole[] = [];
    for (const [device, replies] of served) {
      for (let tag = 0; tag < tagsPerDevice; tag++) {
        const id = `${device}/r${tag}`;
        const counts = this.#counts.get(id);
        for (const { count, wallMs } of replies) {
          if (counts?.has(count)) continue;
          holes.push({ id, count, servedAtMs: wallMs, told: this.#isTold(id, wallMs) });
        }
      }
    }
    return holes;
  }

  /** Whether every reply served before `beforeMs` has arrived or was told as lost, in every tag. */
  caughtUp(served: ReadonlyMap<string, readonly ServedReply[]>, tagsPerDevice: number, beforeMs: number): boolean {
    let behind = false;
    for (const [device, replies] of served) {
      for (let tag = 0; tag < tagsPerDevice; tag++) {
        if (!this.#advance(`${device}/r${tag}`, replies, beforeMs)) behind = true;
      }
    }
    return !behind;
  }

  /** Looks at each reply once, however often it is asked. */
  #advance(id: string, replies: readonly ServedReply[], beforeMs: number): boolean {
    const counts = this.#counts.get(id);
    let next = this.#verified.get(id) ?? 0;
    for (let reply = replies[next]; reply !== undefined && reply.wallMs < beforeMs; reply = replies[next]) {
      if (!counts?.has(reply.count) && !this.#isTold(id, reply.wallMs)) break;
      next += 1;
    }
    this.#verified.set(id, next);
    const waiting = replies[next];
    return waiting === undefined || waiting.wallMs >= beforeMs;
  }

  toldLosses(): readonly LossRange[] {
    return [...this.#losses.values()].flat();
  }

  toldTags(): number {
    return this.#losses.size;
  }

  #isTold(id: string, atMs: number): boolean {
    const losses = this.#losses.get(id) ?? [];
    return losses.some((l) => l.fromMs - STAMP_TOLERANCE_MS <= atMs && atMs <= l.toMs + STAMP_TOLERANCE_MS);
  }
}
