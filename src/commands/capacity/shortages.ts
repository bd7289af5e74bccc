/** Where a configuration asks for more than there is, overloaded lines aside, and what to do. Pure. */
import type { Config, UplinkConfig } from "../../config/config.ts";
import { keyOf } from "../../config/document.ts";
import { sizeText } from "../../config/values.ts";
import { roomOf } from "../../store/retention.ts";
import { cloudService } from "../../uplinks/service-limits.ts";
import { ALL, ANY_CARD, type Capacity, type UplinkCapacity } from "./capacity.ts";

export interface Shortage {
  readonly key: string;
  readonly wrong: string;
  readonly remedy: string;
}

const OUTAGE_DAYS_MIN = 1;
const DIGITS = 3;
/** Of one core of the machine that was measured: a board is slower. */
const CPU_MAX_PERCENT = 50;

export function shortagesOf(config: Config, capacity: Capacity): readonly Shortage[] {
  return [
    ...config.uplinks.flatMap((uplink, i) => uplinkShortages(uplink, capacity.uplinks[i])),
    ...outageShortages(capacity),
    ...boardShortages(capacity),
  ];
}

function uplinkShortages(uplink: UplinkConfig, capacity: UplinkCapacity | undefined): readonly Shortage[] {
  const limits = cloudService(uplink.format)?.limits;
  const most = capacity?.loads.find(({ share }) => share === ALL);
  if (limits === undefined || most === undefined) return [];
  const told = (wrong: string): Shortage => {
    return { key: keyOf(["uplinks", uplink.name]), wrong, remedy: "read less often (scanRate), or give deadbands" };
  };
  const bytes = `${sizeText(Math.round(most.sentBytesPerS))} a second where all changes`;
  const messages = `${Math.round(most.wantedMessagesPerS)} messages a second where all changes`;
  return [
    ...(most.sentBytesPerS > limits.bytesPerS
      ? [told(`${bytes}; ${uplink.format} takes ${sizeText(limits.bytesPerS)}`)]
      : []),
    ...(most.wantedMessagesPerS > limits.messagesPerS
      ? [told(`${messages}; ${uplink.format} takes ${limits.messagesPerS}, so values wait for each other`)]
      : []),
  ];
}

function outageShortages(capacity: Capacity): readonly Shortage[] {
  const all = capacity.outbox.keeps.find(({ share }) => share === ALL);
  if (all === undefined) return [];
  const { bytesPerDay } = all;
  // Whose history is off is not short of it.
  const ofUplinks = capacity.outbox.less.filter(({ days }) => days > 0);
  return [
    { place: ["outbox"], days: all.days, isByAge: all.isByAge },
    ...ofUplinks.map(({ uplink, ...kept }) => ({ place: ["uplinks", uplink, "history"], ...kept })),
  ]
    .filter(({ days }) => days < OUTAGE_DAYS_MIN)
    .map(({ place, days, isByAge }) => ({
      key: keyOf([...place, isByAge ? "maxAge" : "maxSize"]),
      wrong: `an outage is kept for ${Number((days * 24).toPrecision(DIGITS))} h where all changes`,
      remedy: isByAge
        ? "make it a day or more"
        : `${sizeText(sizeFor(bytesPerDay))} keep a day; or read less often, or give deadbands`,
    }));
}

/** In steps of two digits, or whole megabytes; some of it is the write-ahead log's. */
function sizeFor(bytes: number): number {
  const step = Math.max(1e6, 10 ** (Math.floor(Math.log10(bytes)) - 1));
  let maxSizeBytes = Math.ceil(bytes / step) * step;
  while (roomOf({ maxSizeBytes }, ANY_CARD) < bytes) maxSizeBytes += step;
  return maxSizeBytes;
}

function boardShortages({ board }: Capacity): readonly Shortage[] {
  const told = (wrong: string): Shortage => {
    return { key: "lines", wrong, remedy: "read fewer tags or less often, or share them between two gateways" };
  };
  const { rssMostBytes, memoryMaxBytes, cpu } = board;
  const [mostMB, maxMB] = [rssMostBytes, memoryMaxBytes].map((bytes) => Math.round(bytes / 1e6));
  return [
    ...(rssMostBytes > memoryMaxBytes
      ? [told(`${mostMB} MB of memory; the service may use ${maxMB} MB (MemoryMax)`)]
      : []),
    ...(cpu > CPU_MAX_PERCENT ? [told(`${Math.round(cpu)} % of a core of a PC; a board is slower`)] : []),
  ];
}
