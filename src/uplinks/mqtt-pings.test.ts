import assert from "node:assert/strict";
import { test } from "node:test";
import { Pings } from "./mqtt-pings.ts";

test("P4: an answer belongs to the oldest question, also to one that somebody else asked", async () => {
  const answered: string[] = [];
  const pings: Pings = new Pings(() => pings.sent());
  // The keep-alive of the client library.
  pings.sent();
  const first = pings.ping().then(() => answered.push("first"));
  const second = pings.ping().then(() => answered.push("second"));
  pings.answered();
  await Promise.resolve();
  assert.deepEqual(answered, []);
  pings.answered();
  await first;
  assert.deepEqual(answered, ["first"]);
  pings.abandon("gone");
  await assert.rejects(second, /gone/);
});
