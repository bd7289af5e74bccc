import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { ReloadWatch } from "./reload.ts";

/** Between two looks at the file. */
const LOOK_MS = 2_000;

function watched(t: TestContext): { file: string; watch: ReloadWatch; clock: VirtualClock } {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-reload-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "gateway.yaml");
  writeFileSync(file, "first");
  const clock = new VirtualClock();
  const watch = new ReloadWatch({ file, clock });
  t.after(() => watch.stop());
  return { file, watch, clock };
}

test("P8: what is asked for, or changed, while the gateway starts is loaded once it runs", async (t) => {
  const asked = watched(t);
  const changed = watched(t);
  asked.watch.ask();
  writeFileSync(changed.file, "changed");
  const loaded: string[] = [];
  asked.watch.start(async () => void loaded.push("asked"));
  changed.watch.start(async () => void loaded.push("changed"));
  assert.deepEqual(loaded, ["asked"]);
  await changed.clock.advance(2 * LOOK_MS);
  assert.deepEqual(loaded, ["asked", "changed"]);
});

test("P8: a hang-up during a reload means one more, and none begins once the gateway stops", async (t) => {
  const { watch, clock } = watched(t);
  const ends: (() => void)[] = [];
  watch.start(() => new Promise((done) => ends.push(done)));
  watch.ask();
  watch.ask();
  watch.ask();
  assert.equal(ends.length, 1);
  ends[0]?.();
  await clock.advance(0);
  assert.equal(ends.length, 2);
  watch.ask();
  watch.stop();
  ends[1]?.();
  await clock.advance(0);
  watch.ask();
  assert.equal(ends.length, 2);
});
