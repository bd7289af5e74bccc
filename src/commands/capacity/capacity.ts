/** What a gateway of this configuration will read, send, keep and take of its board. Pure. */
import type { Config, LineConfig, UplinkConfig } from "../../config/config.ts";
import { predictLine } from "../../sources/modbus/budget.ts";
import { roomOf, type Space } from "../../store/retention.ts";
import { storedBytes } from "../../store/stored-size.ts";
import { WINDOW_MAX_BYTES } from "../../uplinks/rolling-window.ts";
import { madeOutage } from "./made-outage.ts";
import { DRAIN_BYTES, footprintOf, HANDSHAKE_BYTES, UNIT_MEMORY_MAX_BYTES } from "./measured.ts";
import { trafficOf } from "./network.ts";
import { steadyOf } from "./steady.ts";
import { type Turn, turnsOf } from "./turn.ts";
import { type UplinkLoad, uplinkLoad } from "./uplink-load.ts";
import { type UplinkWords, uplinkWords } from "./uplink-words.ts";

export interface Capacity {
  readonly intake: {
    readonly lines: readonly LineIntake[];
    readonly inputs: Intake;
    /** The gateway's own tags. */
    readonly gateway: Intake;
    readonly all: Intake;
  };
  readonly uplinks: readonly UplinkCapacity[];
  readonly outbox: {
    /** What blocks may fill. */
    readonly roomBytes: number;
    readonly maxAgeMs: number;
    readonly keeps: readonly OutboxCapacity[];
    /** Uplinks for which less is kept; where all changes. */
    readonly less: readonly HistoryCapacity[];
  };
  readonly board: {
    readonly rssBytes: number;
    /** While a backlog drains, with all that Sparkplug hosts may have missed. */
    readonly rssMostBytes: number;
    readonly memoryMaxBytes: number;
    /** Percent of one core of the machine that was measured. */
    readonly cpu: number;
  };
}

export interface Intake {
  readonly tags: number;
  /** Values that are read, changed or not. */
  readonly valuesPerS: number;
}

export interface LineIntake extends Intake {
  readonly line: string;
  /** Percent of the line; above 100 it cannot be carried, and the values are those that it can. */
  readonly utilisation: number;
}

export interface UplinkCapacity {
  readonly uplink: string;
  readonly format: UplinkConfig["format"];
  /** Bytes on the network from the connect until data may follow, both ways. */
  readonly connectBytes: number;
  readonly loads: readonly (UplinkLoad & { readonly share: number })[];
}

export interface OutboxCapacity {
  readonly share: number;
  readonly samplesPerS: number;
  readonly bytesPerSample: number;
  readonly bytesPerDay: number;
  /** Until the oldest must go. */
  readonly days: number;
  /** For its age; else because there is no more room. */
  readonly isByAge: boolean;
}

export interface HistoryCapacity {
  readonly uplink: string;
  /** 0: its history is off. */
  readonly days: number;
  readonly isByAge: boolean;
}

const DAY_S = 86_400;
const DAY_MS = DAY_S * 1_000;
const OWN_DEVICE = "gateway";
/** What the card holds is not known. */
export const ANY_CARD: Space = { pagesBytes: 0, fileBytes: 0, partition: undefined };
/** All values change at each look; none ever does. */
export const ALL = 1;
export const NONE = 0;

/** @param share of all looks that find another value, beyond its deadband: told beside all and none */
export function capacityOf(config: Config, share: number): Capacity {
  const turns = turnsOf(config);
  const intake = intakeOf(config, turns);
  const shares = [...new Set([ALL, share, NONE])].sort((a, b) => b - a);
  const uplinks = config.uplinks.map((uplink) => {
    const words = uplinkWords(config, uplink);
    return {
      uplink: uplink.name,
      format: uplink.format,
      connectBytes: connectBytesOf(words),
      loads: shares.map((each) => ({ share: each, ...uplinkLoad(uplink, words, turns, each) })),
    };
  });
  const { maxAgeMs } = config.outbox;
  const roomBytes = roomOf(config.outbox, ANY_CARD);
  const keeps = shares.filter((each) => each !== NONE).map((each) => outboxOf(turns, each, roomBytes, maxAgeMs));
  const outbox = { roomBytes, maxAgeMs, keeps, less: lessKept(config, keeps) };
  const board = boardOf(config, intake.all);
  return { intake, uplinks, outbox, board };
}

