/**
 * The authority: the last read of every tag, and the one place that decides what is reported.
 *
 *     Reading ──► range, NaN ──► stamp ──► last read ──► status changed? beyond deadband? maxInterval over? ──► Sample
 *
 * Nothing is lost on the way: what is suppressed lies within the deadband of what was reported, and goes out as the
 * read before when a jump follows, so that whoever draws a line between samples draws the true one.
 */
import type { Clock, Timer } from "../core/clock.ts";
import { AssertionFailure } from "../core/errors.ts";
import type { ClockTrust, KnownTime } from "../core/known-time.ts";
import type { Log } from "../core/log.ts";
import type { Status } from "../core/quality.ts";
import type { Tag, Value } from "../core/tag.ts";
import type { CurrentValues, Device, Intake, Presence, Reading, Sample, TagSink, UndatedSample } from "../pipeline.ts";
import { beyondDeadband } from "./deadband.ts";
import { isNotANumber, statusInRange } from "./range.ts";
import { isOverdue, isUsable } from "./staleness.ts";
import { type Epochs, Stamps } from "./stamps.ts";

/** How often all tags are looked at for age: a value is told as old at most this long after it became so. */
const SWEEP_INTERVAL_MS = 1_000;

export interface TagTableOptions {
  readonly devices: readonly Device[];
  readonly intake: Intake;
  readonly clock: Clock;
  readonly epochs: Epochs;
  readonly log: Log;
  /** Absent: the clock is good. */
  readonly time?: KnownTime;
}

export interface TagTable extends TagSink, CurrentValues {
  /**
   * These are the devices from now on. Those in `kept` go on with the values of the tags they had; all others begin
   * anew, BadWaitingForInitialData: what was read under another configuration proves nothing.
   */
  reconfigure(devices: readonly Device[], kept: ReadonlySet<string>): void;
  /** Stamps the first status of every tag and begins to watch for age. */
  start(): void;
  stop(): void;
  /** The best-known time became the right one, by so much; or the time that is taken for it. */
  clockSettled(shiftMs: number, mustRaiseEpoch: boolean): void;
}

/** Every tag begins BadWaitingForInitialData (a disabled one BadOutOfService), stamped by start(). */
export function createTagTable(options: TagTableOptions): TagTable {
  return new Table(options);
}

interface DeviceState {
  readonly tags: TagState[];
  lost: boolean;
  revision: number;
}

/** Monotonic where the name ends in AtMs; stampMs is wall time, as well as it is known. */
interface TagState {
  readonly tag: Tag;
  readonly device: DeviceState;
  value: Value;
  status: Status;
  stampMs: number;
  epoch: number;
  /** Of the last read, good or not. Where the status is still usable, that was the last good one. */
  readAtMs: number;
  reportedValue: Value;
  reportedAtMs: number;
  /** The last read was within the deadband and has not been reported. */
  suppressed: boolean;
}

class Table implements TagTable {
  readonly #intake: Intake;
  readonly #clock: Clock;
  readonly #stamps: Stamps;
  readonly #time: KnownTime | undefined;
  #deviceList: readonly Device[] = [];
  readonly #devices = new Map<string, DeviceState>();
  readonly #tags = new Map<string, TagState>();
  /** What the running call has found to report; it goes out in one piece at its end. */
  #found: Sample[] = [];
  #sweep: Timer | undefined;

  constructor(options: TagTableOptions) {
    this.#intake = options.intake;
    this.#clock = options.clock;
    this.#time = options.time;
    this.#stamps = new Stamps(options.clock, options.epochs, options.log);
    this.#adopt(options.devices, new Set(), options.clock.wallMs());
  }

