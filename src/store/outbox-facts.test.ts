/** The outbox and the facts in its file: how they leave it, and what one costs that cannot be read. */
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { FaultRig } from "../testing/fault-rig.ts";
import { plain, readAll } from "../testing/store-rig.ts";

test("P8: a removed uplink that is over is forgotten once the file forgets it, not before", async (t) => {
  const rig = await FaultRig.open(t);
  rig.outbox.uplink("removed", "now");
  rig.append(3);
  await rig.clock.advance(2_000);
  await rig.outbox.close();
  await rig.start({}, { maxAgeMs: 60_000 });
  assert.ok((await rig.facts()).has("uplink/removed"));
  await rig.clock.advance(50_000);
  rig.card.failure = "failing";
  rig.append(1);
  await rig.clock.advance(20_000);
  rig.card.failure = undefined;
  await rig.clock.advance(60_000);
  assert.equal(rig.outbox.report().committed, 4);
  assert.ok(!(await rig.facts()).has("uplink/removed"));
});

test("P8: a fact that cannot be read costs that fact: the samples stay, and a loss it told is told as damaged", async (t) => {
  const rig = await FaultRig.open(t);
  const given = rig.append(5);
  await rig.clock.advance(2_000);
  rig.queue.acknowledge({ from: 1, to: 2 });
  await rig.outbox.close();
  await rig.writeFacts([
    ["loss/cloud/7", '{"reason":"eaten by mice"}'],
    ["uplink/cloud", "spoiled"],
    ["runMs", "spoiled"],
  ]);
  await rig.start({});
  assert.deepEqual(
    readdirSync(rig.dir).filter((file) => file.includes("damaged")),
    [],
  );
  assert.deepEqual((await readAll(rig.queue)).map(plain), given, "twice rather than never");
  const [loss, ...others] = rig.queue.losses();
  assert.deepEqual(others, []);
  assert.equal(loss?.reason, "damaged file");
  assert.deepEqual([loss.fromMs, loss.toMs], [0, rig.clock.wallMs()]);
  assert.ok(!(await rig.facts()).has("loss/cloud/7"));
  rig.queue.acknowledgeLoss(loss.id);
  await rig.outbox.close();
  await rig.start({});
  assert.deepEqual(rig.queue.losses(), [], "told once");
});
