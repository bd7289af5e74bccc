/**
 * The way of the data, as types. Stages know this file and core/, never each other; gateway.ts joins them.
 *
 *     sources ──Reading[]──► tags ──Sample[]──► outbox ──Batch──► uplinks ──Message──► transport
 *     (modbus, gpio)      (authority)        (numbers them)    (one per broker, each with its own progress)
 *                              └──── snapshot() on every (re)connect ────┘
 *
 * There is one path, in an outage and out of it: every sample goes through the outbox, and being online only
 * means that the uplinks drain it at once.
 * Words: a *reading* is what a source found out, a value or a failure to get one. The tag table stamps it; where it
 * must be reported it becomes a *sample* and is *taken in*. The outbox gives it a *number*. An uplink's *progress*
 * is the set of numbers that its broker has not acknowledged.
 */
import type { CountKeeper } from "./core/kept-count.ts";
import type { BootOffset } from "./core/known-time.ts";
import type { Status } from "./core/quality.ts";
import type { Tag, TagRef, Value } from "./core/tag.ts";

// ── sources → tags ──────────────────────────────────────────────────────────────────────────────────────────────

/** What a source found out about one tag. Failure is data: a read that failed is a Reading with a Bad status. */
export interface Reading {
  readonly tag: Tag;
  /** In engineering units. `undefined`: nothing new, keep the last value for information. `null`: there is none. */
  readonly value: Value | undefined;
  readonly status: Status;
}

/** `lost`: every tag turns BadNoCommunication at once. `outOfService`: its line is lent to a tool. Disabled tags begin so, untold. */
export type Presence = "online" | "lost" | "outOfService";

export interface TagSink {
  /** All readings of one reply, or of one failure, with the monotonic time at which it came. */
  read(readings: readonly Reading[], monotonicMs: number): void;
  presence(device: string, presence: Presence, monotonicMs: number): void;
}

/** A line with its devices, or the inputs. It turns every fault of its world into readings and never throws. */
export interface Source {
  start(): void;
  /** Resolves when nothing more will be read and every file is closed. */
  stop(): Promise<void>;
}

// ── tags → outbox, tags → uplinks ───────────────────────────────────────────────────────────────────────────────

/** Identity is (epoch, tag, sourceTimestampMs); within an epoch a tag's stamps strictly increase. */
export interface Sample {
  readonly tag: TagRef;
  readonly value: Value;
  readonly status: Status;
  /** When the device answered: milliseconds since the Unix epoch, UTC, whole. */
  readonly sourceTimestampMs: number;
  readonly epoch: number;
  /** The suppressed read before a jump, sent so that slopes are true. It belongs into the message of the next sample. */
  readonly readBefore?: true;
}

/**
 * A sample of a time at which nobody knew the time: it cannot be sent, because it has no UTC. The outbox dates it once
 * the clock is settled; it keeps its epoch.
 */
export interface UndatedSample extends Omit<Sample, "sourceTimestampMs"> {
  /** When the device answered: monotonic time of the running kernel, whole milliseconds. */
  readonly bootMs: number;
}

export interface Device {
  readonly name: string;
  readonly tags: readonly Tag[];
}

/** The authority: what is true now. */
export interface CurrentValues {
  epoch(): number;
  devices(): readonly Device[];
  /** The last read of every tag of the device, taken in or not, in the order of Device.tags. */
  snapshot(device: string): readonly Sample[];
  /** Rises with every read or change of any tag of the device. */
  revision(device: string): number;
  /** The device does not answer. */
  isLost(device: string): boolean;
  /** Nobody knows the time yet: all stamps are the best-known ones, and will be others. */
  isUnsynced(): boolean;
}

// ── outbox → uplinks ────────────────────────────────────────────────────────────────────────────────────────────

/** Whole numbers from `from` to `to`, both inclusive; `to` may be Infinity. */
export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface NumberedSample extends Sample {
  readonly number: number;
  /** Monotonic time of being taken in; absent once the sample comes from the file, and where it was dated later. */
  readonly takenInMs?: number;
  readonly unsynced?: never;
}

