import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { drawScreen, type ScreenRow, type ScreenState } from "./screen.ts";

const row = (more: Partial<ScreenRow> = {}): ScreenRow => ({
  id: "pump/speed",
  value: "1490.5 rpm",
  status: "ok",
  ageS: 0,
  farValue: "1490.5",
  farStatus: "ok",
  farAgeS: 1,
  ...more,
});

const state = (more: Partial<ScreenState> = {}): ScreenState => ({
  serial: "real terminal pair, made by socat",
  runningS: 61,
  rows: [row()],
  uplinkState: "connected",
  depth: 0,
  summary: { takenIn: 12, live: 10, history: 2, lost: 0, toldLost: 0, duplicates: 0 },
  events: ["the door opens"],
  brokerCut: false,
  pumpDead: false,
  ...more,
});

describe("the demo's picture", () => {
  test("shows both sides of a tag in one line", () => {
    const line = drawScreen(state(), 24).find((text) => text.startsWith("pump/speed"));
    assert.match(line ?? "", /^pump\/speed +1490\.5 rpm ok +0 s +│ +1490\.5 ok +1 s$/);
  });

  test("fits 80 columns and 24 rows, however long the words are", () => {
    const long = "a".repeat(200);
    const rows = Array.from({ length: 40 }, () =>
      row({ id: long, value: long, status: long, farValue: long, farStatus: long }),
    );
    const lines = drawScreen(state({ rows, serial: long, uplinkState: long, events: [long, long, long, long] }), 24);
    assert.ok(lines.length <= 24, `${lines.length} lines`);
    for (const line of lines) assert.ok(line.length <= 80, line);
  });

  test("says in words what the keys do now", () => {
    assert.match(drawScreen(state(), 24).at(-1) ?? "", /\[b\] cut the broker {2}\[d\] kill the pump/);
    assert.match(drawScreen(state({ brokerCut: true, pumpDead: true }), 24).at(-1) ?? "", /restore the broker.*revive/);
  });

  test("a tag that the broker's side has never seen has no age there", () => {
    const line = drawScreen(
      state({ rows: [row({ farValue: "-", farStatus: "nothing yet", farAgeS: undefined })] }),
      24,
    );
    assert.match(line.find((text) => text.startsWith("pump")) ?? "", /- nothing yet +-$/);
  });
});
