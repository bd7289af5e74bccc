import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../../core/log.ts";
import type { Connection, Message } from "../../pipeline.ts";
import { MemoryState } from "../../testing/memory-state.ts";
import { SettableValues, tagOf } from "../../testing/settable-values.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { createSparkplugFormat } from "./sparkplug-format.ts";

const STATE = "spBv1.0/STATE/scada";

/** A broker that lets nobody hear its own births, and sends what is retained before it answers SUBSCRIBE. */
class EarlyConnection implements Connection {
  readonly limits = { maxPacketBytes: 1e6, maxQos: 2, retainAvailable: true, tellsReasons: true } as const;
  readonly closed = new Promise<never>(() => undefined);
  #listener: (message: Message) => void = () => undefined;

  onMessage(listener: (message: Message) => void): void {
    this.#listener = listener;
  }

  async subscribe(filters: Readonly<Record<string, 0 | 1>>): Promise<readonly string[]> {
    const payload = Buffer.from(JSON.stringify({ online: true, timestamp: 1 }));
    this.#listener({ topic: STATE, payload, qos: 1, retain: true });
    return Object.keys(filters).filter((filter) => filter.includes("BIRTH"));
  }

  async publish(): Promise<void> {}
  async unsubscribe(): Promise<void> {}
  async ping(): Promise<void> {}
  async close(): Promise<void> {}
  destroy(): void {}
  bufferedBytes(): number {
    return 0;
  }
}

test("P3: a host that is told of before SUBACK is not forgotten where the broker refuses our own births", async () => {
  const clock = new VirtualClock();
  const values = new SettableValues(clock, [{ name: "pump", tags: [tagOf("pump", "speed")] }], []);
  const config = {
    name: "cloud",
    node: { group: "g", name: "n" },
    servers: ["mqtts://a"],
    primaryHost: "scada",
    sparkplug: { aliases: false, datatypeInData: false, barrier: "publish" as const },
  };
  const format = createSparkplugFormat({ config, values, state: new MemoryState(), clock, log: silentLog });
  const session = format.session({ session: 1, connectMs: 0 }, { messageMaxBytes: 100_000, retainAvailable: false });
  const conversation = session.converse?.(new EarlyConnection(), {
    server: "mqtts://a",
    onRetell: () => false,
    onMoveOn: () => undefined,
    onFailure: () => undefined,
    onNews: () => undefined,
    publish: () => Promise.resolve(),
  });
  assert.ok(conversation);
  void conversation.begin();
  await clock.advance(0);
  assert.equal(conversation.awaitsHost(), false);
});
