import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Reader } from "../testing/reader.ts";
import { deviceOf } from "../testing/settable-values.ts";
import { TOPIC, UplinkRig } from "../testing/uplink-rig.ts";

type Step =
  | { readonly what: "values"; readonly count: number }
  | { readonly what: "wait"; readonly ms: number }
  | { readonly what: "drop" | "freeze" | "heal" | "refuse" | "spill" | "epoch" | "restart" | "lateReader" }
  | { readonly what: "rate"; readonly bytesPerS: number }
  | { readonly what: "ackDelay"; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ what: fc.constant("values" as const), count: fc.integer({ min: 1, max: 200 }) }),
  },
  { weight: 6, arbitrary: fc.record({ what: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 20_000 }) }) },
  {
    weight: 4,
    arbitrary: fc
      .constantFrom("drop", "freeze", "heal", "refuse", "spill", "epoch", "restart", "lateReader")
      .map((what) => ({ what }) as const),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant("rate" as const), bytesPerS: fc.constantFrom(2_000, 20_000, 1e6, 1e9) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ what: fc.constant("ackDelay" as const), ms: fc.constantFrom(0, 50, 2_000, 8_000) }),
  },
);

const TAGS = ["a", "b", "c"];

/** Plays one step. What a reader takes for current must be what is true, but for what is on its way. */
async function play(rig: UplinkRig, one: Step, readers: Reader[]): Promise<void> {
  switch (one.what) {
    case "values":
      for (let i = 0; i < one.count; i++) {
        const tag = TAGS[i % TAGS.length] ?? "a";
        const status = i % 17 === 0 ? "BadNoCommunication" : "Good";
        rig.values.set(`${i % 2 === 0 ? "pump" : "meter"}/${tag}`, i, status);
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
      rig.broker.ackDelayMs = 0;
      break;
    case "refuse":
      rig.broker.refuse("nothing listens there");
      break;
    case "spill":
      rig.queue.spill();
      break;
    case "epoch":
      rig.values.raiseEpoch();
      break;
    case "rate":
      rig.broker.bytesPerS = one.bytesPerS;
      break;
    case "ackDelay":
      rig.broker.ackDelayMs = one.ms;
      break;
    case "restart":
      await rig.stop();
      rig.begin();
      break;
    case "lateReader": {
      const reader = new Reader(TOPIC);
      rig.broker.subscribe("#", (message, retained) => reader.receive(message.topic, message.payload, retained));
      readers.push(reader);
      break;
    }
  }
}

function assertTrue(rig: UplinkRig, reader: Reader): void {
  for (const { name } of rig.values.devices()) {
    assert.deepEqual(reader.currency(name), { current: true, reason: "" });
    for (const { tag, value, status, sourceTimestampMs, epoch } of rig.values.snapshot(name)) {
      const shown = reader.tag(tag.id);
      assert.deepEqual(
        [shown?.value, shown?.status, shown?.timestampMs, shown?.epoch],
        [value, status, sourceTimestampMs, epoch],
      );
    }
  }
}

test("P3 P4: whatever happens to the link, nothing is lost, nothing changed, all in order, and readers end up right", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const rig = new UplinkRig({
        devices: [deviceOf("pump", TAGS), deviceOf("meter", TAGS)],
        broker: { latencyMs: 20, kernelBufferBytes: 20_000 },
      });
      const readers = [rig.reader];
      rig.begin();
      for (const one of steps) {
        await play(rig, one, readers);
        assert.ok(rig.broker.connections() <= 1);
        assert.deepEqual([...rig.ledger.violations(), ...rig.order.violations()], []);
      }
      await play(rig, { what: "heal" }, readers);
      rig.broker.bytesPerS = 1e6;
      await rig.until("connected", () => rig.uplink.report().state === "connected");
      await rig.drained();
      // Within a status period and the renewal of a snapshot every reader is right.
      await rig.clock.advance(130_000);
      for (const reader of readers) assertTrue(rig, reader);
      assert.deepEqual([...rig.ledger.violations(), ...rig.order.violations()], []);
      assert.equal(rig.ledger.summary().lost, 0);
      await rig.stop();
    }),
    { numRuns: 60 },
  );
});