/**
 * An undated sample as it may be shown, with the best-known time: it has no identity, it is live or nothing, and an
 * acknowledgement of it counts for nothing. The sample itself follows as history once it is dated.
 */
export interface UnsyncedCopy extends Omit<NumberedSample, "unsynced"> {
  readonly unsynced: true;
}

/**
 * The samples with numbers in `covers`, by number. Acknowledge `covers`, not the samples' own numbers:
 * a number without a sample was given up (and declared as a Loss) or never stored.
 */
export interface Batch {
  readonly covers: Range;
  readonly samples: readonly NumberedSample[];
}

/** What is to be shown at once, with copies of what cannot be dated yet. */
export interface LiveBatch {
  readonly covers: Range;
  readonly samples: readonly (NumberedSample | UnsyncedCopy)[];
}

/** Why samples are missing; on the wire as the `reason` of BadDataLost. */
export type LossReason = "unclean stop" | "outbox full" | "too old" | "damaged file" | "type changed" | "history off";

/**
 * Samples an uplink did not and will not get. Kept until that uplink's broker has acknowledged it. It reaches in the
 * order of identities, from (epoch, fromMs) to (toEpoch, toMs), both inclusive.
 */
export interface Loss {
  readonly id: number;
  readonly reason: LossReason;
  /** 0: the first is not known. */
  readonly epoch: number;
  readonly toEpoch: number;
  /** First and last possible sourceTimestampMs, as long as no clock was stepped back between them. */
  readonly fromMs: number;
  readonly toMs: number;
  /** count null: not known, possibly none. */
  readonly tags: readonly { readonly tag: TagRef; readonly count: number | null }[];
}

/** A place in the order of identities: the greater epoch is later, whatever the clock said. */
export interface Moment {
  readonly epoch: number;
  readonly ms: number;
}

/** What the tag table sees of the outbox. */
export interface Intake {
  /** Takes samples in, numbering them in order. Never throws, never waits, never refuses the newest. */
  append(samples: readonly (Sample | UndatedSample)[]): void;
}

/** What one uplink sees of the outbox: its own progress, and nobody else's. */
export interface UplinkQueue {
  /** The newest number an uplink may send; the cut of a snapshot. 0 before the first sample. */
  newest(): number;
  /** Up to this number all samples are dated. `read` goes no further; `readLive` gives copies of those that are not. */
  dated(): number;
  /** Not acknowledged, ascending, disjoint, the last one open (`to` Infinity). At most 64. */
  pending(): readonly Range[];
  /** Numbers not acknowledged: samples, and such as were given up and that no acknowledged batch has covered yet. */
  depth(): number;
  /** Source time of the oldest waiting sample, UTC ms; undefined when none waits or it is not known. */
  oldestMs(): number | undefined;
  /**
   * The next pending samples with numbers in [from, to], lowest first, at most `maxSamples` of them.
   * Removes nothing. `covers` reaches as far as is certain; an empty batch with covers.to === to means there is none.
   * A file that cannot be read makes it wait, tell so, and resolve with covers.to === from - 1: ask again at once.
   */
  read(from: number, to: number, maxSamples: number): Promise<Batch>;
  /** The same, also of what is not dated yet. */
  readLive(from: number, to: number, maxSamples: number): Promise<LiveBatch>;
  /** Everything in the range has been acknowledged by this uplink's broker. What is not dated stays pending. */
  acknowledge(range: Range): void;
  /** Takes back acknowledgements (a Sparkplug host that lost data): numbers from here on, as far as still held. */
  rewind(from: number): void;
  losses(): readonly Loss[];
  acknowledgeLoss(id: number): void;
  /**
   * Called whenever there may be more to read: once per append, or, with commitInterval 0, once per commit that shows
   * more. Returns the way to stop it.
   */
  onAppend(listener: () => void): () => void;
}

export type OutboxHealth = "ok" | "slow" | "full" | "failing";