function intakeOf({ lines }: Config, turns: readonly Turn[]): Capacity["intake"] {
  const ofLines = lines.map((line) => lineIntake(line, turns));
  const isOwn = ({ device }: Turn) => device === OWN_DEVICE;
  return {
    lines: ofLines,
    inputs: intakeOfTurns(turns.filter((turn) => turn.line === undefined && !isOwn(turn))),
    gateway: intakeOfTurns(turns.filter(isOwn)),
    all: intakeOfTurns(turns),
  };
}

function lineIntake(line: LineConfig, turns: readonly Turn[]): LineIntake {
  const { utilisation } = predictLine(line);
  return { line: line.name, utilisation, ...intakeOfTurns(turns.filter((turn) => turn.line === line.name)) };
}

function intakeOfTurns(turns: readonly Turn[]): Intake {
  const tags = sum(turns.map((turn) => turn.tags.length));
  const perTurn = (turn: Turn) => sum(turn.tags.map(({ every }) => 1 / every));
  return { tags, valuesPerS: sum(turns.map((turn) => (perTurn(turn) * 1_000) / turn.periodMs)) };
}

function connectBytesOf({ question, greeting }: UplinkWords): number {
  // At QoS 0 the births of the node and of one device come back, to show that they were routed.
  const echo = question !== undefined ? sum(greeting.slice(0, 2).map(({ bytes }) => bytes)) : 0;
  return HANDSHAKE_BYTES + sum(greeting.map((packet) => trafficOf(packet).networkBytes)) + echo;
}

function outboxOf(turns: readonly Turn[], share: number, roomBytes: number, maxAgeMs: number): OutboxCapacity {
  const perTurn = (turn: Turn) => sum(steadyOf(turn, share).samples);
  const samplesPerS = sum(turns.map((turn) => (perTurn(turn) * 1_000) / turn.periodMs));
  const outage = madeOutage(turns, share, samplesPerS);
  const bytesPerSample = storedBytes(outage) / Math.max(1, outage.length);
  const bytesPerDay = samplesPerS * bytesPerSample * DAY_S;
  return { share, samplesPerS, bytesPerSample, bytesPerDay, ...lasting(roomBytes, bytesPerDay, maxAgeMs) };
}

function lasting(roomBytes: number, bytesPerDay: number, maxAgeMs: number) {
  const [bySize, byAge] = [roomBytes / bytesPerDay, maxAgeMs / DAY_MS];
  const isByAge = byAge <= bySize;
  return { days: isByAge ? byAge : bySize, isByAge };
}

function lessKept({ uplinks }: Config, keeps: readonly OutboxCapacity[]): readonly HistoryCapacity[] {
  const all = keeps.find(({ share }) => share === ALL);
  if (all === undefined) return [];
  return uplinks.flatMap(({ name: uplink, history }) => {
    if (!history.enabled) return [{ uplink, days: 0, isByAge: false }];
    const own = lasting(history.maxSizeBytes, all.bytesPerDay, history.maxAgeMs);
    return own.days < all.days ? [{ uplink, ...own }] : [];
  });
}

function boardOf({ uplinks }: Config, { tags, valuesPerS }: Intake): Capacity["board"] {
  const { rssBytes, cpu } = footprintOf(tags, valuesPerS);
  const windows = uplinks.filter(({ format }) => format === "sparkplug").length * WINDOW_MAX_BYTES;
  return { rssBytes, rssMostBytes: rssBytes + DRAIN_BYTES + windows, memoryMaxBytes: UNIT_MEMORY_MAX_BYTES, cpu };
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
