import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tag } from "../core/tag.ts";
import { tagRig as rig, tagOf } from "../testing/tag-rig.ts";

test("P5: a device read under another configuration begins anew, and one that is kept goes on with its values", () => {
  const kept = tagOf("speed");
  const changed: Tag = { ...tagOf("level"), id: "tank-1/level", device: "tank-1" };
  const { table, read, current, clock } = rig(kept);
  table.reconfigure(
    [
      { name: "pump-1", tags: [kept] },
      { name: "tank-1", tags: [changed] },
    ],
    new Set(["pump-1"]),
  );
  read(kept, 5);
  read(changed, 6);
  const before = table.snapshot("tank-1")[0];
  const revision = table.revision("tank-1");
  table.reconfigure(
    [
      { name: "pump-1", tags: [kept, tagOf("more")] },
      { name: "tank-1", tags: [changed] },
    ],
    new Set(["pump-1"]),
  );
  assert.deepEqual([current(kept).value, current(kept).status], [5, "Good"]);
  assert.equal(current(tagOf("more")).status, "BadWaitingForInitialData");
  const after = table.snapshot("tank-1")[0];
  assert.deepEqual([after?.value, after?.status], [null, "BadWaitingForInitialData"]);
  assert.ok(after !== undefined && before !== undefined && after.sourceTimestampMs > before.sourceTimestampMs);
  assert.ok(table.revision("tank-1") > revision);
  assert.ok(after.sourceTimestampMs <= clock.wallMs() + 10);
});

test("P3: a device that is no more has no values, and a kept one that was lost stays lost", () => {
  const kept = tagOf("speed");
  const { table, clock, taken, read } = rig(kept);
  read(kept, 1);
  table.presence("pump-1", "lost", clock.monotonicMs());
  taken();
  table.reconfigure([{ name: "pump-1", tags: [kept] }], new Set(["pump-1"]));
  assert.equal(table.snapshot("pump-1")[0]?.status, "BadNoCommunication");
  table.reconfigure([], new Set());
  assert.deepEqual(table.snapshot("pump-1"), []);
  assert.deepEqual(taken(), [], "a reload is no sample");
});

test("P9: after a clock that was set back a tag that is new has the time of now, not the highest ever shown", () => {
  const kept = tagOf("speed");
  const fresh = tagOf("more");
  const { table, clock, current } = rig(kept);
  clock.stepWall(-3_600_000);
  table.reconfigure([{ name: "pump-1", tags: [kept, fresh] }], new Set(["pump-1"]));
  assert.equal(current(fresh).sourceTimestampMs, clock.wallMs());
});
