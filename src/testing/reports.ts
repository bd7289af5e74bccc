/** What the parts of a gateway that is in order report of themselves, before anything happened. */
import type { DeviceReport, LineReport, OutboxReport, UplinkReport } from "../pipeline.ts";

export function outboxReport(more: Partial<OutboxReport> = {}): OutboxReport {
  return {
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
    ...more,
  };
}

export function uplinkReport(more: Partial<UplinkReport> = {}): UplinkReport {
  return {
    name: "cloud",
    state: "connected",
    server: "",
    session: 1,
    depth: 0,
    oldestMs: undefined,
    live: 0,
    replayed: 0,
    dropped: 0,
    certificateDays: undefined,
    ...more,
  };
}

export function deviceReport(name: string, more: Partial<DeviceReport> = {}): DeviceReport {
  return {
    name,
    requests: 0,
    replies: 0,
    timeouts: 0,
    crcErrors: 0,
    framingErrors: 0,
    foreignFrames: 0,
    lateFrames: 0,
    exceptions: 0,
    responseTimeMs: 0,
    responseTimeP50Ms: 0,
    responseTimeP99Ms: 0,
    lost: false,
    ...more,
  };
}

export function lineReport(path: string, devices: readonly DeviceReport[], more: Partial<LineReport> = {}): LineReport {
  return {
    name: "RS485-1",
    path,
    fault: "",
    utilisation: 0,
    missedPeriods: 0,
    foreignFrames: 0,
    noiseBytes: 0,
    devices,
    ...more,
  };
}
