/** The whole Modbus source on a real terminal, against devices that die, adapters that vanish and replies that are late. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { LineConfig, RegisterTag } from "../config/config.ts";
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom, seededRandom } from "../core/random.ts";
import { createModbusSource, type ModbusSource } from "../sources/modbus/modbus-source.ts";
import { serialportLine } from "../sources/modbus/serialport-line.ts";
import { deviceConfig, lineConfig, registerTag } from "./modbus-config.ts";
import { type Faults, ModbusDevice } from "./modbus-device.ts";
import { openPtyPair, type PtyPair } from "./pty.ts";
import { type RecordedReading, RecordingSink } from "./recording-sink.ts";
import { serveDevices } from "./simulated-bus.ts";

/** Longer than the pause before a lost device is asked again, with time for a busy machine. */
const RETURN_LIMIT_MS = 30_000;

interface Rig {
  readonly pty: PtyPair;
  readonly sink: RecordingSink;
  readonly source: ModbusSource;
  end(): Promise<void>;
}

async function startRig(devices: readonly ModbusDevice[], lineOf: (path: string) => LineConfig): Promise<Rig> {
  const pty = await openPtyPair();
  const stopDevices = serveDevices(pty.master, devices, hostClock);
  const sink = new RecordingSink(hostClock);
  const source = createModbusSource({
    line: lineOf(pty.path),
    sink,
    clock: hostClock,
    random: hostRandom,
    log: silentLog,
    openLine: serialportLine,
  });
  source.start();
  return {
    pty,
    sink,
    source,
    async end() {
      await source.stop();
      stopDevices();
      await pty.close();
    },
  };
}

/** A device with one tag `value`, which says the unit id; read every 50 ms. */
function pump(name: string, unitId: number) {
  const device = new ModbusDevice(unitId);
  device.set("holdingRegister", 0, unitId);
  const tag = registerTag(name, "value", { table: "holdingRegister", address: 0 }, { scanRateMs: 50 });
  return { device, tag, config: deviceConfig(name, unitId, [tag]) };
}

function isGood(sink: RecordingSink, id: string): boolean {
  return sink.latest(id)?.status === "Good";
}

interface CountingDevice {
  readonly device: ModbusDevice;
  /** Two tags for each place. */
  readonly tags: readonly RegisterTag[];
  /** Every Good value was held by its register after the request that it answers, and not before. */
  assertTrue(readings: readonly RecordedReading[]): void;
}

/** A device whose registers hold the number of the last request it heard, plus their place in the second one. */
function countingDevice(places: readonly number[], faultsOf: (nth: number) => Faults): CountingDevice {
  const device = new ModbusDevice(1);
  const heardAtMs: number[] = [];
  device.faults = () => {
    const nth = heardAtMs.push(hostClock.monotonicMs());
    for (const place of places) device.set("holdingRegister", place, nth, place + nth);
    return faultsOf(nth);
  };
  const expected = new Map<string, number>();
  const tags = places.flatMap((place) =>
    [0, 1].map((n) => {
      const choice = { table: "holdingRegister", address: place + n } as const;
      const tag = registerTag("meter", `${place + n}`, choice, { scanRateMs: 100 });
      expected.set(tag.id, n * place);
      return tag;
    }),
  );
  return {
    device,
    tags,
    assertTrue(readings) {
      for (const { id, value, status, monotonicMs } of readings) {
        const nth = heardAtMs.filter((ms) => ms <= monotonicMs).length;
        if (status === "Good") assert.equal(value, nth + (expected.get(id) ?? 0), `${id} at request ${nth}`);
      }
    },
  };
}

function goodReads(sink: RecordingSink, tag: RegisterTag): number {
  return sink.of(tag.id).filter((r) => r.status === "Good").length;
}

/** Two reads of equal length, too far apart to be one. */
const PLACES = [0, 500];

