import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config, DeviceConfig, LineConfig, UplinkConfig } from "../config/config.ts";
import type { DeviceReport, LineReport, OutboxReport, UplinkReport } from "../pipeline.ts";
import { RecordingSink } from "../testing/recording-sink.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { HostFigures } from "./host-figures.ts";
import { createSelfReport, type SelfReportOptions, selfDevice } from "./self-tags.ts";

const SECOND = 1_000;

function deviceConfig(name: string, enabled = true): DeviceConfig {
  return {
    name,
    unitId: 1,
    enabled,
    retries: 1,
    lostAfter: 3,
    maxQuantity: 125,
    unreadable: [],
    maxLateMs: SECOND,
    tags: [],
  };
}

const LINE: LineConfig = {
  name: "RS485-1",
  path: "/dev/ttyUSB0",
  serial: { baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 },
  rs485: "auto",
  responseTimeoutMs: 300,
  turnaroundDelayMs: 0,
  devices: [deviceConfig("pump-1"), deviceConfig("spare", false)],
};

const UPLINK: UplinkConfig = {
  name: "cloud",
  servers: ["mqtts://broker.example.com:8883"],
  format: "json",
  node: { group: "g", name: "n" },
  clientId: "g-n-cloud",
  mqttVersion: "auto",
  tls: {},
  keepAliveMs: 15 * SECOND,
  reconnect: { spreadMs: SECOND, maxMs: SECOND },
  startAt: "now",
  history: { enabled: true, maxAgeMs: 1, maxSizeBytes: 1, rateBytesPerS: 1 },
  sparkplug: { aliases: false, datatypeInData: false, barrier: "ping" },
  topic: "g/n",
  id: "{device}/{tag}",
};

const CONFIG: Config = {
  file: "gateway.yaml",
  gateway: { group: "g", name: "n" },
  uplinks: [UPLINK],
  lines: [LINE],
  inputs: [],
  outbox: { path: "outbox.db", maxSizeBytes: 1, maxAgeMs: 1, commitIntervalMs: 1, outageCommitIntervalMs: 1 },
  clock: { source: "host", waitAtMostMs: 1 },
};

const uplinkReport: UplinkReport = {
  name: "cloud",
  state: "connected",
  server: "mqtts://broker.example.com:8883",
  session: 1,
  depth: 0,
  oldestMs: undefined,
  live: 5,
  replayed: 6,
  dropped: 7,
  certificateDays: undefined,
};

const pumpReport: DeviceReport = {
  name: "pump-1",
  requests: 10,
  replies: 9,
  timeouts: 1,
  crcErrors: 2,
  framingErrors: 3,
  foreignFrames: 4,
  lateFrames: 5,
  exceptions: 6,
  responseTimeMs: 12.5,
  responseTimeP50Ms: 11.5,
  responseTimeP99Ms: 48.5,
  lost: false,
};

const lineReport: LineReport = {
  name: "RS485-1",
  path: "/dev/ttyUSB0",
  fault: "",
  utilisation: 40,
  missedPeriods: 3,
  foreignFrames: 8,
  noiseBytes: 9,
  devices: [pumpReport],
};

const outboxReport: OutboxReport = {
  takenIn: 1,
  newest: 1,
  released: 1,
  committed: 1,
  memorySamples: 1,
  fileBytes: 4_096,
  writtenBytes: 100,
  dropped: 0,
  health: "ok",
  healthReason: "",
  incident: "",
};

const HOST: HostFigures = { rssBytes: () => 57e6, loopDelayMs: () => 4, temperatureC: () => undefined };

function rig(more: Partial<SelfReportOptions> = {}) {
  const clock = new VirtualClock();
  const sink = new RecordingSink(clock);
  const told = { uplink: uplinkReport, outbox: outboxReport };
  const device = selfDevice(CONFIG);
  const self = createSelfReport({
    device,
    sink,
    clock,
    reports: { uplinks: () => [told.uplink], lines: () => [lineReport], outbox: () => told.outbox },
    ...more,
  });
  return {
    clock,
    told,
    device,
    self,
    /** What was told since the last look, by tag; the last one holds. */
    taken: () => new Map(sink.readings.splice(0).map(({ id, value, status }) => [id, [value, status]])),
  };
}

test("the device gateway has a tag for every part of the configuration that is switched on", () => {
  const device = selfDevice(CONFIG);
  assert.equal(device.name, "gateway");
  assert.deepEqual(
    device.tags.map((tag) => tag.name),
    [
      ...["state", "depth", "oldest", "replayed", "dropped", "certificateDays"].map((name) => `uplinks/cloud/${name}`),
      ...["fault", "utilisation", "missedPeriods", "foreignFrames", "noiseBytes"].map(
        (name) => `lines/RS485-1/${name}`,
      ),
      ...["requests", "replies", "timeouts", "crcErrors", "framingErrors", "foreignFrames"].map(
        (name) => `devices/pump-1/${name}`,
      ),
      ...["lateFrames", "exceptions"].map((name) => `devices/pump-1/${name}`),
      ...["responseTimeMs", "responseTimeP50Ms", "responseTimeP99Ms"].map((name) => `devices/pump-1/${name}`),
      ...["outbox/health", "outbox/incident", "outbox/bytes", "outbox/writtenBytesPerDay", "clock/state"],
      ...["process/rssBytes", "process/loopDelayMs", "process/uptimeS", "board/temperatureC"],
      "events",
    ],
  );
  for (const tag of device.tags) {
    const priority = tag.name === "events" ? "high" : "low";
    assert.deepEqual([tag.id, tag.device, tag.priority], [`gateway/${tag.name}`, "gateway", priority]);
    assert.ok(tag.staleMs > 2 * tag.scanRateMs && tag.scanRateMs % SECOND === 0);
  }
});