export interface OutboxReport {
  /** Samples taken in since the start. */
  readonly takenIn: number;
  readonly newest: number;
  /** Below this number every uplink has passed. */
  readonly released: number;
  readonly committed: number;
  readonly memorySamples: number;
  readonly fileBytes: number;
  readonly writtenBytes: number;
  readonly dropped: number;
  readonly health: OutboxHealth;
  readonly healthReason: string;
  /** What was last found amiss with the files in this run; empty while all was in order. */
  readonly incident: string;
}

/** An uplink as the outbox knows it: its name owns its progress. */
export interface ConfiguredUplink {
  readonly name: string;
  /** Where a new name begins. */
  readonly startAt: "now" | "oldest";
  /** Of what waits for it in the file. Absent: the limits of the outbox alone. */
  readonly history?: HistoryLimits;
}

/** Ages are running time of the gateway. */
export interface HistoryLimits {
  readonly maxAgeMs: number;
  readonly maxSizeBytes: number;
}

/** `samples`: how many waited. */
export type Forgotten = { readonly samples: number } | { readonly refused: string };

export interface Outbox extends Intake {
  /**
   * These are the configured uplinks and tags from now on. A new name starts as it says; what others left is parked,
   * as after a start without them.
   */
  reconfigure(uplinks: readonly ConfiguredUplink[], tags: readonly TagRef[]): void;
  /** The queue of one uplink; a new name starts now, or with the oldest sample held. */
  uplink(name: string, startAt: "now" | "oldest"): UplinkQueue;
  report(): OutboxReport;
  /**
   * Drops what an uplink that is configured no more still waits for, and what it was not told. Stored when it resolves;
   * refuses with the reason.
   */
  forget(name: string): Promise<Forgotten>;
  /**
   * Dates all undated samples of this kernel boot. In force once it is on the card, which is tried before this resolves
   * and again until it succeeds; never rejects. The first offset of a boot stands.
   */
  date(offset: BootOffset): Promise<void>;
  /** Commits what is not acknowledged and marks the stop as clean. */
  close(): Promise<void>;
}

// ── state kept apart from the outbox ────────────────────────────────────────────────────────────────────────────

/** Small facts that must survive: state.db. All writes are on the card when the promise resolves. */
export interface StateStore extends CountKeeper {
  /**
   * The time is known, or taken for it. Resolves when all that begins with it is stored, as far as the card takes it.
   * @returns whether the epoch must rise, because it began at a guess of the time
   */
  clockSettled(nowMs: number, isCertain: boolean): Promise<boolean>;
  /** The epoch of this start. Rises at every start. */
  epoch(): number;
  /**
   * The next epoch, after a backward clock step. Never given twice in a life, nor after a crash as long as the card
   * takes writes: on one that refuses, steps go on above what is stored rather than stop.
   */
  raiseEpoch(): number;
  /** A session number above all before it, stored before it is returned. Waits for the time where none was given before. */
  nextSession(uplink: string): Promise<number>;
  /** The next bdSeq of Sparkplug, 0 to 255 and round again. Stored before it is returned, if the card takes it. */
  nextBdSeq(uplink: string): Promise<number>;
  /** Retained topics this uplink has published on this server. */
  retained(uplink: string, server: string): readonly string[];
  setRetained(uplink: string, server: string, topics: readonly string[]): Promise<void>;
}

// ── uplinks → brokers ───────────────────────────────────────────────────────────────────────────────────────────

export interface Message {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: 0 | 1;
  readonly retain: boolean;
}

export interface ConnectRequest {
  /** mqtts://host:port or wss://host:port/path */
  readonly server: string;
  readonly clientId: string;
  readonly keepAliveMs: number;
  readonly will: Message;
  /** Asked for the will, in place of `will`, once the way to the broker is secure and right before each CONNECT packet. */
  readonly willOfConnect?: () => Promise<Message>;
}

