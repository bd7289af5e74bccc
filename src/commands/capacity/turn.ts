/** What of a configuration is read together, and how often: what comes of one turn goes out as one message. Pure. */
import type { Config, InputConfig, LineConfig } from "../../config/config.ts";
import type { Tag } from "../../core/tag.ts";
import { selfDevice } from "../../diagnostics/self-tags.ts";
import { predictLine } from "../../sources/modbus/budget.ts";
import { defaultMaxGap, planReads } from "../../sources/modbus/poll-plan.ts";

/** What is assumed of a tag: as much as of all the plant, that each look finds it changed, or that none does. */
export type Motion = "as asked" | "always" | "never";

export interface TurnTag {
  readonly tag: Tag;
  /** It is told in each n-th turn. */
  readonly every: number;
  readonly motion: Motion;
}

export interface Turn {
  readonly device: string;
  /** The line it is read on; absent: no line. */
  readonly line?: string;
  readonly periodMs: number;
  readonly tags: readonly TurnTag[];
}

const SELF_PERIOD_MS = 10_000;
/** Counts of what goes on in any healthy gateway. */
const ALWAYS_MOVES = /^(?:devices\/[^/]+\/(?:requests|replies)|process\/uptimeS)$/;
/** Counts of faults, states in words, and what changes once a day stand still while all is well. */
const STANDS_STILL = new RegExp(
  `^(?:${[
    "uplinks/[^/]+/(?:state|oldest|replayed|dropped|certificateDays)",
    "lines/[^/]+/(?:fault|missedPeriods|foreignFrames|noiseBytes)",
    "devices/[^/]+/(?:timeouts|crcErrors|framingErrors|foreignFrames|lateFrames|exceptions)",
    "outbox/(?:health|incident|bytes)",
    "clock/state",
  ].join("|")})$`,
);
/** What wavers with the load of the board: as lively as the plant. */
const WAVERS =
  /^(?:uplinks\/[^/]+\/depth|lines\/[^/]+\/utilisation|devices\/[^/]+\/responseTime(?:P50|P99)?Ms|outbox\/writtenBytesPerDay|process\/(?:rssBytes|loopDelayMs)|board\/temperatureC)$/;

/** Told when there is something to tell, and never looked at. */
const OCCASIONAL = ["commands/result", "events"];

/** Undefined: nobody has said of this tag of the gateway's how it moves. */
export function motionOfSelf(name: string): Motion | undefined {
  if (ALWAYS_MOVES.test(name)) return "always";
  if (STANDS_STILL.test(name)) return "never";
  return WAVERS.test(name) ? "as asked" : undefined;
}

/** All turns of a gateway, its own tags the last; what is switched off has none. */
export function turnsOf(config: Config): readonly Turn[] {
  return [...config.lines.flatMap(lineTurns), ...config.inputs.flatMap(inputTurn), selfTurn(config)];
}

/** An overloaded line is read as much less often as it is overloaded. */
function lineTurns(line: LineConfig): readonly Turn[] {
  const { stretch } = predictLine(line);
  const maxGap = defaultMaxGap(line);
  return line.devices.flatMap((device) =>
    planReads(device, maxGap).map(({ periodMs, tags }) => ({
      device: device.name,
      line: line.name,
      periodMs: periodMs * stretch,
      tags: tags.map((tag) => turnTag(tag, periodMs, "as asked")),
    })),
  );
}

function inputTurn(input: InputConfig): readonly Turn[] {
  if (!input.enabled) return [];
  const { device, scanRateMs: periodMs } = input;
  return [{ device, periodMs, tags: [turnTag(input, periodMs, "as asked")] }];
}

function selfTurn(config: Config): Turn {
  const { name: device, tags } = selfDevice(config);
  const looked = tags.filter((tag) => !OCCASIONAL.includes(tag.name));
  const told = looked.map((tag) => turnTag(tag, SELF_PERIOD_MS, motionOfSelf(tag.name) ?? "as asked"));
  return { device, periodMs: SELF_PERIOD_MS, tags: told };
}

function turnTag(tag: Tag, periodMs: number, motion: Motion): TurnTag {
  return { tag, every: Math.max(1, Math.floor(tag.scanRateMs / periodMs)), motion };
}
