import assert from "node:assert/strict";
import { test } from "node:test";
import { Page } from "./page.ts";
import { type Reply, tablesOf } from "./registers-view.ts";

/** Volts of phase 1 as the manual of an energy meter prints them: 230.2. */
const VOLTS: Reply = { table: "inputRegister", address: 0, quantity: 2, data: Uint8Array.of(0x43, 0x66, 0x33, 0x34) };

test("pages fit 80 columns, the longest names and numbers too", () => {
  const data = new Uint8Array(8).fill(0x80);
  for (const reply of [
    { table: "holdingRegister", address: 65_532, quantity: 4, data },
    { table: "discreteInput", address: 65_472, quantity: 64, data },
  ] as const) {
    for (const line of new Page(false).lines(tablesOf(reply, {}))) assert.ok(line.length <= 80, line);
  }
});

test("what changed is marked in the next page, and only there", () => {
  const page = new Page(true);
  const changed = { ...VOLTS, data: Uint8Array.of(0x43, 0x67, 0x33, 0x34) };
  assert.ok(page.lines(tablesOf(VOLTS, {})).every((line) => !line.startsWith(">")));
  assert.ok(
    page.lines(tablesOf(changed, {})).some((line) => line.startsWith(">30001") && line.includes("\x1b[7m4367")),
  );
  assert.ok(page.lines(tablesOf(changed, {})).every((line) => !line.startsWith(">")));
});

test("values from later registers on are counted in words as people say them", () => {
  const data = new Uint8Array(2 * 24).fill(0x42);
  const titles = tablesOf({ table: "holdingRegister", address: 0, quantity: 24, data }, { type: "float32" });
  const places = titles.map(({ title }) => /the (\w+) on/.exec(title)?.[1]);
  assert.deepEqual(places.slice(0, 7), [undefined, "3rd", "5th", "7th", "9th", "11th", "13th"]);
  assert.deepEqual(places.slice(-2), ["21st", "23rd"]);
});
