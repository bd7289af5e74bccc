import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Sample } from "../../pipeline.ts";
import { deviceOf } from "../../testing/settable-values.ts";
import { SparkplugRig } from "../../testing/sparkplug-rig.ts";

type Step =
  | { readonly what: "values"; readonly count: number }
  | { readonly what: "wait"; readonly ms: number }
  | { readonly what: "drop" | "freeze" | "heal" | "refuse" | "spill" | "rebirth" }
  | { readonly what: "lose" | "find"; readonly device: number }
  | { readonly what: "rate"; readonly bytesPerS: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ what: fc.constant("values" as const), count: fc.integer({ min: 1, max: 300 }) }),
  },
  { weight: 6, arbitrary: fc.record({ what: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 15_000 }) }) },
  {
    weight: 5,
    arbitrary: fc
      .constantFrom("drop", "freeze", "heal", "refuse", "spill", "rebirth")
      .map((what) => ({ what }) as const),
  },
  {
    weight: 2,
    arbitrary: fc.record({ what: fc.constantFrom("lose", "find"), device: fc.nat({ max: 3 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant("rate" as const), bytesPerS: fc.constantFrom(20_000, 1e6, 1e9) }),
  },
);

/** More devices than messages may be in flight at once. */
const DEVICES = Array.from({ length: 25 }, (_, index) => `d${index}`);

async function play(rig: SparkplugRig, one: Step): Promise<void> {
  switch (one.what) {
    case "values":
      for (let i = 0; i < one.count; i++) {
        const device = DEVICES[(i * 7) % DEVICES.length] ?? "";
        if (!rig.values.isLost(device)) rig.values.set(`${device}/${i % 2 === 0 ? "a" : "b"}`, i);
      }
      break;
    case "wait":
      await rig.clock.advance(one.ms);
      break;
    case "drop":
      rig.broker.drop();
      break;
    case "freeze":
      rig.broker.freeze();
      break;
    case "heal":
      rig.broker.thaw();
      rig.broker.refuse(undefined);
      break;
    case "refuse":
      rig.broker.refuse("nothing listens there");
      break;
    case "spill":
      rig.queue.spill();
      break;
    case "rebirth":
      rig.rebirth();
      break;
    case "lose":
      rig.values.lose(`d${one.device}`);
      break;
    case "find":
      rig.values.find(`d${one.device}`);
      rig.values.set(`d${one.device}/a`, 1);
      break;
    case "rate":
      rig.broker.bytesPerS = one.bytesPerS;
      break;
  }
}

/** Every sample was told, and what the host shows is what is true. */
function assertTold(rig: SparkplugRig): void {
  const missing = rig.taken.filter((sample) => !isTold(rig, sample));
  assert.deepEqual(missing.slice(0, 3), []);
  for (const device of DEVICES) {
    for (const { tag, value, sourceTimestampMs } of rig.values.snapshot(device)) {
      const shown = rig.scada.current(device, tag.name);
      if (rig.values.isLost(device)) assert.equal(shown, undefined, `${device} is dead`);
      else assert.deepEqual([shown?.value, shown?.ms], [value, sourceTimestampMs], tag.id);
    }
  }
}

function isTold(rig: SparkplugRig, { tag, sourceTimestampMs }: Sample): boolean {
  return rig.scada.isTold(tag.device, tag.name, sourceTimestampMs);
}

test("P3 P4: whatever happens to link, broker and devices, nothing is lost, births stand before data, and a host ends up right", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 30 }), async (steps) => {
      const rig = new SparkplugRig({
        devices: DEVICES.map((name) => deviceOf(name, ["a", "b"])),
        broker: { latencyMs: 20, kernelBufferBytes: 20_000 },
      });
      rig.queue.fileDelayMs = 30;
      rig.begin();
      for (const one of steps) {
        await play(rig, one);
        assert.ok(rig.broker.connections() <= 1);
        assert.deepEqual(rig.scada.violations, []);
      }
      await play(rig, { what: "heal" });
      rig.broker.bytesPerS = 1e6;
      await rig.until("connected", () => rig.uplink.report().state === "connected");
      await rig.until("all is acknowledged", () => rig.queue.depth() === 0);
      await rig.pass(10_000);
      assert.deepEqual(rig.scada.violations, []);
      assertTold(rig);
      await rig.stop();
    }),
    { numRuns: 20 },
  );
});
