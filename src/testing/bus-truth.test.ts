import assert from "node:assert/strict";
import { test } from "node:test";
import { proveBusTruth } from "./bus-truth.ts";

const REQUESTS = 4_000;

test("P5: late, doubled, foreign and spoiled replies, other masters and changes between: no wrong Good", async () => {
  const { requests, good, spoiled } = await proveBusTruth({ requests: REQUESTS });
  assert.ok(requests >= REQUESTS && spoiled > requests / 3, `${spoiled} of ${requests} requests spoiled`);
  assert.ok(good > requests / 2, `${good} good values`);
});
