/** P9 of the whole gateway: what it says of a time that nobody knows, and what it makes of it once somebody does. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { BoardSite, type BoardSiteOptions, type ToldValue } from "./board-site.ts";

const MINUTE_MS = 60_000;
const YEAR_MS = 31_557_600_000;
/** From the request to the reply, and what a second's step is bridged by. */
const STAMP_OFF_MAX_MS = 1_000;

function siteOf(t: TestContext, options?: BoardSiteOptions): BoardSite {
  const site = new BoardSite(options);
  t.after(() => site.end());
  return site;
}

/** What is Good is stamped right; nothing has two stamps, and nothing two contents. */
function checkStamps(told: readonly ToldValue[]): void {
  const stamps = new Map<number, string>();
  for (const value of told.filter(({ unsynced }) => !unsynced)) {
    const offMs = Math.abs(value.t - value.trueMs);
    assert.ok(value.status !== "Good" || offMs <= STAMP_OFF_MAX_MS, `a good value is ${offMs} ms off`);
    const identity = `${value.epoch} ${value.t} ${value.status}`;
    assert.equal(stamps.get(value.trueMs) ?? identity, identity, "told twice, and not as the same");
    stamps.set(value.trueMs, identity);
  }
  assert.equal(new Set(stamps.values()).size, stamps.size, "two samples with one identity");
  const inOrder = [...stamps].sort(([a], [b]) => a - b).map(([, identity]) => identity.split(" ").map(Number));
  inOrder.slice(1).forEach(([epoch = 0, t = 0], i) => {
    const [epochBefore = 0, before = 0] = inOrder[i] ?? [];
    assert.ok(epoch > epochBefore || (epoch === epochBefore && t > before), "out of order");
  });
}

function untoldOf(site: BoardSite): readonly number[] {
  const arrived = new Set(site.told().flatMap(({ unsynced, trueMs }) => (unsynced ? [] : [trueMs])));
  return [...site.takenIn].filter((trueMs) => !arrived.has(trueMs));
}

test("P9: before the clock is good values are shown as unsynced; then each is told as history, with its true time", async (t) => {
  const site = siteOf(t);
  await site.boot({ wallMs: 0, notBeforeMs: site.truth.wallMs() - YEAR_MS });
  await site.pass(MINUTE_MS);
  assert.equal(site.statuses().length, 0, "a session number must not begin at a guess of the time");
  assert.equal(site.clockState(), "unsynced");
  site.board.synchronise();
  await site.pass(MINUTE_MS);
  assert.equal(site.clockState(), "ntp");
  assert.equal(site.statuses().at(-1)?.clock, undefined);
  checkStamps(site.told());
  assert.deepEqual(untoldOf(site).slice(0, -4), []);
  // The next boot knows its numbers.
  await site.stopGateway();
  await site.boot({ wallMs: 0 });
  await site.pass(MINUTE_MS);
  assert.equal(site.statuses().at(-1)?.clock, "unsynced");
  const copies = site.told().filter(({ unsynced }) => unsynced);
  assert.ok(copies.length > 60, `${copies.length} copies`);
  assert.ok(copies.every(({ stage, status }) => stage === "data" && status === "Good"));
  assert.ok((site.life.gateway?.uplinks()[0]?.depth ?? 0) > 60, "copies acknowledge nothing");
  site.board.synchronise();
  await site.until("all is told", () => site.life.gateway?.uplinks()[0]?.depth === 0);
  await site.until("the status says so", () => site.statuses().at(-1)?.clock === undefined);
  checkStamps(site.told());
  assert.deepEqual(untoldOf(site), []);
  assert.deepEqual(site.losses(), []);
});
