import type { InputConfig } from "../../config/config.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { CountKeeper } from "../../core/kept-count.ts";
import type { Log } from "../../core/log.ts";
import type { Status } from "../../core/quality.ts";
import type { Value } from "../../core/tag.ts";
import type { TagSink } from "../../pipeline.ts";
import { type Count, countChange, totalOf } from "./counter.ts";
import { type Change, type Contact, type ContactEvent, debounce } from "./debounce.ts";
import type { PinListener } from "./pin-watch.ts";

/** A chattering input is told by its edges up to this often; beyond, the scan tells where it stands. */
const CHANGES_MAX_PER_S = 100;

export interface InputOptions {
  readonly input: InputConfig;
  readonly counts: CountKeeper;
  readonly sink: TagSink;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * What the levels of one pin mean: edges and scans in, readings out.
 * A level is told when it changes, with the time of the edge, and at every scan. A counter's total is told by the scan
 * alone: a reading a pulse would fill the outbox and say nothing more.
 */
export class Input implements PinListener {
  readonly #input: InputConfig;
  readonly #counts: CountKeeper;
  readonly #sink: TagSink;
  readonly #clock: Clock;
  readonly #log: Log;
  #contact: Contact | undefined;
  #count: Count;
  #settling: Timer | undefined;
  #secondBeganMs = Number.NEGATIVE_INFINITY;
  #changesInSecond = 0;
  #isStopped = false;

  constructor({ input, counts, sink, clock, log }: InputOptions) {
    this.#input = input;
    this.#counts = counts;
    this.#sink = sink;
    this.#clock = clock;
    this.#log = log;
    this.#count = counts.count(input.name, input.counter?.start ?? 0);
    // From now on a power cut leaves its mark.
    this.#keepCount();
  }

  edge(level: boolean, monotonicMs: number): void {
    this.#step({ kind: "edge", level: this.#meaning(level), atMs: monotonicMs });
  }

  sampled(level: boolean, monotonicMs: number): void {
    this.#step({ kind: "sampled", level: this.#meaning(level), atMs: monotonicMs });
  }

  missed(): void {
    this.#count = { ...this.#count, certain: false };
  }

  scanned(monotonicMs: number, toldUntilMs: number): void {
    const { counter } = this.#input;
    // By the pin's own time: an edge that is still on its way may have ended what would else count.
    if (counter !== undefined) this.#step({ kind: "time", atMs: toldUntilMs });
    if (counter !== undefined) {
      this.#keepCount();
      // Edges that came while the pin was gone are in no count.
      const status = this.#count.certain ? "Good" : "UncertainLastUsableValue";
      this.#tell(totalOf(this.#count, counter), status, monotonicMs);
    } else if (this.#contact !== undefined && this.#contact.turningSinceMs === undefined) {
      // While the contact bounces nobody knows; if it never rests, the value grows old.
      this.#tell(this.#contact.level, "Good", monotonicMs);
    }
  }

  failed(monotonicMs: number): void {
    // What came before the first read was missed as it was before the start: the total begins with that read.
    if (this.#contact !== undefined) {
      this.#contact = { level: this.#contact.level, turningSinceMs: undefined };
      this.#count = { ...this.#count, certain: false };
    }
    this.#tell(undefined, "BadNoCommunication", monotonicMs);
  }

  /** From here on nothing is told; what is still counted is kept by another stop. */
  stop(): void {
    this.#isStopped = true;
    this.#settling?.cancel();
    this.#keepCount();
  }

  #keepCount(): void {
    const { name, counter } = this.#input;
    if (counter !== undefined) this.#counts.keepCount(name, { start: counter.start, ...this.#count });
  }

  #meaning(level: boolean): boolean {
    return level !== this.#input.activeLow;
  }

  #step(event: ContactEvent): void {
    const [contact, change] = debounce(this.#contact, event, this.#input.debounceMs);
    this.#contact = contact;
    this.#settling?.cancel();
    if (contact?.turningSinceMs !== undefined && this.#input.counter === undefined) {
      const countsAtMs = contact.turningSinceMs + this.#input.debounceMs;
      this.#settling = this.#clock.after(countsAtMs - this.#clock.monotonicMs(), () =>
        this.#step({ kind: "time", atMs: this.#clock.monotonicMs() }),
      );
    }
    if (change !== undefined) this.#changed(change);
  }

  #changed(change: Change): void {
    const { counter } = this.#input;
    if (counter !== undefined) this.#count = countChange(this.#count, change.level, counter.edge);
    else if (this.#mayTell()) this.#tell(change.level, "Good", change.atMs);
  }

  #mayTell(): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#secondBeganMs >= 1_000) {
      this.#secondBeganMs = nowMs;
      this.#changesInSecond = 0;
    }
    this.#changesInSecond += 1;
    if (this.#changesInSecond === CHANGES_MAX_PER_S + 1) {
      this.#log.warning(`more than ${CHANGES_MAX_PER_S} changes a second; is the debounce time too short?`);
    }
    return this.#changesInSecond <= CHANGES_MAX_PER_S;
  }

  #tell(value: Value | undefined, status: Status, monotonicMs: number): void {
    if (this.#isStopped) return;
    this.#sink.read([{ tag: this.#input, value, status }], monotonicMs);
  }
}