test("P3: every tag of the gateway is told at its start", async () => {
  const { device, self, taken } = rig({ host: HOST, clockState: () => "host" });
  self.start();
  const told = taken();
  const read = device.tags.filter(({ name }) => name !== "events");
  assert.deepEqual([...told.keys()].sort(), read.map((tag) => tag.id).sort());
  assert.deepEqual(
    ["uplinks/cloud/state", "uplinks/cloud/dropped", "lines/RS485-1/utilisation", "devices/pump-1/responseTimeMs"].map(
      (name) => told.get(`gateway/${name}`),
    ),
    [
      ["connected", "Good"],
      [7, "Good"],
      [40, "Good"],
      [12.5, "Good"],
    ],
  );
  assert.deepEqual(told.get("gateway/process/rssBytes"), [57e6, "Good"]);
  assert.deepEqual(told.get("gateway/clock/state"), ["host", "Good"]);
  await self.stop();
});

test("P5: what there is not is told as such: no sensor, no certificate, no process to measure", async () => {
  const { self, taken } = rig();
  self.start();
  const told = taken();
  assert.deepEqual(told.get("gateway/board/temperatureC"), [null, "BadSensorFailure"]);
  assert.deepEqual(told.get("gateway/uplinks/cloud/certificateDays"), [undefined, "BadOutOfService"]);
  assert.deepEqual(told.get("gateway/process/rssBytes"), [undefined, "BadOutOfService"]);
  assert.deepEqual(told.get("gateway/clock/state"), [undefined, "BadOutOfService"]);
  await self.stop();
});

test("a change of an uplink's state or of the outbox's health is told within a second, gauges every ten, totals every minute", async () => {
  const { clock, self, told, taken } = rig();
  self.start();
  taken();
  told.uplink = { ...uplinkReport, state: "failed: the certificate has expired", depth: 4 };
  told.outbox = { ...outboxReport, health: "full", healthReason: "no space left" };
  await clock.advance(SECOND);
  const first = taken();
  assert.deepEqual(first.get("gateway/uplinks/cloud/state"), ["failed: the certificate has expired", "Good"]);
  assert.deepEqual(first.get("gateway/outbox/health"), ["full: no space left", "Good"]);
  assert.equal(first.has("gateway/uplinks/cloud/depth"), false);
  await clock.advance(9 * SECOND);
  const second = taken();
  assert.deepEqual(second.get("gateway/uplinks/cloud/depth"), [4, "Good"]);
  assert.equal(second.has("gateway/process/uptimeS"), false);
  await clock.advance(50 * SECOND);
  assert.deepEqual(taken().get("gateway/process/uptimeS"), [60, "Good"]);
  await self.stop();
});

test("the age of the oldest waiting sample: 0 when none waits, uncertain when not known, never negative", async () => {
  const { clock, self, told, taken } = rig();
  const age = async (report: Partial<UplinkReport>) => {
    told.uplink = { ...uplinkReport, ...report };
    await clock.advance(10 * SECOND);
    return taken().get("gateway/uplinks/cloud/oldest");
  };
  self.start();
  assert.deepEqual(taken().get("gateway/uplinks/cloud/oldest"), [0, "Good"]);
  assert.deepEqual(await age({ depth: 3, oldestMs: clock.wallMs() - 50 * SECOND }), [60, "Good"]);
  assert.deepEqual(await age({ depth: 3 }), [undefined, "UncertainLastUsableValue"]);
  assert.deepEqual(await age({ depth: 3, oldestMs: clock.wallMs() + 99 * SECOND }), [0, "Good"]);
  await self.stop();
});

test("what is written a day is counted from the outbox's total", async () => {
  const { clock, self, told, taken } = rig();
  self.start();
  told.outbox = { ...outboxReport, writtenBytes: 4_100 };
  await clock.advance(60 * SECOND);
  assert.deepEqual(taken().get("gateway/outbox/writtenBytesPerDay"), [4_000, "Good"]);
  await self.stop();
});

test("a report about a part without tags is passed over", async () => {
  const spare = { ...lineReport, devices: [{ ...pumpReport, name: "spare" }] };
  const { self, taken, told } = rig({
    reports: { uplinks: () => [told.uplink], lines: () => [spare], outbox: () => outboxReport },
  });
  self.start();
  assert.equal([...taken().keys()].filter((id) => id.includes("spare")).length, 0);
  await self.stop();
});

test("after stop nothing is told and no timer is left", async () => {
  const { clock, self, taken } = rig();
  self.start();
  await self.stop();
  taken();
  await clock.advance(60 * SECOND);
  assert.equal(taken().size, 0);
  assert.equal(clock.pendingTimers(), 0);
});
