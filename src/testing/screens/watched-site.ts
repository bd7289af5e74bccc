/** Pictures of a small site as its service writes them, one after the other. */
import { Rates } from "../../commands/watch/rates.ts";
import type { Picture } from "../../commands/watch/view.ts";
import { STATUSES, type Status } from "../../core/quality.ts";
import type { StatusContent, TagStatus } from "../../diagnostics/status-file.ts";
import type { DeviceReport } from "../../pipeline.ts";
import { deviceReport, lineReport, outboxReport, uplinkReport } from "../reports.ts";

export const NOW_MS = Date.UTC(2026, 10, 22, 12, 4, 33);
function tag(name: string, value: TagStatus["value"], units: string, status: Status = "Good", ageS = 1): TagStatus {
  return { name, value, units, status, words: STATUSES[status].words, timestamp: NOW_MS - ageS * 1_000 };
}

function counters(name: string, requests: number, replies: number, lost = false): DeviceReport {
  return deviceReport(name, {
    requests,
    replies,
    responseTimeMs: 1,
    responseTimeP50Ms: 1,
    responseTimeP99Ms: 1,
    lost,
  });
}

export function status(seconds: number, requests: number, replies: number, depth = 0, replayed = 0): StatusContent {
  const devices = [counters("meter", requests, replies), counters("pump", 0, 0, true)];
  return {
    version: 1,
    timestamp: NOW_MS + seconds * 1_000,
    epoch: 3,
    devices: [
      {
        name: "meter",
        tags: [tag("energy", 12_345.678_91, "kWh"), tag("voltage", 230, "V", "UncertainLastUsableValue", 40)],
      },
      { name: "pump", tags: [tag("speed", 1_490.5, "rpm", "BadNoCommunication", 7_300), tag("on", true, "")] },
      { name: "gateway", tags: [tag("process/rssBytes", 5, "B")] },
    ],
    lines: [lineReport("/dev/x", devices, { utilisation: 58 })],
    uplinks: [uplinkReport({ server: "mqtts://b:8883", depth, replayed })],
    outbox: outboxReport(),
  };
}

export function picture(...pictures: readonly StatusContent[]): Picture {
  const rates = new Rates();
  for (const each of pictures) rates.note(each);
  return { status: pictures.at(-1), isFresh: true, nowMs: NOW_MS, rates };
}
