import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../core/log.ts";
import type { Sample } from "../pipeline.ts";
import { dated } from "../testing/dated.ts";
import { tagOf } from "../testing/settable-values.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { createTagTable } from "./tag-table.ts";

const SECOND = 1_000;
const EPOCH = 7;

test("P4: the table tells how far back a sample still to come may be stamped: to the earliest read not reported", () => {
  const [a, b] = [tagOf("pump-1", "a"), tagOf("pump-1", "b")];
  const clock = new VirtualClock();
  const taken: Sample[] = [];
  const table = createTagTable({
    devices: [{ name: "pump-1", tags: [a, b] }],
    intake: { append: (samples) => void taken.push(...dated(samples)) },
    clock,
    epochs: { epoch: () => EPOCH, raiseEpoch: () => EPOCH + 1 },
    log: silentLog,
  });
  const read = (tag: typeof a, value: number) => table.read([{ tag, value, status: "Good" }], clock.monotonicMs());
  assert.equal(table.heldBack(), undefined);
  read(a, 1);
  read(b, 1);
  assert.equal(table.heldBack(), undefined, "both are reported");
  clock.stepWall(SECOND);
  read(a, 1);
  const held = { epoch: EPOCH, ms: clock.wallMs() };
  clock.stepWall(SECOND);
  read(b, 1);
  assert.deepEqual(table.heldBack(), held);
  taken.length = 0;
  read(a, 2);
  assert.equal(taken[0]?.sourceTimestampMs, held.ms, "the read before the jump");
  assert.equal(table.heldBack()?.ms, held.ms + SECOND);
});
