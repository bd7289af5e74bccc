/** What one uplink sends in the long run, at a share of values that change. Pure. */
import type { UplinkConfig } from "../../config/config.ts";
import { LIVE_MESSAGE_MAX_BYTES } from "../../uplinks/flow.ts";
import { SNAPSHOT_PERIOD_MS } from "../../uplinks/json/renewals.ts";
import { announcedKeepAliveS } from "../../uplinks/keep-alive.ts";
import { cloudService } from "../../uplinks/service-limits.ts";
import { NO_TRAFFIC, type Packet, pingTraffic, plus, type Traffic, times, trafficOf } from "./network.ts";
import { steadyOf } from "./steady.ts";
import type { Turn } from "./turn.ts";
import type { DeviceWords, UplinkWords } from "./uplink-words.ts";

export interface UplinkLoad {
  readonly samplesPerS: number;
  /** PUBLISH packets to the broker. */
  readonly messagesPerS: number;
  /** How many it would be where the service does not count them. */
  readonly wantedMessagesPerS: number;
  /** Bytes that TCP carries from the gateway: MQTT within TLS. */
  readonly sentBytesPerS: number;
  /** All that the network carries, both ways. */
  readonly networkBytesPerS: number;
}

const MINUTE_S = 60;

export function uplinkLoad(
  uplink: UplinkConfig,
  words: UplinkWords,
  turns: readonly Turn[],
  share: number,
): UplinkLoad {
  const data = turns.map((turn) => turnLoad(turn, words, share));
  const upkeep = [
    ...words.status.map((packet) => ({ packet, perS: 1 / MINUTE_S })),
    ...[...words.devices].flatMap(([name, { renewed }]) => {
      const perS = renewalsPerS(turns.filter(({ device }) => device === name));
      return renewed.map((packet) => ({ packet, perS }));
    }),
  ];
  const samplesPerS = sum(data.map((load) => load.samplesPerS));
  const messagesPerS = sum(data.map((load) => load.messagesPerS)) + sum(upkeep.map(({ perS }) => perS));
  const publishes = [
    ...data.map(({ traffic }) => traffic),
    ...upkeep.map(({ packet, perS }) => times(trafficOf(packet), perS)),
  ].reduce(plus, NO_TRAFFIC);
  const pings = times(pingTraffic(), Math.max(0, 1 / announcedKeepAliveS(uplink.keepAliveMs) - messagesPerS));
  const { sentBytes, networkBytes } = plus(publishes, pings);
  const wanted = {
    samplesPerS,
    messagesPerS,
    wantedMessagesPerS: messagesPerS,
    sentBytesPerS: sentBytes,
    networkBytesPerS: networkBytes,
  };
  return paced(wanted, uplink, words);
}

interface TurnLoad {
  readonly samplesPerS: number;
  readonly messagesPerS: number;
  readonly traffic: Traffic;
}

function turnLoad(turn: Turn, words: UplinkWords, share: number): TurnLoad {
  const { messages, samples } = steadyOf(turn, share);
  const device = words.devices.get(turn.device);
  if (device === undefined || messages === 0) return { samplesPerS: 0, messagesPerS: 0, traffic: NO_TRAFFIC };
  const valueBytes = sum(turn.tags.map(({ tag }, i) => (device.sampleBytes.get(tag.id) ?? 0) * (samples[i] ?? 0)));
  const perS = 1_000 / turn.periodMs;
  // What is too much for one message goes in more of them.
  const count = messages * Math.max(1, Math.ceil(valueBytes / messages / LIVE_MESSAGE_MAX_BYTES));
  const packet: Packet = { bytes: device.messageBytes + valueBytes / count, question: words.question };
  return {
    samplesPerS: sum(samples) * perS,
    messagesPerS: count * perS,
    traffic: times(trafficOf(packet), count * perS),
  };
}

/** A device is shown anew once a minute at most, and only where it was read. */
function renewalsPerS(turns: readonly Turn[]): number {
  if (turns.length === 0) return 0;
  return 1_000 / Math.max(SNAPSHOT_PERIOD_MS, Math.min(...turns.map(({ periodMs }) => periodMs)));
}

/** A service that counts messages gets fewer, larger ones: values wait for their turn. */
function paced(load: UplinkLoad, { format }: UplinkConfig, words: UplinkWords): UplinkLoad {
  const most = cloudService(format)?.limits.messagesPerS ?? Number.POSITIVE_INFINITY;
  if (load.messagesPerS <= most) return load;
  const spared = times(
    trafficOf({ bytes: leastMessageBytes(words), question: words.question }),
    load.messagesPerS - most,
  );
  return {
    ...load,
    messagesPerS: most,
    sentBytesPerS: load.sentBytesPerS - spared.sentBytes,
    networkBytesPerS: load.networkBytesPerS - spared.networkBytes,
  };
}

function leastMessageBytes({ devices }: UplinkWords): number {
  return Math.min(...[...devices.values()].map(({ messageBytes }: DeviceWords) => messageBytes));
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
