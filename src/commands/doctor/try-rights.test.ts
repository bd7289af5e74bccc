import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostClock } from "../../core/clock.ts";
import type { Connection, Message } from "../../pipeline.ts";
import { tryRights, type Writer } from "./try-rights.ts";

interface Answers {
  readonly tellsReasons?: boolean;
  readonly publish?: (message: Message) => Promise<void>;
  readonly refused?: readonly string[];
}

function connectionThat({ tellsReasons = true, publish = async () => undefined, refused = [] }: Answers) {
  const published: Message[] = [];
  const subscribed: string[] = [];
  const connection: Connection = {
    limits: { maxPacketBytes: 1_000, maxQos: 2, retainAvailable: true, tellsReasons },
    publish(message) {
      published.push(message);
      return publish(message);
    },
    async subscribe(filters) {
      subscribed.push(...Object.keys(filters));
      return refused;
    },
    unsubscribe: async () => undefined,
    onMessage: () => undefined,
    ping: async () => undefined,
    bufferedBytes: () => 0,
    closed: new Promise(() => undefined),
    close: async () => undefined,
    destroy: () => undefined,
  };
  return { connection, published, subscribed };
}

const NODE = { group: "plant-7", name: "p" };
const JSON_UPLINK: Writer = { format: "json", topic: "plant-7/p", id: "{device}/{tag}", node: NODE };

describe("doctor at a broker's rights", () => {
  test("says offline, in a session below all, kept by nobody, whatever the JSON", async () => {
    for (const format of ["json", "kepware", "aws-iot", "azure-iot-hub"] as const) {
      const { connection, published } = connectionThat({});
      const { refused, words } = await tryRights(connection, { ...JSON_UPLINK, format }, hostClock);
      assert.deepEqual(refused, []);
      const [message, ...more] = published;
      assert.deepEqual(more, []);
      assert.equal(message?.retain, false);
      const { timestamp: _, ...said } = JSON.parse(Buffer.from(message?.payload ?? []).toString());
      assert.deepEqual(said, { online: false, session: 0, epoch: 0 });
      assert.ok(words.includes(`may write ${message?.topic}`), words);
    }
  });

  test("a broker that refuses, or hangs up at it, is told by the topic", async () => {
    const publish = () => Promise.reject(new Error("the broker refuses messages to x: not authorised"));
    const { connection } = connectionThat({ publish });
    const { refused, words } = await tryRights(connection, JSON_UPLINK, hostClock);
    assert.deepEqual(refused, ["plant-7/p/status"]);
    assert.match(words, /not authorised/);
  });

  test("MQTT 3.1.1 does not say whether a message was let through, and neither is it claimed", async () => {
    const { connection } = connectionThat({ tellsReasons: false });
    const { words } = await tryRights(connection, JSON_UPLINK, hostClock);
    assert.match(words, /does not say that it may/);
  });

  test("with Sparkplug nothing is published, and what the node must read is asked for", async () => {
    const ncmd = "spBv1.0/plant-7/NCMD/p";
    const { connection, published, subscribed } = connectionThat({ refused: [ncmd] });
    const sparkplug: Writer = { ...JSON_UPLINK, format: "sparkplug", primaryHost: "scada-1" };
    assert.deepEqual((await tryRights(connection, sparkplug, hostClock)).refused, [ncmd]);
    assert.deepEqual(subscribed, [ncmd, "spBv1.0/plant-7/DCMD/p/+", "spBv1.0/STATE/scada-1"]);
    assert.deepEqual(published, []);
  });
});
