/** P9 of the whole gateway: what it says of a time that nobody knows, and what it makes of it once somebody does. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { BoardSite, type BoardSiteOptions, type ToldValue, TRUE_TIME_ID } from "./board-site.ts";
import { runHonestTime, stampProblems } from "./honest-time-run.ts";

const MINUTE_MS = 60_000;
const YEAR_MS = 31_557_600_000;
/** More by `npm run prove:honest-time`. */
const SEEDS = 8;

function siteOf(t: TestContext, options?: BoardSiteOptions): BoardSite {
  const site = new BoardSite(options);
  t.after(() => site.end());
  return site;
}

function checkStamps(told: readonly ToldValue[]): void {
  assert.deepEqual(stampProblems(told), []);
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
  assert.deepEqual(site.missing().slice(0, -4), []);
  // The next boot knows its numbers.
  await site.stopGateway();
  await site.boot({ wallMs: 0 });
  await site.pass(MINUTE_MS);
  assert.equal(site.statuses().at(-1)?.clock, "unsynced");
  const copies = site.told().filter(({ unsynced }) => unsynced);
  assert.ok(copies.length > 60, `${copies.length} copies`);
  assert.ok(copies.every(({ stage, status }) => stage !== "history" && status === "Good"));
  assert.ok((site.life.gateway?.uplinks()[0]?.depth ?? 0) > 60, "copies acknowledge nothing");
  site.board.synchronise();
  await site.until("all is told", () => site.life.gateway?.uplinks()[0]?.depth === 0);
  await site.until("the status says so", () => site.statuses().at(-1)?.clock === undefined);
  checkStamps(site.told());
  assert.deepEqual(site.missing(), []);
  assert.deepEqual(site.losses(), []);
});

test("P9: after waitAtMost the host's time is taken, and nothing is Good until the clock is", async (t) => {
  const site = siteOf(t, { waitAtMostMs: MINUTE_MS });
  await site.boot({ wallMs: site.truth.wallMs() - YEAR_MS, notBeforeMs: site.truth.wallMs() - 2 * YEAR_MS });
  await site.pass(2 * MINUTE_MS);
  assert.equal(site.clockState(), "host");
  await site.until("all is told", () => site.life.gateway?.uplinks()[0]?.depth === 0);
  const told = site.told().filter(({ unsynced }) => !unsynced);
  assert.ok(told.length > 200);
  assert.ok(told.every(({ status }) => status === "UncertainLastUsableValue"));
  site.board.synchronise();
  await site.pass(MINUTE_MS);
  assert.equal(site.told().findLast(({ stage }) => stage === "data")?.status, "Good");
  checkStamps(site.told());
});

test("P9: a restart in the same boot goes on where it was, before the clock is good and after", async (t) => {
  const site = siteOf(t, { waitAtMostMs: 60 * MINUTE_MS });
  await site.boot({ wallMs: 0, bootId: "one" }, (board) => board.synchronise());
  await site.pass(10_000);
  await site.stopGateway();
  await site.boot({ wallMs: 0, bootId: "two" });
  await site.pass(20_000);
  await site.stopGateway();
  await site.startGateway();
  await site.pass(20_000);
  await site.stopGateway();
  site.board.synchronise();
  await site.startGateway();
  await site.until("all is told", () => site.life.gateway?.uplinks()[0]?.depth === 0);
  await site.stopGateway();
  site.board.synchronised = false;
  await site.startGateway();
  await site.pass(20_000);
  assert.equal(site.clockState(), "holdover");
  await site.stopGateway();
  checkStamps(site.told());
  assert.deepEqual(site.missing(), []);
  assert.ok(site.told().every(({ unsynced, status }) => unsynced || status === "Good"));
});

test("P9: what a boot took in without ever knowing the time is told by its best-known time, as uncertain", async (t) => {
  const site = siteOf(t);
  await site.boot({}, (board) => board.synchronise());
  await site.pass(MINUTE_MS);
  const lastSeenMs = site.truth.wallMs();
  await site.stopGateway();
  const endedMs = site.truth.wallMs();
  await site.pass(YEAR_MS);
  await site.boot({ wallMs: 0 });
  await site.pass(MINUTE_MS);
  const darkMs = site.truth.wallMs();
  site.cutPower();
  await site.pass(1_000);
  await site.boot({ wallMs: 0 }, (board) => board.synchronise());
  await site.until("all is told", () => site.life.gateway?.uplinks()[0]?.depth === 0);
  const guessed = site.told().filter(({ unsynced, trueMs }) => !unsynced && trueMs > endedMs && trueMs < darkMs);
  assert.ok(guessed.length > 100, `${guessed.length} of the boot in the dark`);
  assert.ok(guessed.every(({ status }) => status === "UncertainLastUsableValue"));
  assert.ok(
    guessed.every(({ t: at }) => at >= lastSeenMs && at < endedMs + 2 * MINUTE_MS),
    "after the last time seen",
  );
  checkStamps(site.told());
});

test("P9: a best-known time that was ahead gets no one to take old values for new ones", async (t) => {
  const site = siteOf(t);
  await site.boot({}, (board) => board.synchronise());
  await site.pass(10_000);
  await site.stopGateway();
  await site.boot({ wallMs: 0, notBeforeMs: site.truth.wallMs() + YEAR_MS });
  await site.pass(MINUTE_MS);
  assert.ok((site.reader.tag(TRUE_TIME_ID)?.timestampMs ?? 0) > site.truth.wallMs() + YEAR_MS - MINUTE_MS);
  site.board.synchronise();
  await site.pass(MINUTE_MS);
  const shown = site.reader.tag(TRUE_TIME_ID);
  assert.ok(
    Math.abs((shown?.timestampMs ?? 0) - site.truth.wallMs()) < 2_000,
    "the reader's rule alone finds the newest",
  );
  await site.until("all is told", () => site.life.gateway?.uplinks()[0]?.depth === 0);
  checkStamps(site.told());
  assert.deepEqual(site.missing().slice(0, -4), []);
});

test("P9: a real-time clock is believed, and one with a dead battery is not", async (t) => {
  const site = siteOf(t);
  const good = { notBeforeMs: site.truth.wallMs() - YEAR_MS };
  await site.boot(good, (board) => {
    board.hasRtc = true;
  });
  await site.pass(5_000);
  assert.equal(site.clockState(), "rtc");
  await site.stopGateway();
  await site.boot({ ...good, wallMs: Date.UTC(2000, 0, 1) }, (board) => {
    board.hasRtc = true;
  });
  await site.pass(5_000);
  assert.equal(site.clockState(), "unsynced");
});

test("P4 P9: through boots, steps by years, restarts and power cuts no sample is lost untold, doubled, reordered or stamped wrong as Good", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) assert.deepEqual(await runHonestTime(seed), [], `seed ${seed}`);
});
