import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deviceOf } from "../testing/settable-values.ts";
import { SimulatedBroker } from "../testing/simulated-broker.ts";
import { rigConfig, TOPIC, UplinkRig } from "../testing/uplink-rig.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { StatusOnWire, ValuesOnWire } from "../testing/wire.ts";

function assertClean(rig: UplinkRig): void {
  assert.deepEqual(rig.ledger.violations(), []);
  assert.deepEqual(rig.order.violations(), []);
  assert.equal(rig.ledger.summary().lost, 0);
}

const isConnected = (rig: UplinkRig) => () => rig.uplink.report().state === "connected";

describe("an outage", () => {
  test("P3 P4: afterwards the current picture comes first, then live values, and what was missed as history", async () => {
    const rig = new UplinkRig();
    await rig.start();
    rig.values.set("pump/speed", 1);
    await rig.drained();
    rig.broker.refuse("nothing listens there");
    rig.broker.drop();
    for (let i = 2; i <= 100; i++) {
      rig.values.set("pump/speed", i);
      await rig.clock.advance(1_000);
    }
    assert.equal(rig.uplink.report().state, "failed: nothing listens there");
    assert.equal(rig.uplink.report().depth, 99);
    assert.equal(rig.reader.currency("pump").reason, "the gateway is offline");
    rig.broker.refuse(undefined);
    await rig.until("connected", isConnected(rig));
    assert.equal(rig.reader.tag("pump/speed")?.value, 100);
    assert.equal(rig.reader.currency("pump").current, true);
    await rig.drained();
    const history = rig.payloads<ValuesOnWire>("history").flatMap(({ values }) => values.map(({ v }) => v));
    assert.deepEqual(
      history,
      Array.from({ length: 99 }, (_, i) => i + 2),
    );
    assert.deepEqual([rig.uplink.report().live, rig.uplink.report().replayed], [1, 99]);
    assertClean(rig);
  });

  test("P4: what was sent and not acknowledged is sent again as history: a duplicate, never a hole", async () => {
    const rig = new UplinkRig();
    await rig.start();
    rig.broker.ackDelayMs = 60_000;
    rig.values.set("pump/speed", 7);
    await rig.clock.advance(100);
    assert.equal(rig.payloads("data").length, 1);
    rig.broker.drop("the broker ended the connection: it is shutting down (0x8B)");
    rig.broker.ackDelayMs = 0;
    await rig.clock.advance(10);
    assert.equal(rig.uplink.report().state, "failed: the broker ended the connection: it is shutting down (0x8B)");
    await rig.drained();
    assert.equal(rig.ledger.summary().duplicates, 1);
    assertClean(rig);
  });

  test("P7: a frozen link is cut within seconds, and the next session carries on", async () => {
    const rig = new UplinkRig();
    await rig.start();
    rig.broker.freeze();
    rig.values.set("pump/speed", 7);
    await rig.until("the link is found frozen", () => /frozen/.test(rig.uplink.report().state), 6_000);
    await rig.clock.advance(60_000);
    rig.values.set("pump/speed", 8);
    rig.broker.thaw();
    await rig.drained();
    assert.equal(rig.broker.connections(), 1);
    assertClean(rig);
  });

  test("P7: the patience that a large snapshot deserves is over with its acknowledgement", async () => {
    const names = Array.from({ length: 1_200 }, (_, i) => `t${i}`);
    const rig = new UplinkRig({ devices: [deviceOf("pump", names)] });
    await rig.start();
    rig.broker.freeze();
    rig.values.set("pump/t0", 1);
    await rig.until("the link is found frozen", () => /frozen/.test(rig.uplink.report().state), 6_000);
  });

  test("P7: an idle link is not found frozen", async () => {
    const rig = new UplinkRig();
    await rig.start();
    await rig.clock.advance(600_000);
    assert.equal(rig.broker.requests.length, 1);
  });

  test("P7: a slow link is not taken for a frozen one", async () => {
    const names = Array.from({ length: 800 }, (_, i) => `t${i}`);
    const devices = [deviceOf("pump", names)];
    const rig = new UplinkRig({ devices, broker: { bytesPerS: 2_500, latencyMs: 400 } });
    for (let i = 0; i < 300; i++) rig.values.set("pump/t0", i);
    await rig.start();
    await rig.drained();
    assert.equal(rig.broker.requests.length, 1);
    assertClean(rig);
  });

  test("P3: each session has a higher number than the one before, over restarts too", async () => {
    const rig = new UplinkRig();
    await rig.start();
    rig.broker.drop();
    await rig.until("connected", isConnected(rig));
    await rig.stop();
    await rig.restart();
    const sessions = rig.payloads<StatusOnWire>("status").map(({ session }) => session);
    assert.deepEqual(
      sessions.toSorted((a, b) => a - b),
      sessions,
    );
    assert.equal(rig.uplink.report().session, 3);
  });

  test("P4 P8: one that is replaced in the middle of its replay goes on where the acknowledgements ended", async () => {
    const rig = new UplinkRig({ broker: { bytesPerS: 50_000, latencyMs: 20 } });
    for (let i = 1; i <= 5_000; i++) rig.values.set("pump/speed", i);
    await rig.start();
    await rig.until("a part is replayed", () => rig.uplink.report().replayed > 1_000);
    const late = rig.uplink;
    await rig.stop();
    const left = rig.queue.depth();
    assert.ok(left > 1_000);
    await rig.clock.advance(10_000);
    assert.equal(rig.queue.depth(), left, "who was stopped acknowledges no more");
    rig.values.set("pump/speed", 0);
    await rig.restart();
    await rig.drained();
    assert.equal(late.report().replayed + rig.uplink.report().replayed, 5_001);
    assertClean(rig);
  });

  test("P7: an uplink that is stopped in an outage is gone in seconds", async () => {
    for (const outage of ["refused", "frozen before", "frozen after"] as const) {
      const rig = new UplinkRig();
      if (outage === "refused") rig.broker.refuse("nothing listens there");
      if (outage === "frozen before") rig.broker.freeze();
      rig.uplink.start();
      await rig.clock.advance(500);
      if (outage === "frozen after") rig.broker.freeze();
      const beganMs = rig.clock.monotonicMs();
      await rig.stop();
      assert.ok(rig.clock.monotonicMs() - beganMs <= 4_000, outage);
    }
  });
});

