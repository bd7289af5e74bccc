import assert from "node:assert/strict";
import { test } from "node:test";
import { judgeWalls, type Told } from "./walls.ts";

const HOME = "reads a home";
const PORT = "takes a UDP port";

function verdicts(user: string, held: Told, free: Told, lone: Told = {}): readonly string[] {
  return judgeWalls(user, { held, free, lone }).map(({ verdict }) => verdict);
}

test("a wall counts where it holds and nothing is in the way without the unit; one that lets through is a fault", () => {
  assert.deepEqual(verdicts("sallyport", { [HOME]: "EACCES" }, { [HOME]: "done" }), ["ok"]);
  assert.deepEqual(verdicts("sallyport", { [HOME]: "done" }, { [HOME]: "done" }), ["WRONG"]);
});

test("what could not be done without the unit either shows nothing", () => {
  assert.deepEqual(verdicts("sallyport", { [HOME]: "EACCES" }, { [HOME]: "EACCES" }), ["-"]);
});

test("what this system does not forbid by the setting alone is no fault of the unit, and no proof", () => {
  const done = { [PORT]: "done" };
  assert.deepEqual(verdicts("sallyport", done, done, done), ["-"]);
  assert.deepEqual(verdicts("sallyport", done, done, { [PORT]: "EPERM" }), ["WRONG"]);
  assert.deepEqual(verdicts("root", { [HOME]: "done" }, { [HOME]: "done" }, { [HOME]: "done" }), ["WRONG"]);
});

test("what the service needs must go, and what the kernel says of it must be as the unit has it", () => {
  const held = { "speaks over TCP": "EPERM", capabilities: "00000000000000ff" };
  assert.deepEqual(verdicts("sallyport", held, {}), ["WRONG", "WRONG"]);
  assert.deepEqual(verdicts("sallyport", { "speaks over TCP": "done", capabilities: "0000000000000000" }, {}), [
    "ok",
    "ok",
  ]);
});
