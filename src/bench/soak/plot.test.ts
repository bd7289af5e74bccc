import assert from "node:assert/strict";
import { test } from "node:test";
import type { Look } from "./look.ts";
import { plotOf, roundStep } from "./plot.ts";

function look(s: number, more: Partial<Look> = {}): Look {
  return {
    s,
    life: 1,
    lifeS: s,
    trouble: "",
    quietS: 60,
    delays: { json: { values: 10, p50Ms: 8, p99Ms: 40, maxMs: 90 } },
    proverRssBytes: 1,
    proverLoopDelayP99Ms: 1,
    loadAverage: 1,
    ...more,
  };
}

test("steps of an axis are 1, 2 or 5 times a power of ten", () => {
  assert.deepEqual([0.03, 0.2, 1.1, 2.1, 7, 60].map(roundStep), [0.05, 0.2, 2, 5, 10, 100]);
});

test("every number in the plot is one, and stays inside the picture", () => {
  const looks = Array.from({ length: 500 }, (_, i) =>
    look(i * 5, { rssBytes: 8e7 + i * 1e4, quietS: i % 50 < 5 ? -1 : 1 }),
  );
  for (const svg of [plotOf(looks), plotOf([]), plotOf([look(0)])]) {
    assert.doesNotMatch(svg, /NaN|Infinity|undefined/);
    const [, width = 0, height = 0] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)?.map(Number) ?? [];
    for (const [, x, y] of svg.matchAll(/[ML](-?[\d.]+),(-?[\d.]+)/g)) {
      assert.ok(Number(x) >= 0 && Number(x) <= width && Number(y) >= 0 && Number(y) <= height, `${x},${y}`);
    }
  }
});

test("a day of looks stays a small file, and its one peak is in it", () => {
  const looks = Array.from({ length: 17_280 }, (_, i) => look(i * 5, { loopDelayP99Ms: i === 9_000 ? 800 : 2 }));
  const svg = plotOf(looks);
  assert.ok(svg.length < 60_000, `${svg.length}`);
  const [, below = ""] = / y="([\d.]+)" text-anchor="end">800</.exec(svg) ?? [];
  const peak = (Number(below) - 4).toFixed(1);
  assert.ok(svg.includes(`,${peak}L`), `no line reaches ${peak}`);
});

test("it is well-formed: each tag that opens closes", () => {
  const svg = plotOf([look(0), look(60, { quietS: -1 }), look(120)]);
  const opened = svg.match(/<[a-z]+[^>]*[^/]>/g)?.length;
  const closed = svg.match(/<\/[a-z]+>/g)?.length;
  assert.equal(opened, closed);
});
