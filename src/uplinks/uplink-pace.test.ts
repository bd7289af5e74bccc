import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deviceOf, tagOf } from "../testing/settable-values.ts";
import type { SimulatedBrokerOptions } from "../testing/simulated-broker.ts";
import { TOPIC, UplinkRig } from "../testing/uplink-rig.ts";
import { parseWire, type ValuesOnWire } from "../testing/wire.ts";

/** What a live message weighs here, about. */
const LIVE_MESSAGE_BYTES = 200;
const HISTORY_MESSAGE_MIN_BYTES = 4_096;

/** What a status of 20 devices weighs here, at most. */
const STATUS_BYTES = 500;

/** Bytes published so far below this topic. */
function bytesBelow(rig: UplinkRig, below: string): number {
  const messages = rig.broker.received.filter(({ topic }) => topic.startsWith(`${TOPIC}/${below}`));
  return messages.reduce((sum, { topic, payload }) => sum + topic.length + payload.length, 0);
}

/** Live values of `flow` while history is replayed: what each took from being taken in to the broker. */
function watchLive(rig: UplinkRig): readonly number[] {
  const delaysMs: number[] = [];
  rig.broker.subscribe(`${TOPIC}/data`, ({ payload }) => {
    for (const { t } of parseWire<ValuesOnWire>(payload).values) delaysMs.push(rig.clock.wallMs() - t);
  });
  return delaysMs;
}

const links: readonly (readonly [name: string, link: Omit<SimulatedBrokerOptions, "clock">])[] = [
  ["1 Mbit/s, 30 ms", { bytesPerS: 125_000, latencyMs: 15, kernelBufferBytes: 200_000 }],
  ["10 Mbit/s, 600 ms, as by satellite", { bytesPerS: 1_250_000, latencyMs: 300, kernelBufferBytes: 200_000 }],
  ["64 kbit/s, 200 ms", { bytesPerS: 8_000, latencyMs: 100, kernelBufferBytes: 20_000 }],
  ["9600 bit/s, 400 ms, as by an old modem", { bytesPerS: 960, latencyMs: 200, kernelBufferBytes: 20_000 }],
];

