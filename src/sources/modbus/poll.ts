/**
 * The reads of a line in their rhythm: which one is due, and what follows from each outcome for its tags, for the next
 * attempt and for its device. Decided by schedule, verdict, padding and device state; it asks nothing of the line itself.
 */
import type { LineConfig, RegisterTag } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import { assert } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { STATUSES, type Status } from "../../core/quality.ts";
import type { DeviceReport, Reading, TagSink } from "../../pipeline.ts";
import { DeviceRoster, type LineDevice } from "./device-roster.ts";
import { type DeviceEvent, onDeviceEvent } from "./device-state.ts";
import type { DeviceMeter } from "./line-meter.ts";
import { OverloadWatch } from "./overload.ts";
import { type Padding, paddingRefused, paddingUnanswered, paddingWorked } from "./padding.ts";
import { defaultMaxGap, planReads } from "./poll-plan.ts";
import { isTold, REFUSED_PERIOD_MS, ReadBook, type ReadEntry, scheduledRead } from "./read-book.ts";
import { readingsOf } from "./readings.ts";
import { paddingStep } from "./register-map.ts";
import { SUSPECT_MS } from "./reply-guard.ts";
import {
  deviceLost,
  deviceReturned,
  finished,
  held,
  type Job,
  joined,
  nextJob,
  probed,
  replaced,
  retried,
  type Schedule,
  slowed,
  startSchedule,
} from "./schedule.ts";
import { judge, type ReadOutcome, type Verdict } from "./verdict.ts";

export interface PollOptions {
  readonly line: LineConfig;
  readonly sink: TagSink;
  readonly clock: Clock;
  readonly log: Log;
}

/** A read that is due, or the probe of a lost device. */
export type DueRead = Exclude<Job, { readonly kind: "idle" }>;

/** How it was asked. */
export interface Asked {
  readonly quantity: number;
  readonly trial?: true;
}

export class Poll {
  readonly #sink: TagSink;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #devices: DeviceRoster;
  readonly #reads = new ReadBook();
  readonly #overload: OverloadWatch;
  /** Told as out of service, because their line was lent: until they answer, or are found to be lost. */
  readonly #lent = new Set<string>();
  #schedule: Schedule;

  constructor({ line, sink, clock, log }: PollOptions) {
    this.#sink = sink;
    this.#clock = clock;
    this.#log = log;
    this.#devices = new DeviceRoster(line);
    const maxGap = defaultMaxGap(line);
    for (const { config } of this.#devices.all()) {
      for (const read of planReads(config, maxGap)) this.#reads.add(read);
    }
    this.#schedule = startSchedule(this.#reads.all().map(scheduledRead), clock.monotonicMs());
    this.#overload = new OverloadWatch(line, log, clock.monotonicMs());
  }

  /** Tells what is known before the first read. */
  start(): void {
    this.#overload.foretell();
  }

  next(nowMs: number): Job {
    return nextJob(this.#schedule, nowMs);
  }

  entry({ key }: DueRead): ReadEntry {
    return this.#reads.get(key);
  }

  /** It must not be sent before that time. */
  hold({ key }: DueRead, untilMs: number): void {
    this.#schedule = held(this.#schedule, key, untilMs);
  }

  /** @param costMs how long the line was taken */
  settle(job: DueRead, asked: Asked, outcome: ReadOutcome, costMs: number): void {
    const entry = this.entry(job);
    const { read, splittable, proven } = entry;
    const { retries, maxLateMs } = read.device;
    const paddedSteps = (asked.quantity - read.quantity) / paddingStep(read.table);
    const attempts = job.kind === "read" ? job.attempts : retries;
    const how = { attempts, retries, padded: paddedSteps > 0, trial: asked.trial === true };
    const verdict = judge({ ...how, splittable, proven, maxLateMs }, outcome);
    entry.padding = learnt(entry.padding, paddedSteps, verdict, outcome);
    if (job.kind === "probe") this.#applyToProbe(entry, verdict, outcome, costMs);
    else this.#apply(entry, verdict, outcome);
  }

  lineLost(): void {
    for (const device of this.#devices.all()) this.#deviceEvent(device, "lineLost");
  }

  /** A tool uses the line. */
  lineLent(): void {
    for (const device of this.#devices.all()) {
      const { name, lostAfter } = device.config;
      [device.state] = onDeviceEvent(device.state, "lineLost", lostAfter);
      this.#lent.add(name);
      this.#sink.presence(name, "outOfService", this.#clock.monotonicMs());
    }
  }

  lineBack(): void {
    for (const device of this.#devices.all()) this.#deviceEvent(device, "lineBack");
  }

  /** The unit has answered something else than a read. */
  answered(unitId: number): void {
    const device = this.#devices.ofUnit(unitId);
    if (device !== undefined) this.#deviceEvent(device, "answered");
  }

  suspect(unitId: number): void {
    const device = this.#devices.ofUnit(unitId);
    if (device === undefined) return;
    const minutes = SUSPECT_MS / 60_000;
    this.#log.warning(
      `${device.config.name}: replies come that were not asked for; for ${minutes} min it is asked less often, so that none is mistaken`,
    );
  }

  lookForOverload(nowMs: number): void {
    this.#overload.look(this.#schedule, this.#devices, nowMs);
  }

  meters(): ReadonlyMap<number, DeviceMeter> {
    return this.#devices.meters();
  }

  missedPeriods(): number {
    return Math.floor(this.#schedule.missedPeriods);
  }

  devices(): readonly DeviceReport[] {
    return this.#devices.report();
  }

  #apply(entry: ReadEntry, verdict: Verdict, outcome: ReadOutcome): void {
    const { key } = entry;
    const { atMs } = outcome;
    const device = this.#devices.of(entry.read.device.name);
    if (verdict.kind !== "unpadded") entry.good = verdict.kind === "good";
    if (!entry.good) entry.goodInRow = 0;
    switch (verdict.kind) {
      case "good":
        this.#deviceEvent(device, "answered");
        this.#deliver(entry, outcome);
        this.#schedule = finished(this.#schedule, key, atMs);
        this.#join(entry, atMs);
        return;
      case "again":
        if (verdict.answered) this.#deviceEvent(device, "answered");
        this.#schedule = retried(this.#schedule, key, atMs + verdict.afterMs);
        return;
      case "unpadded":
        if (outcome.kind === "exception") this.#deviceEvent(device, "answered");
        return;
      case "split":
        this.#deviceEvent(device, "answered");
        this.#split(entry, atMs);
        return;
      case "refused":
        this.#deviceEvent(device, "answered");
        this.#refuse(entry, verdict.status, atMs);
        return;
      case "bad":
        this.#schedule = finished(this.#schedule, key, atMs);
        if (verdict.answered) this.#deviceEvent(device, "answered");
        this.#tell(entry.read.tags, verdict.status, atMs);
        if (!verdict.answered) this.#deviceEvent(device, "failed");
    }
  }

  /** A reply of any kind ends the probing; what it says is found out by the reads that follow at once. */
  #applyToProbe(entry: ReadEntry, verdict: Verdict, outcome: ReadOutcome, costMs: number): void {
    if (verdict.kind === "unpadded") return;
    if (verdict.kind === "bad" && !verdict.answered) {
      this.#schedule = probed(this.#schedule, entry.read.device.name, outcome.atMs, costMs);
      return;
    }
    this.#deviceEvent(this.#devices.of(entry.read.device.name), "answered");
    if (verdict.kind !== "good") return;
    this.#deliver(entry, outcome);
    this.#schedule = finished(this.#schedule, entry.key, outcome.atMs);
  }

  #deliver(entry: ReadEntry, outcome: ReadOutcome): void {
    assert(outcome.kind === "data", "a good verdict without data");
    entry.proven = true;
    if (entry.slow) {
      entry.slow = false;
      this.#schedule = slowed(this.#schedule, entry.key, entry.read.periodMs, outcome.atMs);
    }
    const readings = readingsOf(entry.read, outcome.data).filter(({ tag }) => isTold(tag, entry));
    entry.goodInRow += 1;
    this.#sink.read(readings, outcome.atMs);
  }

