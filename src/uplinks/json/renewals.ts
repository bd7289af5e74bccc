/**
 * Which retained snapshots are renewed when: those whose device was read since, each at most once a period, and all of
 * them spread over it. What is shown together at a connect must not come together again each minute: on a slow link
 * live values would wait for all of it.
 */

/** A device's retained snapshot is renewed at most this often. */
export const SNAPSHOT_PERIOD_MS = 60_000;
/** Renewals come in groups at least this far apart: history lets the link run empty before each of them. */
export const RENEWAL_GAP_MIN_MS = 5_000;
/** Nobody tells of a read that is not sent: where nothing has changed, it is looked again after this. */
const LOOK_AGAIN_MS = 5_000;

interface Shown {
  readonly atMs: number;
  readonly revision: number;
}

export class Renewals {
  readonly #revisionOf: (device: string) => number;
  /** Shown longest ago first. */
  readonly #shown = new Map<string, Shown>();
  #freeAtMs = 0;

  /** @param revisionOf rises with every read of the device; times are monotonic */
  constructor(revisionOf: (device: string) => number) {
    this.#revisionOf = revisionOf;
  }

  /** The snapshot of the device was made now. */
  shown(device: string, nowMs: number): void {
    this.#shown.delete(device);
    this.#shown.set(device, { atMs: nowMs, revision: this.#revisionOf(device) });
  }

  /** When to ask again; it has come only when something is due indeed. */
  dueMs(nowMs: number): number {
    let lookMs = Number.POSITIVE_INFINITY;
    for (const [device, { atMs, revision }] of this.#shown) {
      const dueMs = Math.max(atMs + SNAPSHOT_PERIOD_MS, this.#freeAtMs);
      if (dueMs > nowMs) return Math.min(dueMs, lookMs);
      if (this.#revisionOf(device) !== revision) return dueMs;
      lookMs = nowMs + LOOK_AGAIN_MS;
    }
    return lookMs;
  }

  /** The devices to renew now, shown longest ago first. What is taken here must be shown. */
  take(nowMs: number): readonly string[] {
    if (nowMs < this.#freeAtMs) return [];
    const gapMs = Math.max(RENEWAL_GAP_MIN_MS, Math.ceil(SNAPSHOT_PERIOD_MS / Math.max(1, this.#shown.size)));
    const groupMax = Math.ceil((this.#shown.size * RENEWAL_GAP_MIN_MS) / SNAPSHOT_PERIOD_MS);
    const group: string[] = [];
    for (const [device, { atMs, revision }] of this.#shown) {
      if (group.length === groupMax || nowMs < atMs + SNAPSHOT_PERIOD_MS) break;
      if (this.#revisionOf(device) !== revision) group.push(device);
    }
    if (group.length > 0) this.#freeAtMs = nowMs + gapMs;
    return group;
  }
}
