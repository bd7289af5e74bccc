import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../core/random.ts";
import type { Look } from "./look.ts";
import { type Counted, findingsText, judge, WARM_UP_S } from "./verdict.ts";

const NOTHING_AMISS: Counted = {
  served: 14_400_000,
  faults: 0,
  lost: 0,
  doubled: 12,
  history: 100_000,
  live: 28_700_000,
  recoveries: 115,
  recoveriesJudged: 110,
  recoveryMaxS: 4,
  recoveryWorstS: 9,
  late: 0,
};
const HOUR_S = 3_600;
const MB = 1e6;

function look(s: number, more: Partial<Look> = {}): Look {
  return {
    s,
    life: 1,
    lifeS: s,
    trouble: "",
    quietS: 60,
    delays: { json: { values: 1_000, p50Ms: 8, p99Ms: 40, maxMs: 90 } },
    proverRssBytes: 100 * MB,
    proverLoopDelayP99Ms: 5,
    loadAverage: 1,
    rssBytes: 80 * MB,
    heapBytes: 20 * MB,
    externalBytes: 5 * MB,
    handles: 40,
    timers: 20,
    loopDelayP99Ms: 3,
    ...more,
  };
}

function record(hours: number, more: (s: number) => Partial<Look> = () => ({})): readonly Look[] {
  return Array.from({ length: (hours * HOUR_S) / 10 }, (_, i) => look(i * 10, more(i * 10)));
}

function failed(looks: readonly Look[], counted: Partial<Counted> = {}): readonly string[] {
  const findings = judge(looks, { ...NOTHING_AMISS, ...counted });
  return findings.filter(({ verdict }) => verdict === "FAIL").map(({ name }) => name);
}

test("two hours in which nothing grows pass", () => {
  assert.deepEqual(failed(record(2)), []);
});

test("each thing that grows fails by its name", () => {
  assert.deepEqual(failed(record(2, (s) => ({ rssBytes: (80 + (0.6 * s) / HOUR_S) * MB }))), ["rss slope"]);
  assert.deepEqual(failed(record(2, (s) => ({ handles: 40 + Math.floor((3 * s) / HOUR_S) }))), ["handles slope"]);
  assert.deepEqual(failed(record(2, (s) => ({ timers: 20 + Math.floor((3 * s) / HOUR_S) }))), ["timers slope"]);
});

test("a count that goes up and down is not growing, whatever the slope of its hour", () => {
  const random = seededRandom(4);
  const perMinute = Array.from({ length: 60 }, (_, minute) => 10 + Math.floor(12 * random.next() + minute / 20));
  const looks = record(1, (s) => ({ timers: perMinute[Math.floor(s / 60)] ?? 10 }));
  assert.deepEqual(failed(looks), []);
});

test("what is gathered while it warms up is no growth", () => {
  assert.deepEqual(failed(record(1, (s) => ({ rssBytes: (60 + Math.min(s, WARM_UP_S) / 60) * MB }))), []);
});

test("a new process is not held to the memory of the one before", () => {
  const bornS = HOUR_S - 600;
  const first = (s: number) => ({ rssBytes: (80 + s / 60) * MB });
  const second = (s: number) => ({ life: 2, lifeS: s - bornS, rssBytes: 200 * MB });
  assert.deepEqual(failed(record(2, (s) => (s < bornS ? first(s) : second(s)))), []);
});

test("a short life is not judged, and says so", () => {
  const findings = judge(
    record(0.5, (s) => ({ rssBytes: s * MB })),
    NOTHING_AMISS,
  );
  const slope = findings.find(({ name }) => name === "rss slope");
  assert.equal(slope?.verdict, "");
  assert.match(slope?.note ?? "", /too short/);
});

test("a slope that nobody saw in a long life is not taken for none", () => {
  const never = record(2).map(({ handles: _, ...rest }) => rest);
  assert.deepEqual(failed(never), ["handles slope"]);
  const text = findingsText(judge(never, NOTHING_AMISS));
  assert.match(text, /^handles slope +- .*FAIL +seen at 0 of \d+ looks$/m);
});

test("a run in which nothing was served, or of which nothing was written down, fails", () => {
  assert.deepEqual(failed([], { served: 0 }), ["served"]);
});

test("a return that no quiet moment saw is told, and not judged", () => {
  const text = findingsText(judge(record(2), { ...NOTHING_AMISS, recoveriesJudged: 0, recoveryMaxS: 0 }));
  assert.match(text, /^all there again after a trouble, not judged +9 +s +0 of 115; at the others/m);
});

test("P4: one value lost, one fault, one late return fail", () => {
  assert.deepEqual(failed(record(2), { lost: 1 }), ["lost"]);
  assert.deepEqual(failed(record(2), { faults: 1 }), ["faults"]);
  assert.deepEqual(failed(record(2), { recoveryMaxS: 61 }), ["all there again after a trouble"]);
});

test("delays count at quiet moments, and where the prover was not late itself", () => {
  const slow = { delays: { json: { values: 1_000, p50Ms: 300, p99Ms: 2_000, maxMs: 3_000 } } };
  assert.deepEqual(failed(record(2, () => slow)), ["json: the same, p99, median of looks"]);
  assert.deepEqual(failed(record(2, (s) => (s % 30 === 0 ? {} : { ...slow, quietS: -1 }))), []);
  assert.deepEqual(failed(record(2, (s) => (s % 30 === 0 ? {} : { ...slow, proverLoopDelayP99Ms: 400 }))), []);
});

test("delays that no quiet look saw are not judged, and it is said so", () => {
  const findings = judge(
    record(2, () => ({ proverLoopDelayP99Ms: 400 })),
    NOTHING_AMISS,
  );
  assert.match(findingsText(findings), /^json: reply to subscriber, not judged +- +ms +0 quiet looks of 720$/m);
});

test("what no look saw is told as such", () => {
  const { rssBytes, ...blind } = look(0);
  assert.equal(rssBytes, 80 * MB);
  const text = findingsText(judge([blind], NOTHING_AMISS));
  assert.match(text, /^rss slope +- +MB\/h/);
  assert.match(text, /^rss peak +- +MB/m);
});