  #split(entry: ReadEntry, atMs: number): void {
    const halves = this.#reads.split(entry, atMs).map(scheduledRead);
    this.#schedule = replaced(this.#schedule, entry.key, halves, atMs);
  }

  #join(entry: ReadEntry, atMs: number): void {
    const block = this.#reads.joinable(entry, atMs);
    if (block === undefined) return;
    const { whole, pieces } = this.#reads.join(block);
    const keys = pieces.map((piece) => piece.key);
    this.#schedule = joined(this.#schedule, keys, scheduledRead(whole));
  }

  #refuse(entry: ReadEntry, status: Status, atMs: number): void {
    if (!entry.slow) {
      const ids = entry.read.tags.map((tag) => tag.id).join(", ");
      this.#log.warning(`${ids}: ${STATUSES[status].words}; asked again every ${REFUSED_PERIOD_MS / 1_000} s`);
    }
    entry.slow = true;
    this.#schedule = slowed(this.#schedule, entry.key, REFUSED_PERIOD_MS, atMs);
    this.#tell(entry.read.tags, status, atMs);
  }

  /** The line was lent and is back: this is the first that is known of the device. */
  #endLending({ config: { name }, state }: LineDevice, event: DeviceEvent): void {
    if (!this.#lent.has(name) || (event === "lineBack" && state.phase !== "probing")) return;
    this.#lent.delete(name);
    if (event !== "answered") this.#sink.presence(name, "lost", this.#clock.monotonicMs());
  }

  #deviceEvent(device: LineDevice, event: DeviceEvent): void {
    const { name, lostAfter } = device.config;
    this.#endLending(device, event);
    const [state, effects] = onDeviceEvent(device.state, event, lostAfter);
    device.state = state;
    const nowMs = this.#clock.monotonicMs();
    for (const effect of effects) {
      switch (effect) {
        case "tellLost":
          if (event !== "lineLost")
            this.#log.warning(`${name} is lost: no answer; asked now and then until it is back`);
          this.#sink.presence(name, "lost", nowMs);
          break;
        case "tellOnline":
          this.#log.notice(`${name} answers again`);
          this.#sink.presence(name, "online", nowMs);
          break;
        case "probe":
          this.#schedule = deviceLost(this.#schedule, name, this.#reads.cheapest(device.config).key, nowMs);
          break;
        case "serve":
          this.#reads.forgetPadding(device.config);
          this.#schedule = deviceReturned(this.#schedule, name, nowMs);
          break;
      }
    }
  }

  #tell(tags: readonly RegisterTag[], status: Status, atMs: number): void {
    const readings: readonly Reading[] = tags.map((tag) => ({ tag, value: undefined, status }));
    this.#sink.read(readings, atMs);
  }
}

function learnt(padding: Padding, steps: number, verdict: Verdict, outcome: ReadOutcome): Padding {
  if (verdict.kind === "good") return paddingWorked(padding, steps);
  if (verdict.kind !== "unpadded") return padding;
  return outcome.kind === "silence" ? paddingUnanswered(padding) : paddingRefused(padding, steps);
}