/** What the broker allows, from its CONNACK, with the protocol's defaults where it says nothing. */
export interface BrokerLimits {
  readonly maxPacketBytes: number;
  readonly maxQos: 0 | 1 | 2;
  readonly retainAvailable: boolean;
  /** MQTT 5: an acknowledgement says whether the message was taken, or why not. */
  readonly tellsReasons: boolean;
}

/** How a connection ended. */
export interface ConnectionEnd {
  /** In words, for people only. */
  readonly reason: string;
  /** The broker says that another client connected with our client id (MQTT 5.0, reason code 0x8E). */
  readonly takenOver: boolean;
}

/**
 * One MQTT connection over TLS, from CONNACK to its end. It never reconnects.
 * Publishing on a closed connection rejects; nothing is queued for later.
 */
export interface Connection {
  readonly limits: BrokerLimits;
  /** Resolves at a PUBACK that tells success (QoS 1) or when handed to the socket (QoS 0). Rejects with a reason in words. */
  publish(message: Message): Promise<void>;
  /** Filters with their QoS. Resolves with those that the broker refused. */
  subscribe(filters: Readonly<Record<string, 0 | 1>>): Promise<readonly string[]>;
  unsubscribe(filters: readonly string[]): Promise<void>;
  /** Tells every message that arrives from now on; `retain`: it was there before the subscription. */
  onMessage(listener: (message: Message) => void): void;
  /** Resolves when the broker has read all that was published before. */
  ping(): Promise<void>;
  /** Bytes handed over and not yet taken by the kernel. */
  bufferedBytes(): number;
  /** Resolves once, when the connection has ended for whatever cause. */
  readonly closed: Promise<ConnectionEnd>;
  /** DISCONNECT (the broker drops the will, or sends it with MQTT 5), then closes. Resolves when the socket is gone. */
  close(will?: "send will"): Promise<void>;
  /** Cuts the socket without a word, as the gateway does when the link is frozen; the broker sends the will. */
  destroy(): void;
}

export interface Transport {
  /** TLS, then MQTT. Rejects with a ConnectFailure. */
  connect(request: ConnectRequest): Promise<Connection>;
}

/** Why a connection could not be made, in words that a technician understands and can act on. */
export class ConnectFailure extends Error {
  constructor(reason: string) {
    super(reason);
    this.name = "ConnectFailure";
  }
}

// ── reports: what the stages tell about themselves ──────────────────────────────────────────────────────────────

export interface UplinkReport {
  readonly name: string;
  /** connected, connecting, waiting-for-host, or `failed: reason`. */
  readonly state: string;
  readonly server: string;
  readonly session: number;
  readonly depth: number;
  readonly oldestMs: number | undefined;
  /** Samples acknowledged as live and as history, since the start. */
  readonly live: number;
  readonly replayed: number;
  /** Samples this uplink was told it lost, since the start. */
  readonly dropped: number;
  readonly certificateDays: number | undefined;
  readonly certificates?: string;
}

export interface DeviceReport {
  readonly name: string;
  readonly requests: number;
  readonly replies: number;
  readonly timeouts: number;
  readonly crcErrors: number;
  readonly framingErrors: number;
  readonly foreignFrames: number;
  readonly lateFrames: number;
  readonly exceptions: number;
  /** Running average; then what half, and what 99 of 100 of the last some hundred replies were not slower than. */
  readonly responseTimeMs: number;
  readonly responseTimeP50Ms: number;
  readonly responseTimeP99Ms: number;
  readonly lost: boolean;
}

export interface LineReport {
  readonly name: string;
  readonly path: string;
  /** Empty while the port is open, else why it is not. It is none while the line is lent to a tool. */
  readonly fault: string;
  readonly lent?: true;
  /** Share of the time the line is busy, percent. */
  readonly utilisation: number;
  /** Reads that were due and not made, since the start. */
  readonly missedPeriods: number;
  /** What belongs to none of its devices: frames of other units, and bytes of no frame. */
  readonly foreignFrames: number;
  readonly noiseBytes: number;
  readonly devices: readonly DeviceReport[];
}
