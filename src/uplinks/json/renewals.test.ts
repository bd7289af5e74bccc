import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { RENEWAL_GAP_MIN_MS, Renewals, SNAPSHOT_PERIOD_MS } from "./renewals.ts";

/** Devices that were all shown at 0, whose reads are counted by hand. */
function setUp(count: number) {
  const names = Array.from({ length: count }, (_, i) => `device-${i}`);
  const revisions = new Map(names.map((name) => [name, 1]));
  const renewals = new Renewals((name) => revisions.get(name) ?? 0);
  for (const name of names) renewals.shown(name, 0);
  const read = (some: readonly string[] = names) => {
    for (const name of some) revisions.set(name, (revisions.get(name) ?? 0) + 1);
  };
  /** Renews as the loop does, asking only when it was told to, with a read before each. */
  const play = (untilMs: number) => {
    const renewed: { readonly name: string; readonly atMs: number }[] = [];
    for (let nowMs = 0; nowMs < untilMs; ) {
      read();
      for (const name of renewals.take(nowMs)) {
        renewals.shown(name, nowMs);
        renewed.push({ name, atMs: nowMs });
      }
      const dueMs = renewals.dueMs(nowMs);
      assert.ok(dueMs > nowMs, "nothing stays due");
      nowMs = dueMs;
    }
    return renewed;
  };
  return { names, renewals, read, play };
}

function gapsOf(times: readonly number[]): readonly number[] {
  return times.slice(1).map((atMs, i) => atMs - (times[i] ?? 0));
}

describe("the renewal of snapshots", () => {
  test("is due a period after the last one, and only where something was read", () => {
    const { renewals, read } = setUp(1);
    assert.equal(renewals.dueMs(0), SNAPSHOT_PERIOD_MS);
    assert.deepEqual(renewals.take(SNAPSHOT_PERIOD_MS), []);
    assert.ok(renewals.dueMs(SNAPSHOT_PERIOD_MS) > SNAPSHOT_PERIOD_MS, "looks again later");
    read();
    assert.equal(renewals.dueMs(SNAPSHOT_PERIOD_MS), SNAPSHOT_PERIOD_MS);
    assert.deepEqual(renewals.take(SNAPSHOT_PERIOD_MS - 1), []);
    assert.deepEqual(renewals.take(SNAPSHOT_PERIOD_MS), ["device-0"]);
  });

  test("P6: of many devices is spread over the period", () => {
    for (const count of [2, 7, 12, 40, 600]) {
      const { play } = setUp(count);
      const renewed = play(10 * SNAPSHOT_PERIOD_MS);
      const times = renewed.map(({ atMs }) => atMs);
      const gapsMs = gapsOf([...new Set(times)]);
      assert.ok(Math.min(...gapsMs) >= RENEWAL_GAP_MIN_MS, `${count}: ${Math.min(...gapsMs)}`);
      const largest = Math.max(...times.map((atMs) => times.filter((one) => one === atMs).length));
      assert.ok(
        largest <= Math.ceil((count * RENEWAL_GAP_MIN_MS) / SNAPSHOT_PERIOD_MS),
        `${count}: ${largest} at once`,
      );
    }
  });

  test("P3: reaches every device, at most once a period and within two", () => {
    for (const count of [1, 2, 7, 12, 13, 40, 600]) {
      const { names, play } = setUp(count);
      const renewed = play(10 * SNAPSHOT_PERIOD_MS);
      for (const name of names) {
        const gapsMs = gapsOf([0, ...renewed.filter((one) => one.name === name).map(({ atMs }) => atMs)]);
        assert.ok(gapsMs.length >= 8, `${name} of ${count}: ${gapsMs.length} times in ten periods`);
        assert.ok(Math.min(...gapsMs) >= SNAPSHOT_PERIOD_MS && Math.max(...gapsMs) <= 2 * SNAPSHOT_PERIOD_MS);
      }
    }
  });
});
