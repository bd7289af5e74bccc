import type { LinePlan } from "./plan.ts";

/** P6: all dead devices of a line together cost it at most this. */
const SHARE_MAX = 0.05;
/** To find out that a device is lost takes some reads of each of its tags; they are not probes. */
const FOUND_OUT_AFTER_MS = 60_000;
/** What may be spent at once: a probe of each device, before the pause that pays for it. */
const BURST_PROBES = 2;
const REQUEST_BYTES = 8;
const BITS_PER_BYTE = 11;

/** What a line spends on devices that are known to be dead: a purse that fills with 5 % of the time and never runs out. */
export class DeadTime {
  readonly #plan: LinePlan;
  readonly #costMs: number;
  /** By unit: since when it has been asked in vain. */
  readonly #deadSinceMs = new Map<number, number>();
  readonly #overspent: string[] = [];
  #purseMs: number;
  #filledMs = 0;

  constructor(plan: LinePlan) {
    this.#plan = plan;
    this.#costMs = plan.responseTimeoutMs + (REQUEST_BYTES * BITS_PER_BYTE * 1_000) / plan.baudRate;
    this.#purseMs = this.#burstMs();
  }

  /** The gateway, or its port, is new: what is dead must be found out anew. */
  restart(nowMs: number): void {
    this.#deadSinceMs.clear();
    this.#purseMs = this.#burstMs();
    this.#filledMs = nowMs;
  }

  asked(unitId: number, isDead: boolean, nowMs: number): void {
    if (!isDead) {
      this.#deadSinceMs.delete(unitId);
      return;
    }
    const sinceMs = this.#deadSinceMs.get(unitId) ?? nowMs;
    this.#deadSinceMs.set(unitId, sinceMs);
    if (nowMs - sinceMs < FOUND_OUT_AFTER_MS) return;
    this.#purseMs = Math.min(this.#burstMs(), this.#purseMs + (nowMs - this.#filledMs) * SHARE_MAX) - this.#costMs;
    this.#filledMs = nowMs;
    if (this.#purseMs >= 0) return;
    this.#overspent.push(`${this.#plan.name}: dead devices cost more than ${SHARE_MAX * 100} % of the line`);
    this.#purseMs = this.#burstMs();
  }

  overspent(): readonly string[] {
    return this.#overspent;
  }

  #burstMs(): number {
    return this.#costMs * (BURST_PROBES + this.#plan.devices.length);
  }
}
