import assert from "node:assert/strict";
import { test } from "node:test";
import {
  atLeast,
  atMost,
  below,
  between,
  directionOf,
  type Figure,
  hasMissed,
  parseReport,
  reportText,
  told,
} from "./figure.ts";

const NUMBERLESS = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

test("what never came holds no limit: not the greatest of none, nor a share of nothing", () => {
  const kinds: readonly ((value: number) => Figure)[] = [
    (value) => atLeast("rate", value, "samples/s", 5),
    (value) => atMost("wait", value, "ms", 5),
    (value) => below("cpu", value, "ratio", 5),
    (value) => between("sent", value, "B/s", 4, 5),
  ];
  for (const kind of kinds) {
    assert.deepEqual(
      NUMBERLESS.map((value) => kind(value).verdict),
      ["FAIL", "FAIL", "FAIL"],
    );
  }
  assert.equal(atMost("worst of none", Math.max(...[]), "ms", 5).verdict, "FAIL");
});

test("between two limits both ends hold", () => {
  const sent = (value: number) => between("sent", value, "B/s", 4, 5);
  assert.deepEqual(
    [3.9, 4, 5, 5.1].map((value) => sent(value).verdict),
    ["FAIL", "pass", "pass", "FAIL"],
  );
  assert.equal(sent(4).limit, "4 to 5");
});

test("where nothing was measured, something was missed", () => {
  assert.equal(hasMissed([]), true);
  assert.equal(hasMissed([told("wait", 1, "ms")]), false);
});

test("a value that never came is none behind JSON, too", () => {
  const figures = [atMost("wait", Number.POSITIVE_INFINITY, "ms", 5), told("rate", 7, "samples/s")];
  const read = parseReport(reportText({ loadAverage: 0.5, figures }, true));
  assert.deepEqual(
    read.figures.map(({ value }) => value),
    [Number.NaN, 7],
  );
  assert.equal(read.loadAverage, 0.5);
});

test("a limit tells the direction, else the unit does", () => {
  assert.equal(directionOf({ limit: ">= 1", unit: "ms" }), 1);
  assert.equal(directionOf({ limit: "< 1", unit: "ratio" }), -1);
  assert.equal(directionOf({ limit: "", unit: "MB" }), -1);
  assert.equal(directionOf({ limit: "", unit: "ratio" }), 0);
});
