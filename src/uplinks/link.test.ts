import assert from "node:assert/strict";
import { test } from "node:test";
import { createLog } from "../core/log.ts";
import type { Message } from "../pipeline.ts";
import { MemoryQueue } from "../testing/memory-queue.ts";
import { MemoryState } from "../testing/memory-state.ts";
import { tagOf } from "../testing/settable-values.ts";
import { SimulatedBroker } from "../testing/simulated-broker.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import type { Encoded, SessionFormat } from "./format.ts";
import { Link } from "./link.ts";
import { HISTORY_MESSAGE_MAX_BYTES } from "./pace.ts";
import { RetainedTopics } from "./retained-topics.ts";

const PAYLOAD = new Uint8Array(HISTORY_MESSAGE_MAX_BYTES);
const UPKEEP = 40;

function message(topic: string, bytes = 100): Message {
  return { topic, payload: PAYLOAD.subarray(0, bytes), qos: 1, retain: false };
}

/** A sample a message, the largest there may be; upkeep in many messages, once. */
class PlainFormat implements SessionFormat {
  upkeepWaits = false;
  retainedTopics = () => [];
  describe = () => [];
  picture = () => [];
  online = () => [];
  offline = () => [];
  lost = () => [];

  live(): Encoded {
    return { messages: [message("live")], taken: 1 };
  }

  history(_: unknown, maxBytes: number): Encoded {
    return { messages: [message("history", maxBytes)], taken: 1 };
  }

  forgone(_: unknown, maxBytes: number): Encoded {
    return this.history(_, maxBytes);
  }

  upkeep(): readonly Message[] {
    this.upkeepWaits = false;
    return Array.from({ length: UPKEEP }, () => message("upkeep"));
  }

  upkeepDueMs(): number {
    return this.upkeepWaits ? 0 : Number.POSITIVE_INFINITY;
  }
}

test("P3 P6: history lets snapshots that wait for room go first, however much of it there is", async () => {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker({ clock });
  broker.ackDelayMs = 10;
  const queue = new MemoryQueue(clock);
  const tag = tagOf("pump", "speed");
  const take = (count: number) =>
    queue.append(
      Array.from({ length: count }, (_, i) => ({ tag, value: i, status: "Good", sourceTimestampMs: i, epoch: 1 })),
    );
  take(10_000);
  const opening = broker.connect({ server: "a", clientId: "c", keepAliveMs: 15_000, will: message("will") });
  await clock.advance(0);
  const format = new PlainFormat();
  const link = new Link({
    connection: await opening,
    format,
    retained: new RetainedTopics(new MemoryState(), "cloud", "a"),
    queue,
    history: { enabled: true, rateBytesPerS: Number.POSITIVE_INFINITY },
    clock,
    log: createLog({ write: () => undefined, level: "info", format: "text" }),
    onFailure: assert.fail,
    onDelivered: () => undefined,
    server: "a",
    onMoveOn: assert.fail,
  });
  await link.announce();
  link.deliver();
  const sent = (topic: string) => broker.received.filter((one) => one.topic === topic).length;
  const pass = async (ms: number) => {
    for (let i = 0; i < ms / 2; i++) {
      take(1);
      await clock.advance(2);
    }
  };
  await clock.advance(2_000);
  await pass(50);
  const before = sent("history");
  await pass(20);
  assert.ok(sent("history") - before > 20, "history fills its part of the window");
  format.upkeepWaits = true;
  await pass(100);
  assert.equal(sent("upkeep"), UPKEEP);
  link.end();
});
