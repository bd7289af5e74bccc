import type { Clock } from "../core/clock.ts";
import { assert } from "../core/errors.ts";
import type { Status } from "../core/quality.ts";
import type { Value } from "../core/tag.ts";
import type { Presence, Reading, TagSink } from "../pipeline.ts";
import { Condition } from "./condition.ts";

/** A test that records more than this has run away. */
const RECORDED_MAX_READINGS = 1_000_000;

export interface RecordedReading {
  /** `device/tag` */
  readonly id: string;
  readonly value: Value | undefined;
  readonly status: Status;
  readonly monotonicMs: number;
}

export interface RecordedPresence {
  readonly device: string;
  readonly presence: Presence;
  readonly monotonicMs: number;
}

/** A tag table that believes nothing and forgets nothing: what a source told, in the order in which it did. */
export class RecordingSink implements TagSink {
  readonly readings: RecordedReading[] = [];
  readonly presences: RecordedPresence[] = [];
  readonly #latest = new Map<string, RecordedReading>();
  readonly #condition: Condition;

  constructor(clock: Clock) {
    this.#condition = new Condition(clock);
  }

  read(readings: readonly Reading[], monotonicMs: number): void {
    assert(this.readings.length + readings.length <= RECORDED_MAX_READINGS, "a test records without end");
    for (const { tag, value, status } of readings) {
      const recorded = { id: tag.id, value, status, monotonicMs };
      this.readings.push(recorded);
      this.#latest.set(tag.id, recorded);
    }
    this.#condition.changed();
  }

  presence(device: string, presence: Presence, monotonicMs: number): void {
    this.presences.push({ device, presence, monotonicMs });
    this.#condition.changed();
  }

  latest(id: string): RecordedReading | undefined {
    return this.#latest.get(id);
  }

  latestPresence(device: string): Presence | undefined {
    return this.presences.findLast((p) => p.device === device)?.presence;
  }

  of(id: string): readonly RecordedReading[] {
    return this.readings.filter((r) => r.id === id);
  }

  /** Resolves once `holds` is true of what was recorded; rejects after a limit. */
  until(what: string, holds: (sink: RecordingSink) => boolean, limitMs?: number): Promise<void> {
    return this.#condition.until(
      what,
      () => holds(this),
      limitMs,
      () => this.#picture(),
    );
  }

  #picture(): string {
    const tags = [...this.#latest.values()].map((r) => `${r.id}=${String(r.value)} ${r.status}`);
    const devices = this.presences.slice(-8).map((p) => `${p.device} ${p.presence}`);
    return `(last: ${[...tags.slice(0, 20), ...devices].join(", ") || "nothing"})`;
  }
}