// Most of their time they wait, for ten seconds at the longest; so they wait together.
describe("a line on a real terminal", { concurrency: true }, () => {
  test("P3 P6: a device dies and returns; the others never notice", async () => {
    const dying = pump("dying", 1);
    const living = pump("living", 2);
    const rig = await startRig([dying.device, living.device], (path) =>
      lineConfig(path, [dying.config, living.config]),
    );
    const { sink } = rig;
    try {
      await sink.until("both are read", (s) => isGood(s, dying.tag.id) && isGood(s, living.tag.id));
      dying.device.faults = { silent: true };
      await sink.until("the death is known", (s) => s.latestPresence("dying") === "lost");
      assert.equal(sink.latest(dying.tag.id)?.status, "BadNoCommunication");

      const asked = dying.device.requests;
      const heard = sink.of(living.tag.id).length;
      await sink.until("the living one was read on", (s) => s.of(living.tag.id).length >= heard + 40);
      assert.ok(dying.device.requests - asked <= 1, "the dead one costs its line next to nothing");

      dying.device.faults = {};
      await sink.until(
        "the return is known",
        (s) => s.latestPresence("dying") === "online" && isGood(s, dying.tag.id),
        RETURN_LIMIT_MS,
      );
    } finally {
      await rig.end();
    }
    assert.deepEqual(
      sink.of(living.tag.id).filter((r) => r.status !== "Good" || r.value !== 2),
      [],
    );
    assert.deepEqual(
      sink.presences.filter((p) => p.device === "living" && p.presence !== "online"),
      [],
    );
  });

  test("P3: an adapter vanishes and returns under another name; other lines never notice", async () => {
    const [near, far, other] = [pump("near", 1), pump("far", 2), pump("other", 3)];
    const rig = await startRig([near.device, far.device], (path) => lineConfig(path, [near.config, far.config]));
    const otherRig = await startRig([other.device], (path) => lineConfig(path, [other.config], { name: "RS485-2" }));
    const { sink, pty } = rig;
    const devices = ["near", "far"];
    try {
      await sink.until("both are read", (s) => isGood(s, near.tag.id) && isGood(s, far.tag.id));
      await otherRig.sink.until("the other line is read", (s) => isGood(s, other.tag.id));
      const before = pty.terminal();

      await pty.vanish();
      await sink.until("both are lost", (s) => devices.every((name) => s.latestPresence(name) === "lost"));
      assert.notEqual(rig.source.report().fault, "");

      await pty.comeBack();
      assert.notEqual(pty.terminal(), before);
      const reads = [near, far].map(({ tag }) => ({ id: tag.id, before: sink.of(tag.id).length }));
      await sink.until(
        "both are read again",
        (s) =>
          devices.every((name) => s.latestPresence(name) === "online") &&
          reads.every(({ id, before }) => s.of(id).length > before && isGood(s, id)),
        RETURN_LIMIT_MS,
      );
      assert.equal(rig.source.report().fault, "");
      const heard = otherRig.sink.of(other.tag.id).length;
      await otherRig.sink.until("the other line is read on", (s) => s.of(other.tag.id).length > heard);
    } finally {
      await rig.end();
      await otherRig.end();
    }
    assert.deepEqual(
      otherRig.sink.readings.filter((r) => r.status !== "Good"),
      [],
    );
  });

  test("P5: a reply 700 ms late, of equal length, is never taken for another one", async () => {
    // After each late one come answers that leave it time to arrive while the next one is waited for.
    const delaysMs = [700, 200, 200, 200, 700, 700, 250, 0];
    const meter = countingDevice(PLACES, (nth) => ({ delayMs: delaysMs[nth % delaysMs.length] ?? 0 }));
    const rig = await startRig([meter.device], (path) =>
      lineConfig(path, [deviceConfig("meter", 1, meter.tags, { lostAfter: 1_000 })], { responseTimeoutMs: 300 }),
    );
    const late = () => rig.source.report().devices[0]?.lateFrames ?? 0;
    try {
      await rig.sink.until(
        "late ones came and others were read",
        (s) => late() >= 5 && meter.tags.every((tag) => goodReads(s, tag) >= 5),
        RETURN_LIMIT_MS,
      );
    } finally {
      await rig.end();
    }
    meter.assertTrue(rig.sink.readings);
  });

  test("P5: foreign, truncated, echoed, doubled and corrupted frames cost quality, never truth", async () => {
    const random = seededRandom(5);
    const draw = (below: number) => Math.floor(random.next() * below);
    const kinds: readonly (() => Faults)[] = [
      () => ({}),
      () => ({ silent: true }),
      () => ({ delayMs: draw(500) }),
      () => ({ exceptionCode: 6 }),
      () => ({ replyUnitId: 2 }),
      () => ({ alter: (pdu) => Uint8Array.of(3, 2, ...pdu.slice(2, 4)) }),
      () => ({ truncateBytes: 1 + draw(6) }),
      () => ({ flipBit: draw(72) }),
      () => ({ duplicateAfterMs: 0 }),
      () => ({ echo: true }),
      () => ({ noise: Uint8Array.from({ length: 1 + draw(12) }, () => draw(256)) }),
    ];
    const meter = countingDevice(PLACES, () => kinds[draw(kinds.length)]?.() ?? {});
    const rig = await startRig([meter.device], (path) =>
      lineConfig(path, [deviceConfig("meter", 1, meter.tags, { lostAfter: 1_000 })], { responseTimeoutMs: 100 }),
    );
    try {
      const isDone = (s: RecordingSink) => meter.tags.every((tag) => goodReads(s, tag) >= 8);
      await rig.sink.until("enough good reads came through", isDone, RETURN_LIMIT_MS);
    } finally {
      await rig.end();
    }
    assert.ok(
      rig.sink.readings.some((r) => r.status === "BadNoCommunication"),
      "some reads were spoiled",
    );
    meter.assertTrue(rig.sink.readings);
  });
});