  reconfigure(devices: readonly Device[], kept: ReadonlySet<string>): void {
    this.#stamps.observe();
    // Within an epoch the stamps of a tag rise, also over a removal and a return.
    const ofThisEpoch = [...this.#tags.values()].filter(({ epoch }) => epoch === this.#stamps.epoch);
    const lastMs = ofThisEpoch.reduce((latest, { stampMs }) => Math.max(latest, stampMs), 0);
    this.#adopt(devices, kept, Math.max(this.#stamps.at(this.#clock.monotonicMs()), lastMs + 1));
  }

  /**
   * The first status is a fact of the snapshot, not a sample: every uplink gets the snapshot when it connects, and
   * the outbox stays free of a row per tag and start. The first read is the first sample.
   */
  start(): void {
    this.#stamps.observe();
    const stampMs = this.#stamps.at(this.#clock.monotonicMs());
    for (const state of this.#tags.values()) {
      state.stampMs = stampMs;
      state.epoch = this.#stamps.epoch;
    }
    this.#scheduleSweep();
  }

  stop(): void {
    this.#sweep?.cancel();
    this.#sweep = undefined;
  }

  clockSettled(shiftMs: number, mustRaiseEpoch: boolean): void {
    this.#stamps.settled(shiftMs, mustRaiseEpoch);
    const trust = this.#trust();
    for (const state of this.#tags.values()) {
      state.stampMs += shiftMs;
      state.status = trusted(state.status, trust);
    }
    for (const device of this.#devices.values()) device.revision += 1;
  }

  read(readings: readonly Reading[], monotonicMs: number): void {
    this.#stamps.observe();
    const stampMs = this.#stamps.at(monotonicMs);
    const trust = this.#trust();
    for (const { tag, value, status } of readings) {
      const state = this.#tags.get(tag.id);
      if (state === undefined) throw new AssertionFailure(`reading of unknown tag ${tag.id}`);
      state.readAtMs = monotonicMs;
      this.#settle(state, trusted(judge(tag, value, status), trust), keptValue(state, value), stampMs, monotonicMs);
    }
    this.#takeIn();
  }

  presence(name: string, presence: Presence, monotonicMs: number): void {
    const device = this.#devices.get(name);
    if (device === undefined) throw new AssertionFailure(`presence of unknown device ${name}`);
    device.lost = presence === "lost";
    // Coming back proves nothing about any register: the reads that follow do.
    if (presence === "online") return;
    const status = presence === "lost" ? "BadNoCommunication" : "BadOutOfService";
    this.#stamps.observe();
    for (const state of device.tags) {
      if (state.tag.enabled) this.#turn(state, status, monotonicMs);
    }
    this.#takeIn();
  }

  epoch(): number {
    return this.#stamps.epoch;
  }

  devices(): readonly Device[] {
    return this.#deviceList;
  }

  snapshot(name: string): readonly Sample[] {
    return this.#devices.get(name)?.tags.map(sampleOf) ?? [];
  }

  revision(name: string): number {
    return this.#devices.get(name)?.revision ?? 0;
  }

  isLost(name: string): boolean {
    return this.#devices.get(name)?.lost ?? false;
  }

  isUnsynced(): boolean {
    return this.#trust() === "none";
  }

  #adopt(devices: readonly Device[], kept: ReadonlySet<string>, stampMs: number): void {
    const oldDevices = new Map(this.#devices);
    const oldTags = new Map(this.#tags);
    this.#deviceList = devices;
    this.#devices.clear();
    this.#tags.clear();
    for (const { name, tags } of devices) {
      const old = oldDevices.get(name);
      const isKept = kept.has(name);
      const device: DeviceState = { tags: [], lost: isKept && old?.lost === true, revision: (old?.revision ?? -1) + 1 };
      this.#devices.set(name, device);
      for (const tag of tags) {
        const known = isKept ? oldTags.get(tag.id) : undefined;
        const state =
          known === undefined ? unread(tag, device, stampMs, this.#stamps.epoch) : { ...known, tag, device };
        device.tags.push(state);
        this.#tags.set(tag.id, state);
      }
    }
  }

  #scheduleSweep(): void {
    this.#sweep = this.#clock.after(SWEEP_INTERVAL_MS, () => {
      this.#ageTags();
      this.#scheduleSweep();
    });
  }

  #ageTags(): void {
    // Also without a single read a step of the clock is seen within one sweep.
    this.#stamps.observe();
    const nowMs = this.#clock.monotonicMs();
    for (const state of this.#tags.values()) {
      if (isUsable(state.status) && isOverdue(state.readAtMs, state.tag.staleMs, nowMs)) {
        this.#turn(state, "UncertainLastUsableValue", nowMs);
      }
    }
    this.#takeIn();
  }

  /** A status that changes without a read: the last value stays, the stamp is that of the change. */
  #turn(state: TagState, status: Status, monotonicMs: number): void {
    if (state.status === status) return;
    this.#settle(state, status, state.value, this.#stamps.at(monotonicMs), monotonicMs);
  }

  /** Makes this the last read, and finds what must be reported of it. */
  #settle(state: TagState, status: Status, value: Value, stampMs: number, monotonicMs: number): void {
    const { tag, device } = state;
    const jump = status !== state.status || beyondDeadband(state.reportedValue, value, tag.deadband);
    if (jump && state.suppressed) this.#found.push({ ...sampleOf(state), readBefore: true });

    const { epoch } = this.#stamps;
    state.stampMs = state.epoch === epoch ? Math.max(stampMs, state.stampMs + 1) : stampMs;
    state.epoch = epoch;
    state.status = status;
    state.value = value;
    device.revision += 1;

    const due = !device.lost && monotonicMs - state.reportedAtMs >= tag.maxIntervalMs;
    state.suppressed = !jump && !due;
    if (state.suppressed) return;
    state.reportedValue = value;
    state.reportedAtMs = monotonicMs;
    this.#found.push(sampleOf(state));
  }

  #takeIn(): void {
    if (this.#found.length === 0) return;
    const samples = this.#found;
    this.#found = [];
    const time = this.#time;
    this.#intake.append(time?.trust() === "none" ? samples.map((sample) => undated(sample, time.offsetMs())) : samples);
  }

  #trust(): ClockTrust {
    return this.#time?.trust() ?? "good";
  }
}

function unread(tag: Tag, device: DeviceState, stampMs: number, epoch: number): TagState {
  return {
    tag,
    device,
    value: null,
    status: tag.enabled ? "BadWaitingForInitialData" : "BadOutOfService",
    stampMs,
    epoch,
    readAtMs: 0,
    reportedValue: null,
    reportedAtMs: 0,
    suppressed: false,
  };
}

function keptValue(state: TagState, read: Value | undefined): Value {
  if (read === undefined) return state.value;
  return isNotANumber(read) ? null : read;
}

function judge(tag: Tag, value: Value | undefined, status: Status): Status {
  // Good is said of a value that was just read, never of one that was kept.
  if (value === undefined) return status === "Good" ? "BadUnexpectedError" : status;
  return isNotANumber(value) ? "BadOutOfRange" : statusInRange(tag, value, status);
}

/** What is stamped by a time that nobody vouches for is not Good. */
function trusted(status: Status, trust: ClockTrust): Status {
  return status === "Good" && trust === "waited" ? "UncertainLastUsableValue" : status;
}

function undated(sample: Sample, offsetMs: number): UndatedSample {
  const { tag, value, status, sourceTimestampMs, epoch, readBefore } = sample;
  const found = { tag, value, status, bootMs: sourceTimestampMs - offsetMs, epoch };
  return readBefore === undefined ? found : { ...found, readBefore };
}

function sampleOf(state: TagState): Sample {
  return {
    tag: state.tag,
    value: state.value,
    status: state.status,
    sourceTimestampMs: state.stampMs,
    epoch: state.epoch,
  };
}
