/** Pictures of a small site as its service writes them, one after the other. */
import { Rates } from "../../commands/watch/rates.ts";
import type { Picture } from "../../commands/watch/view.ts";
import { STATUSES, type Status } from "../../core/quality.ts";
import type { StatusContent, TagStatus } from "../../diagnostics/status-file.ts";
import type { DeviceReport, UplinkReport } from "../../pipeline.ts";

export const NOW_MS = Date.UTC(2026, 10, 22, 12, 4, 33);
function tag(name: string, value: TagStatus["value"], units: string, status: Status = "Good", ageS = 1): TagStatus {
  return { name, value, units, status, words: STATUSES[status].words, timestamp: NOW_MS - ageS * 1_000 };
}

function counters(name: string, requests: number, replies: number, lost = false): DeviceReport {
  const errors = { timeouts: 0, crcErrors: 0, framingErrors: 0, foreignFrames: 0, lateFrames: 0, exceptions: 0 };
  const times = { responseTimeMs: 1, responseTimeP50Ms: 1, responseTimeP99Ms: 1 };
  return { name, requests, replies, ...errors, ...times, lost };
}

function uplink(depth: number, replayed: number): UplinkReport {
  const rest = { oldestMs: undefined, live: 0, dropped: 0, certificateDays: undefined, session: 1 };
  return { name: "cloud", state: "connected", server: "mqtts://b:8883", depth, replayed, ...rest };
}

export function status(seconds: number, requests: number, replies: number, depth = 0, replayed = 0): StatusContent {
  const devices = [counters("meter", requests, replies), counters("pump", 0, 0, true)];
  const line = { name: "RS485-1", path: "/dev/x", fault: "", utilisation: 58, missedPeriods: 0 };
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
    lines: [{ ...line, foreignFrames: 0, noiseBytes: 0, devices }],
    uplinks: [uplink(depth, replayed)],
    outbox: {
      takenIn: 0,
      newest: 0,
      released: 0,
      committed: 0,
      memorySamples: 0,
      fileBytes: 0,
      writtenBytes: 0,
      dropped: 0,
      health: "ok",
      healthReason: "",
      incident: "",
    },
  };
}

export function picture(...pictures: readonly StatusContent[]): Picture {
  const rates = new Rates();
  for (const each of pictures) rates.note(each);
  return { status: pictures.at(-1), isFresh: true, nowMs: NOW_MS, rates };
}
