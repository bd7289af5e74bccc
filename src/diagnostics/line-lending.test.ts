import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { Clock } from "../core/clock.ts";
import { createLog } from "../core/log.ts";
import { LENT_MAX_MS, LineLending } from "./line-lending.ts";
import { REQUEST_FOLDER } from "./request-desk.ts";

/** Time stands still until it is told to pass. Each look ends by asking for the next one. */
class StepClock implements Clock {
  nowMs = 0;
  #callback: () => void = () => undefined;
  #looked: () => void = () => undefined;
  wallMs = () => this.nowMs;
  monotonicMs = () => this.nowMs;
  after(_delayMs: number, callback: () => void) {
    this.#callback = callback;
    this.#looked();
    return { cancel: () => undefined };
  }
  /** Resolves after the look. */
  pass(ms: number): Promise<void> {
    return new Promise((looked) => {
      this.#looked = looked;
      this.nowMs += ms;
      this.#callback();
    });
  }
}

async function rig(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-lending-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  mkdirSync(join(dir, REQUEST_FOLDER));
  const path = join(dir, "ttyUSB0");
  writeFileSync(path, "");
  symlinkSync(path, join(dir, "by-id"));
  const lease = join(dir, REQUEST_FOLDER, "tool-1.lease");
  const events: string[] = [];
  const line = {
    report: () => ({ name: "RS485-1", path: join(dir, "by-id") }),
    lend: async () => void events.push("lent"),
    takeBack: () => void events.push("back"),
  };
  const clock = new StepClock();
  const log = createLog({ write: (text) => events.push(text.trim()), level: "notice", format: "text" });
  const lending = new LineLending({ dir, lines: () => [line], clock, log });
  const begun = clock.pass(0);
  lending.start();
  await begun;
  writeFileSync(lease, "");
  return { dir, path, lease, events, clock, lending };
}

test("a line is lent by whatever name its port has, to one tool at a time", async (t) => {
  const { path, dir, events, lending } = await rig(t);
  assert.equal((await lending.lend("/dev/ttyS9", "tool-1")).done, false);
  assert.equal((await lending.lend(path, "tool-2")).done, false, "without a lease nobody would know when it ends");
  const answer = await lending.lend(join(dir, "by-id"), "tool-1");
  assert.deepEqual(answer.lent, { line: "RS485-1", forMs: LENT_MAX_MS });
  assert.deepEqual(events, ["lent"]);
  assert.match((await lending.lend(path, "tool-1")).text, /another tool/);
});

test("P7: a line comes back when the tool ends, when it dies, and when its time is over", async (t) => {
  const ends: Record<string, (site: Awaited<ReturnType<typeof rig>>) => Promise<void>> = {
    "the tool has ended": async ({ lease, clock }) => {
      rmSync(lease);
      await clock.pass(1_000);
    },
    "the tool has died": async ({ events, clock }) => {
      await clock.pass(5_000);
      assert.deepEqual(events, ["lent"]);
      await clock.pass(5_000);
    },
    "its time is over": async ({ lease, events, clock }) => {
      for (let ms = 0; ms <= LENT_MAX_MS; ms += 5_000) {
        assert.deepEqual(events, ["lent"]);
        utimesSync(lease, clock.nowMs / 1_000 + 1, clock.nowMs / 1_000 + 1);
        await clock.pass(5_000);
      }
    },
  };
  for (const [reason, happen] of Object.entries(ends)) {
    const site = await rig(t);
    await site.lending.lend(site.path, "tool-1");
    await happen(site);
    assert.equal(site.events[1], "back", reason);
    assert.match(site.events[2] ?? "", new RegExp(`RS485-1 is taken back: ${reason}`));
    assert.ok(!existsSync(site.lease), "so the tool knows");
  }
});