describe("history beside live values", () => {
  for (const [name, link] of links) {
    test(`P6: over ${name}: a live value is delayed by at most 250 ms, a round trip and a message of 4 kB`, async () => {
      const rig = new UplinkRig({ broker: link });
      for (let i = 0; i < 30_000; i++) rig.values.set("pump/speed", i);
      rig.queue.spill();
      await rig.start();
      const delaysMs = watchLive(rig);
      for (let i = 0; i < 120; i++) {
        rig.values.set("pump/flow", i);
        await rig.clock.advance(1_037);
      }
      const { bytesPerS = 1, latencyMs = 0 } = link;
      const transferMs = (bytes: number) => (bytes / bytesPerS) * 1000;
      // The status and the snapshot of each minute are on the wire as well; history must wait for them, live need not.
      const boundMs = 250 + 2 * latencyMs + transferMs(HISTORY_MESSAGE_MIN_BYTES + 4 * LIVE_MESSAGE_BYTES);
      assert.ok(delaysMs.length >= 100, `${delaysMs.length} live values came`);
      assert.ok(Math.max(...delaysMs) <= boundMs, `worst ${Math.max(...delaysMs)} ms of ${boundMs}`);
      assert.ok(rig.uplink.report().replayed > 0);
      assert.deepEqual(rig.ledger.violations(), []);
    });
  }

  test("P6: live values that are being read go before history that is ready", async () => {
    const rig = new UplinkRig();
    const tags = [{ tag: tagOf("pump", "speed"), count: 1 }];
    rig.queue.lose({ id: 1, reason: "too old", epoch: 1, toEpoch: 1, fromMs: 1, toMs: 2, tags });
    rig.broker.ackDelayMs = 100;
    rig.uplink.start();
    await rig.clock.advance(250);
    assert.equal(rig.topics().at(-1), "status");
    rig.values.set("pump/speed", 1);
    await rig.drained();
    assert.deepEqual(rig.topics().slice(-2), ["data", "history"]);
  });

  test("P6: a fast link is filled: history takes no longer than the link needs", async () => {
    const rig = new UplinkRig({ broker: { bytesPerS: 1_250_000, latencyMs: 20, kernelBufferBytes: 200_000 } });
    for (let i = 0; i < 20_000; i++) rig.values.set("pump/speed", i);
    await rig.start();
    const beganMs = rig.clock.monotonicMs();
    await rig.drained();
    const bytes = rig.broker.received.reduce((sum, { payload }) => sum + payload.length, 0);
    const tookMs = rig.clock.monotonicMs() - beganMs;
    assert.ok(tookMs < 3 * (bytes / 1_250), `${tookMs} ms for ${bytes} bytes`);
  });

  test("P6: over 64 kbit/s the snapshots of 20 devices take a small share, and come a few at a time", async () => {
    const [bytesPerS, minutes] = [8_000, 10];
    const names = Array.from({ length: 10 }, (_, i) => `t${i}`);
    const devices = Array.from({ length: 20 }, (_, i) => deviceOf(`meter-${i}`, names));
    const rig = new UplinkRig({ devices, broker: { bytesPerS, latencyMs: 100, kernelBufferBytes: 20_000 } });
    const ids = devices.flatMap(({ tags }) => tags.map(({ id }) => id));
    for (const id of ids) rig.values.read(id, 100.25);
    await rig.start();
    const delaysMs = watchLive(rig);
    const pictureBytes = bytesBelow(rig, "snapshot/");
    const cameMs: number[] = [];
    rig.broker.subscribe(`${TOPIC}/snapshot/#`, (_, retained) => retained || cameMs.push(rig.clock.monotonicMs()));
    for (let i = 0; i < minutes * 60; i++) {
      for (const id of ids) rig.values.read(id, 100.25 + (i % 2));
      rig.values.set("meter-0/t0", i);
      await rig.clock.advance(1_000);
    }
    const renewedBytes = bytesBelow(rig, "snapshot/") - pictureBytes;
    assert.ok(cameMs.length >= devices.length * (minutes - 2), `${cameMs.length} renewals`);
    assert.ok(renewedBytes <= 1.1 * pictureBytes * minutes, `${renewedBytes} bytes for ${pictureBytes} of a picture`);
    const share = renewedBytes / (bytesPerS * 60 * minutes);
    assert.ok(share <= 0.03, `${(share * 100).toFixed(1)} % of the link`);
    const crowd = cameMs.map((fromMs) => cameMs.filter((atMs) => atMs >= fromMs && atMs < fromMs + 4_000).length);
    assert.ok(Math.max(...crowd) <= 2, `${Math.max(...crowd)} of 20 within 4 s`);
    const groupMs = (((2 * pictureBytes) / devices.length + STATUS_BYTES) / bytesPerS) * 1000;
    assert.ok(Math.max(...delaysMs) <= 100 + groupMs + 100, `worst ${Math.max(...delaysMs)} ms`);
  });

  test("P6: a way that becomes longer in the middle of a replay is measured anew, by the second status", async () => {
    const rig = new UplinkRig({ broker: { bytesPerS: 125_000, latencyMs: 20, kernelBufferBytes: 200_000 } });
    for (let i = 0; i < 150_000; i++) rig.values.set("pump/speed", i);
    await rig.start();
    rig.broker.latencyMs = 300;
    await rig.clock.advance(125_000);
    const replayed = rig.uplink.report().replayed;
    await rig.clock.advance(10_000);
    assert.ok(rig.uplink.report().replayed - replayed > 4_000, `${rig.uplink.report().replayed - replayed} in 10 s`);
  });

  test("P6: live values that fill the link do not starve history", async () => {
    const names = Array.from({ length: 40 }, (_, i) => `t${i}`);
    const rig = new UplinkRig({
      devices: [deviceOf("pump", names)],
      broker: { bytesPerS: 20_000, latencyMs: 20, kernelBufferBytes: 10_000 },
    });
    for (let i = 0; i < 2_000; i++) rig.values.set("pump/t0", i);
    await rig.start();
    const replayedBefore = rig.uplink.report().replayed;
    for (let i = 0; i < 300; i++) {
      rig.values.setAll(names.map((name) => [`pump/${name}`, i] as const));
      await rig.clock.advance(100);
    }
    assert.ok(rig.uplink.report().replayed > replayedBefore + 500, `${rig.uplink.report().replayed} replayed`);
    await rig.drained();
    assert.deepEqual(rig.ledger.violations(), []);
    assert.equal(rig.ledger.summary().lost, 0);
  });

  test("P3: live values that lag too long become history, and the current picture is told anew", async () => {
    const names = Array.from({ length: 40 }, (_, i) => `t${i}`);
    const rig = new UplinkRig({ devices: [deviceOf("pump", names)], broker: { bytesPerS: 10_000, latencyMs: 20 } });
    await rig.start();
    for (let i = 0; i < 600; i++) {
      rig.values.setAll(names.map((name) => [`pump/${name}`, i] as const));
      await rig.clock.advance(50);
    }
    assert.ok(rig.payloads("snapshot/pump").length > 1);
    assert.match(rig.log.join("\n"), /the link lags/);
    await rig.drained(3_600_000);
    assert.ok(rig.uplink.report().replayed > 0);
    assert.equal(rig.reader.currency("pump").current, true);
    assert.equal(rig.reader.tag("pump/t7")?.value, 599);
    assert.deepEqual(rig.ledger.violations(), []);
    assert.equal(rig.ledger.summary().lost, 0);
    assert.equal(rig.ledger.summary().duplicates, 0);
  });

  test("a configured rate of history is kept", async () => {
    const history = { enabled: true, maxAgeMs: 1, maxSizeBytes: 1, rateBytesPerS: 10_000 };
    const rig = new UplinkRig({ config: { history } });
    for (let i = 0; i < 5_000; i++) rig.values.set("pump/speed", i);
    await rig.start();
    const beganMs = rig.clock.monotonicMs();
    await rig.drained();
    const bytes = rig.broker.received
      .filter(({ topic }) => topic === `${TOPIC}/history`)
      .reduce((sum, { payload }) => sum + payload.length, 0);
    const rate = bytes / ((rig.clock.monotonicMs() - beganMs) / 1000);
    assert.ok(rate > 8_000 && rate < 11_000, `${rate} bytes/s`);
  });
});
