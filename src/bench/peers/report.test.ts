import assert from "node:assert/strict";
import { test } from "node:test";
import { markdownOf, type PeerReport, textOf } from "./report.ts";

const REPORT: PeerReport = {
  date: "2026-11-22T15:00:00.000Z",
  form: "long",
  loadAverage: 0.2,
  machine: "2 cores",
  peers: [
    { key: "script", title: "plain script", versions: ["mqtt 5"] },
    { key: "sallyport", title: "Sallyport", versions: ["Sallyport 0.1.0"] },
    { key: "collectd", title: "collectd", versions: [], absent: "no such package" },
  ],
  results: [
    {
      peer: "sallyport",
      stage: "kill",
      loadAverage: 0.4,
      figures: { served: 4_500, lost: 260, told: 260, outOfOrder: 5, asHistory: 5 },
    },
    { peer: "script", stage: "kill", loadAverage: 3.1, figures: {}, failed: "it ended" },
  ],
};

test("the README's table has a column for each peer that took part, and rows of what was measured only", () => {
  const lines = markdownOf(REPORT).split("\n");
  assert.deepEqual(lines.slice(0, 3), [
    "|  | Sallyport | plain script |",
    "| --- | --: | --: |",
    "| killed while the broker is stopped: lost, of what devices gave | 260 of 4,500, all told | failed |",
  ]);
  assert.ok(lines.includes("| … out of order | 5, all marked as history | failed |"));
  assert.ok(!lines.some((line) => line.includes("RSS")));
});

test("a report tells who took no part, what failed, and the versions of the others", () => {
  const text = textOf(REPORT);
  for (const said of ["collectd takes no part: no such package", "script, kill: it ended", "Sallyport 0.1.0"])
    assert.ok(text.includes(said), said);
});

test("who is gone at the end of a stage is told beside what was counted of it", () => {
  const results = [{ peer: "script", stage: "dead", figures: { othersPerS: 0 }, gone: "no memory" }] as const;
  const text = textOf({ ...REPORT, results });
  assert.match(text, /one of ten devices dead.* 0$/m);
  assert.match(text, /^script, dead: it was gone at the end, its last words: no memory$/m);
});

test("a report tells how busy the machine was in the busiest of its stages", () => {
  assert.match(textOf(REPORT), /load average 0\.2 to 3\.1/);
  assert.match(textOf({ ...REPORT, results: [] }), /load average 0\.2\./);
});

test("figures of the short form are said to be none", () => {
  assert.match(markdownOf({ ...REPORT, form: "short" }), /no figures to go by/);
});
