import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { deviceOf } from "../../testing/settable-values.ts";
import type { SimulatedBrokerOptions } from "../../testing/simulated-broker.ts";
import { SparkplugRig } from "../../testing/sparkplug-rig.ts";

const SAMPLES = 12_000;
/** A historical metric, about. */
const SAMPLE_BYTES = 50;
const HISTORY_MESSAGE_MIN_BYTES = 4_096;
const LIVE_MESSAGE_BYTES = 200;
/** As a gateway with some lines has them: its birth is no small message. */
const NODE_TAGS = Array.from({ length: 60 }, (_, n) => `lines/RS485-${n}/utilisation`);
const DEVICES = Array.from({ length: 12 }, (_, n) => deviceOf(`pump-${n}`, ["speed", "flow"]));

async function replaying(link: Omit<SimulatedBrokerOptions, "clock">): Promise<SparkplugRig> {
  const rig = new SparkplugRig({ devices: DEVICES, nodeTags: NODE_TAGS, broker: link });
  for (let i = 0; i < SAMPLES; i++) rig.values.set(`pump-${i % DEVICES.length}/speed`, i);
  rig.queue.spill();
  await rig.start();
  return rig;
}

describe("history beside live values, as Sparkplug", () => {
  const links: readonly (readonly [name: string, link: Omit<SimulatedBrokerOptions, "clock">])[] = [
    ["1 Mbit/s, 30 ms", { bytesPerS: 125_000, latencyMs: 15, kernelBufferBytes: 200_000 }],
    ["64 kbit/s, 200 ms", { bytesPerS: 8_000, latencyMs: 100, kernelBufferBytes: 20_000 }],
  ];
  for (const [name, link] of links) {
    test(`P6: over ${name}: a live value is delayed by at most 250 ms, a round trip and a message of 4 kB`, async () => {
      const rig = await replaying(link);
      for (let i = 0; i < 40; i++) {
        rig.values.set("pump-0/flow", i);
        await rig.clock.advance(1_037);
      }
      const { bytesPerS = 1, latencyMs = 0 } = link;
      const live = rig.heard.flatMap(({ type, metrics, atMs }) =>
        type !== "DDATA"
          ? []
          : metrics.filter(({ isHistorical }) => isHistorical !== true).map(({ timestamp }) => ({ timestamp, atMs })),
      );
      const offsetMs = rig.clock.wallMs() - rig.clock.monotonicMs();
      const worstMs = Math.max(...live.map(({ timestamp, atMs }) => atMs + offsetMs - Number(timestamp)));
      const boundMs = 250 + 2 * latencyMs + ((HISTORY_MESSAGE_MIN_BYTES + 4 * LIVE_MESSAGE_BYTES) / bytesPerS) * 1_000;
      assert.ok(live.length >= 30, `${live.length} live values came`);
      assert.ok(worstMs <= boundMs, `worst ${worstMs} ms of ${boundMs}`);
    });
  }

  test("P6: a fast link is filled, however large the births are", async () => {
    const link = { bytesPerS: 1_250_000, latencyMs: 300, kernelBufferBytes: 200_000 };
    const rig = await replaying(link);
    const fromMs = rig.clock.monotonicMs();
    await rig.until("all is acknowledged", () => rig.queue.depth() === 0, 600_000);
    const tookMs = rig.clock.monotonicMs() - fromMs;
    const wireMs = ((SAMPLES * SAMPLE_BYTES) / link.bytesPerS) * 1_000;
    assert.ok(tookMs < wireMs + 30_000, `${tookMs} ms, of which the wire needs ${wireMs}`);
  });
});
