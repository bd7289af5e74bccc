import assert from "node:assert/strict";
import { test } from "node:test";
import { beyondDeadband } from "./deadband.ts";

test("a number within its deadband, or exactly at its edge, has not moved", () => {
  assert.equal(beyondDeadband(100, 100.5, 0.5), false);
  assert.equal(beyondDeadband(100, 99.5, 0.5), false);
  assert.equal(beyondDeadband(100, 100.75, 0.5), true);
  assert.equal(beyondDeadband(100, 99.25, 0.5), true);
});

test("a deadband of 0 reports every change and nothing else", () => {
  assert.equal(beyondDeadband(1, 1, 0), false);
  assert.equal(beyondDeadband(1, 1 + Number.EPSILON, 0), true);
});

test("64-bit integers are compared exactly, beyond what a double can tell apart", () => {
  const big = 2n ** 63n;
  assert.equal(beyondDeadband(big, big + 1n, 0), true);
  assert.equal(beyondDeadband(big, big + 1n, 1), false);
  assert.equal(beyondDeadband(big, big - 2n, 1.5), true);
});

test("numbers at the ends of their range do not overflow into silence", () => {
  assert.equal(beyondDeadband(-Number.MAX_VALUE, Number.MAX_VALUE, 1), true);
});

test("every change of a value that is no number counts, whatever the deadband", () => {
  assert.equal(beyondDeadband(false, true, 10), true);
  assert.equal(beyondDeadband(true, true, 10), false);
  assert.equal(beyondDeadband("auto", "manual", 10), true);
  assert.equal(beyondDeadband(null, 5, 10), true);
  assert.equal(beyondDeadband(5, null, 10), true);
  assert.equal(beyondDeadband(null, null, 10), false);
});
