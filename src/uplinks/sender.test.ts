import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Connection, Message, Transport } from "../pipeline.ts";
import { deviceOf } from "../testing/settable-values.ts";
import { SimulatedBroker } from "../testing/simulated-broker.ts";
import { SimulatedConnection } from "../testing/simulated-connection.ts";
import { UplinkRig } from "../testing/uplink-rig.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { passUntil } from "../testing/virtual-wait.ts";
import { MESSAGES_IN_FLIGHT_MAX, SINGLES_IN_FLIGHT_MAX } from "./flow.ts";
import { STATUS_PERIOD_MS } from "./json/json-format.ts";
import { SNAPSHOT_PERIOD_MS } from "./json/renewals.ts";
import { Sender } from "./sender.ts";

const WILL: Message = { topic: "x/status", payload: Buffer.from("gone"), qos: 1, retain: true };

function message(qos: 0 | 1, topic = "x/data"): Message {
  return { topic, payload: Buffer.from("1"), qos, retain: false };
}

/** A sender to a broker that takes a second to acknowledge, and denies one topic. */
async function connected() {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker({ clock, deniedTopics: ["x/denied"] });
  broker.ackDelayMs = 1_000;
  const opening = broker.connect({ server: "mqtts://b", clientId: "c", keepAliveMs: 15_000, will: WILL });
  await clock.advance(0);
  const failures: string[] = [];
  const sender = new Sender({
    connection: await opening,
    clock,
    onSent: () => undefined,
    onAck: () => undefined,
    onRoom: () => undefined,
    onFailure: (reason) => failures.push(reason),
  });
  return { clock, broker, sender, failures };
}

/** An uplink whose connection is looked at each time that something is handed to it. */
function watched(rigOptions: ConstructorParameters<typeof UplinkRig>[0] = {}) {
  let most = 0;
  const transport: Transport = { connect: async (request) => counted(await rig.broker.connect(request)) };
  const counted = (connection: Connection): Connection =>
    new Proxy(connection, {
      get(target, key) {
        const value: unknown = Reflect.get(target, key, target);
        if (typeof value !== "function") return value;
        return (...given: unknown[]) => {
          const result: unknown = Reflect.apply(value, target, given);
          if (target instanceof SimulatedConnection) most = Math.max(most, target.inFlight());
          return result;
        };
      },
    });
  const rig: UplinkRig = new UplinkRig({ ...rigOptions, transport });
  return { rig, most: () => most };
}

describe("messages in flight", () => {
  test("P7: are counted as brokers count them; over QoS 0 what is acknowledged together is one", async () => {
    const { sender, clock } = await connected();
    sender.send([message(1), message(1, "x/events")], "live", () => undefined);
    assert.equal(sender.inFlight(), 2);
    sender.send([message(0), message(0), message(0)], "live", () => undefined);
    assert.equal(sender.inFlight(), 3);
    await clock.advance(2_000);
    assert.equal(sender.inFlight(), 0);
  });

  test("P7: what stands for itself counts; of several who wait for room only one takes it", async () => {
    const { sender, clock, broker } = await connected();
    const send = () => sender.send([message(1)], "live", () => undefined);
    send();
    await clock.advance(500);
    for (let i = 1; i < SINGLES_IN_FLIGHT_MAX; i++) send();
    const results = [sender.sendBeside(message(1, "x/result")), sender.sendBeside(message(1, "x/result"))];
    await clock.advance(499);
    assert.equal(broker.received.length, SINGLES_IN_FLIGHT_MAX);
    await clock.advance(2);
    assert.equal(broker.received.length, SINGLES_IN_FLIGHT_MAX + 1);
    assert.equal(sender.inFlight(), SINGLES_IN_FLIGHT_MAX);
    await clock.advance(1_999);
    await Promise.all(results);
    assert.equal(sender.inFlight(), 0);
  });

  test("a refusal of what stands for itself costs no more than it", async () => {
    const { sender, clock, failures } = await connected();
    const refused = assert.rejects(sender.sendBeside(message(1, "x/denied")), /not authorised/);
    await clock.advance(2_000);
    await refused;
    assert.deepEqual(failures, []);
    assert.equal(sender.inFlight(), 0);
    sender.end();
    await assert.rejects(sender.sendBeside(message(1)), /not connected/);
  });

  test("P7: what stands for itself ends with the sender, whether the connection tells its end or not", async () => {
    const { sender, broker } = await connected();
    broker.ackDelayMs = Number.MAX_SAFE_INTEGER;
    const unanswered = assert.rejects(sender.sendBeside(message(1)), /not connected/);
    sender.end();
    await unanswered;
    assert.equal(sender.inFlight(), 0);
  });

  test("P7: events, which go a second time on a topic of their own, keep to 20 of them", async () => {
    const devices = [deviceOf("gateway", ["events"]), deviceOf("pump", ["speed"])];
    const { rig, most } = watched({ devices });
    for (let i = 0; i < 1_500; i++) rig.values.set(i % 50 === 0 ? "gateway/events" : "pump/speed", `${i}. before`);
    rig.broker.latencyMs = 100;
    await rig.start();
    for (let i = 0; i < 300; i++) {
      rig.values.set(i % 3 === 0 ? "gateway/events" : "pump/speed", `${i}. live`);
      await rig.clock.advance(10);
    }
    await rig.drained();
    assert.equal(most(), MESSAGES_IN_FLIGHT_MAX);
    assert.ok(rig.topics().filter((topic) => topic === "events").length > 20);
    assert.deepEqual(rig.ledger.violations(), []);
    assert.equal(rig.ledger.summary().lost, 0);
  });

  test("P7: a picture and a status that wait for room do not take the same one", async () => {
    const devices = Array.from({ length: 60 }, (_, i) => deviceOf(`meter-${i}`, ["a", "b"]));
    const { rig, most } = watched({ devices });
    await rig.start();
    const readLive = rig.queue.readLive.bind(rig.queue);
    await rig.clock.advance(STATUS_PERIOD_MS - 1_500);
    // What was given up before it was told has the picture told anew, which takes three seconds here.
    rig.queue.readLive = async (...asked) => ({ ...(await readLive(...asked)), samples: [] });
    rig.broker.ackDelayMs = 1_000;
    rig.values.set("meter-0/a", 1);
    await rig.clock.advance(4_000);
    assert.equal(rig.payloads("status").length, 2);
    assert.equal(rig.payloads("snapshot/meter-59").length, 2);
    assert.equal(most(), SINGLES_IN_FLIGHT_MAX);
  });

  test("P6: live values do not wait for snapshots that wait for room", async () => {
    const devices = Array.from({ length: 300 }, (_, i) => deviceOf(`meter-${i}`, ["a"]));
    const rig = new UplinkRig({ devices });
    await rig.start();
    for (const { name } of devices) rig.values.set(`${name}/a`, 1);
    await rig.clock.advance(SNAPSHOT_PERIOD_MS - 1_000);
    rig.broker.ackDelayMs = 1_000;
    const renewed = () => rig.topics().filter((topic) => topic.startsWith("snapshot/")).length - devices.length;
    await passUntil(rig.clock, "snapshots are on their way", () => renewed() > 0);
    const data = rig.payloads("data").length;
    rig.values.set("meter-0/a", 2);
    await rig.clock.advance(500);
    assert.equal(renewed(), SINGLES_IN_FLIGHT_MAX, "the others wait");
    assert.equal(rig.payloads("data").length, data + 1);
  });
});