describe("servers", () => {
  test("are tried in turn, never two at once, and what one missed goes to the next", async () => {
    const clock = new VirtualClock();
    const second = new SimulatedBroker({ clock });
    const rig: UplinkRig = new UplinkRig({
      config: { servers: ["mqtts://a", "mqtts://b"] },
      clock,
      transport: {
        connect(request) {
          assert.equal(rig.broker.connections() + second.connections(), 0);
          return request.server === "mqtts://a" ? rig.broker.connect(request) : second.connect(request);
        },
      },
    });
    rig.broker.refuse("nothing listens there");
    rig.uplink.start();
    rig.values.set("pump/speed", 1);
    await rig.drained();
    assert.equal(rig.uplink.report().server, "mqtts://b");
    assert.equal(second.received.filter(({ topic }) => topic === `${TOPIC}/history`).length, 1);
  });
});

describe("what the broker says no to", () => {
  test("P4: a refused topic ends the session with the reason, the samples are kept, and it is tried again", async () => {
    const rig = new UplinkRig({ broker: { deniedTopics: [`${TOPIC}/data`] } });
    await rig.start();
    rig.values.set("pump/speed", 1);
    await rig.until("refused", () => rig.uplink.report().state.startsWith("failed"));
    assert.match(rig.uplink.report().state, /refuses messages to plant\/gateway\/data: not authorised/);
    assert.equal(rig.uplink.report().depth, 1);
    await rig.drained();
    assert.ok(rig.broker.requests.length > 1);
  });

  test("P4: without QoS 1 nothing would be acknowledged: said so, and nothing sent", async () => {
    const rig = new UplinkRig({ broker: { limits: { maxQos: 0 } } });
    rig.uplink.start();
    await rig.clock.advance(100);
    assert.match(rig.uplink.report().state, /no QoS 1/);
    assert.equal(rig.broker.received.filter(({ topic }) => topic !== `${TOPIC}/status`).length, 0);
  });

  test("P7: two gateways with one identity are named, and leave each other in peace", async () => {
    const clock = new VirtualClock();
    const one = new UplinkRig({ clock });
    const other = new UplinkRig({ clock, transport: one.broker });
    one.uplink.start();
    other.uplink.start();
    await clock.advance(3_600_000);
    assert.ok(one.broker.requests.length < 30, `${one.broker.requests.length} attempts in an hour`);
    const states = [one.uplink.report().state, other.uplink.report().state];
    assert.ok(states.some((state) => state === `failed: another gateway uses the client id "${rigConfig().clientId}"`));
  });
});

describe("what the card says no to", () => {
  test("P8: no session number, no CONNECT", async () => {
    const rig = new UplinkRig();
    rig.state.fault = "disk full";
    rig.uplink.start();
    await rig.clock.advance(60_000);
    assert.equal(rig.broker.requests.length, 0);
    assert.equal(rig.uplink.report().state, "failed: the session number cannot be stored: disk full");
    rig.state.fault = undefined;
    await rig.until("connected", isConnected(rig));
  });

  test("P8: a retained topic that cannot be noted is not published", async () => {
    const rig = new UplinkRig();
    rig.state.setRetained = () => Promise.reject(new Error("disk full"));
    rig.uplink.start();
    await rig.clock.advance(100);
    assert.match(rig.uplink.report().state, /disk full/);
    assert.equal(rig.broker.retained.has(`${TOPIC}/tags/pump`), false);
  });

  test("P4: an outbox that cannot be read is asked again, and waited for in one place only", async () => {
    const rig = new UplinkRig();
    await rig.start();
    rig.queue.unreadable = true;
    const readsBefore = rig.queue.reads;
    rig.values.set("pump/speed", 1);
    await rig.clock.advance(9_999);
    assert.equal(rig.queue.reads - readsBefore, 10, "once a second, as the outbox lets it");
    rig.queue.unreadable = false;
    await rig.drained(1_100);
    assertClean(rig);
  });

  test("P6: a slow card delays history, not live values", async () => {
    const rig = new UplinkRig();
    for (let i = 0; i < 10_000; i++) rig.values.set("pump/speed", i);
    rig.queue.spill();
    rig.queue.fileDelayMs = 3_000;
    await rig.start();
    await rig.clock.advance(1_000);
    rig.values.set("pump/flow", 1);
    await rig.clock.advance(10);
    assert.equal(rig.payloads("data").length, 1);
    assert.equal(rig.payloads("history").length, 0);
    await rig.drained();
    assertClean(rig);
  });
});
