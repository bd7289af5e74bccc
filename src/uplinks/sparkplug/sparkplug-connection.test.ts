import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connection, Message } from "../../pipeline.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { decodePayload, encodePayload } from "./payload.ts";
import { SparkplugConnection } from "./sparkplug-connection.ts";

/** A connection whose questions are answered by hand. */
function setUp(barrierTopic?: string) {
  const wire: string[] = [];
  const questions: (() => void)[] = [];
  const ask = (what: string) => {
    wire.push(what);
    return new Promise<void>((resolve) => questions.push(resolve));
  };
  const inner: Connection = {
    limits: { maxPacketBytes: 1e6, maxQos: 2, retainAvailable: true, tellsReasons: true },
    closed: new Promise(() => undefined),
    publish({ topic, payload, qos }) {
      if (qos === 1) return ask(topic);
      const { seq, timestamp } = decodePayload(payload);
      wire.push(`${topic.split("/")[2]} ${seq} ${timestamp}`);
      return Promise.resolve();
    },
    ping: () => ask("ping"),
    subscribe: async () => [],
    unsubscribe: async () => undefined,
    onMessage: () => undefined,
    bufferedBytes: () => 0,
    close: async (will) => void wire.push(`close ${will}`),
    destroy: () => undefined,
  };
  const clock = new VirtualClock(1_000);
  const connection = new SparkplugConnection({
    connection: inner,
    clock,
    echoTopics: [],
    ...(barrierTopic !== undefined && { barrierTopic }),
  });
  const read: string[] = [];
  const publish = (type: string) => {
    const payload = encodePayload({ metrics: [] });
    const message: Message = { topic: `spBv1.0/g/${type}/n`, payload, qos: 0, retain: false };
    void connection.publish(message).then(() => read.push(type));
  };
  const answer = async () => {
    questions.shift()?.();
    await clock.advance(0);
  };
  return { clock, connection, wire, read, publish, answer };
}

test("P4: an answer acknowledges what was written before its question, and no more", async () => {
  const { clock, wire, read, publish, answer } = setUp();
  publish("NBIRTH");
  publish("DBIRTH");
  await clock.advance(0);
  publish("DDATA");
  await clock.advance(0);
  assert.deepEqual(wire, ["NBIRTH 0 1000", "DBIRTH 1 1000", "ping", "DDATA 2 1000", "ping"]);
  assert.deepEqual(read, []);
  await answer();
  assert.deepEqual(read, ["NBIRTH", "DBIRTH"]);
  await answer();
  assert.deepEqual(read, ["NBIRTH", "DBIRTH", "DDATA"]);
});

test("numbers count to 255 and again from 0, and from 0 at each birth of the node", async () => {
  const { clock, wire, publish } = setUp();
  publish("NBIRTH");
  for (let i = 0; i < 256; i++) publish("NDATA");
  publish("NBIRTH");
  publish("NDATA");
  await clock.advance(0);
  const numbers = wire.filter((line) => line !== "ping").map((line) => Number(line.split(" ")[1]));
  assert.deepEqual(numbers.slice(254), [254, 255, 0, 0, 1]);
});

test("the barrier may be a message at QoS 1; the end is planned, with the will", async () => {
  const { clock, connection, wire, publish } = setUp("own/barrier");
  publish("NBIRTH");
  await clock.advance(0);
  await connection.close();
  assert.deepEqual(wire, ["NBIRTH 0 1000", "own/barrier", "close send will"]);
});
