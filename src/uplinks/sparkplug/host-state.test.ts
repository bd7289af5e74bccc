import assert from "node:assert/strict";
import { test } from "node:test";
import { HOST_UNSEEN, hostAfter, parseHostState } from "./host-state.ts";

const states = (...heard: readonly (readonly [online: boolean, timestamp: number])[]) =>
  heard.reduce((seen, [online, timestamp]) => hostAfter(seen, { online, timestamp }), HOST_UNSEEN).online;

test("the first word of a host counts, later ones as far as they are not older", () => {
  assert.equal(states([true, 5]), true);
  assert.equal(states([false, 5], [true, 4]), false);
  assert.equal(states([false, 5], [true, 5]), true);
  assert.equal(states([true, 5], [false, 4]), true);
  assert.equal(states([true, 5], [true, 4], [false, 3]), true);
  // Who is there and says so again has connected anew, whatever its clock says.
  assert.equal(states([true, 5], [true, 4], [false, 4]), false);
  assert.equal(states([true, 5], [false, 5]), false);
  assert.equal(states([true, 5], [false, 9], [true, 8]), false);
  // Its will carries the time at which it connected, so only its last birth counts against it.
  assert.equal(states([true, 5], [false, 9], [true, 9], [false, 8]), true);
});

test("P7: what is no STATE says nothing", () => {
  const texts = ["", "ONLINE", "null", "[]", "{}", '{"online":"true","timestamp":1}', '{"online":true}'];
  const times = ["1e999", "-1", "0.5", '"1"', "null"].map((time) => `{"online":true,"timestamp":${time}}`);
  for (const text of [...texts, ...times]) {
    assert.equal(parseHostState(Buffer.from(text)), undefined, text);
  }
  assert.deepEqual(parseHostState(Buffer.from('{"online":true,"timestamp":7,"more":1}')), {
    online: true,
    timestamp: 7,
  });
});
