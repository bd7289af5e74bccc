/** What a small site sends over a network that is paid by the byte: by format, and how often and how much changes. */
import { turnsOf } from "../../commands/capacity/turn.ts";
import { uplinkLoad } from "../../commands/capacity/uplink-load.ts";
import { uplinkWords } from "../../commands/capacity/uplink-words.ts";
import { listing } from "../../commands/listing.ts";
import type { Config } from "../../config/config.ts";
import { parseConfig } from "../../config/load.ts";

const DAY_S = 86_400;
const FORMATS = ["json", "kepware", "sparkplug"] as const;
const SCAN_RATES = ["1s", "10s", "1m"];
const SHARES = [1, 0.1];

export function networkTable(columns: number): string {
  const head = SCAN_RATES.flatMap((scanRate) => [`${scanRate}, all`, "10 %"]);
  const rows = FORMATS.map((format) => {
    const cells = SCAN_RATES.flatMap((scanRate) => perDay(format, scanRate, SHARES));
    return [format, ...cells, ...perDay(format, "1s", [0])];
  });
  return listing([["MB a day", ...head, "nothing"], ...rows], { columns, indent: 0, yielding: [] });
}

/** Megabytes of a meter's 22 tags. */
function perDay(format: string, scanRate: string, shares: readonly number[]): readonly string[] {
  const config = siteOf(format, scanRate);
  const turns = turnsOf(config);
  const told = config.uplinks.map((uplink) => ({ uplink, words: uplinkWords(config, uplink) }));
  return shares.map((share) => {
    const loads = told.map(({ uplink, words }) => uplinkLoad(uplink, words, turns, share));
    const perS = loads.reduce((sum, { networkBytesPerS }) => sum + networkBytesPerS, 0);
    return String(Number(((perS * DAY_S) / 1e6).toPrecision(2)));
  });
}

function siteOf(format: string, scanRate: string): Config {
  const text = `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks: { cloud: { servers: [ "mqtts://broker.example.com:8883" ], format: ${format} } }
lines:
  RS485-1:
    path: /dev/ttyUSB0
    serial: 9600 8N1
    devices: { meter-1: { unitId: 1, scanRate: ${scanRate}, model: eastron-sdm630 } }
`;
  return parseConfig("gateway.yaml", text).config;
}
