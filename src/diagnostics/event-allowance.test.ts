import assert from "node:assert/strict";
import { test } from "node:test";
import type { Event } from "./event.ts";
import { type Allowances, allow } from "./event-allowance.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** How many of one a second are told in so long. */
function toldOf(event: Event, forMs: number): number {
  let allowances: Allowances = new Map();
  let told = 0;
  for (let nowMs = 0; nowMs < forMs; nowMs += 1_000) {
    const [next, onRecord] = allow(allowances, event, nowMs);
    allowances = next;
    if (onRecord !== undefined) told++;
  }
  return told;
}

test("P7: of one a second for a day twenty are told, then one a minute; of what anybody can send one an hour", () => {
  assert.equal(toldOf({ kind: "uplink", text: "flap" }, DAY_MS), 20 + 24 * 60 - 1);
  assert.equal(toldOf({ kind: "command", text: "refused", byAnybody: true }, DAY_MS), 20 + 23);
});

test("P10: what anybody can send takes nothing of what commands are told by", () => {
  let allowances: Allowances = new Map();
  for (let i = 0; i < 100; i++) [allowances] = allow(allowances, { kind: "command", text: "no", byAnybody: true }, 0);
  assert.ok(allow(allowances, { kind: "command", text: "written" }, 0)[1]);
});
