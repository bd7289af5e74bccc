import assert from "node:assert/strict";
import { test } from "node:test";
import { heard, isDoubtful, NOTHING_HEARD, type Repeats } from "./repeats.ts";

const MAX_LATE_MS = 1_000;

/** A reply whose one register says `value`; equal values are equal frames. */
function reply(address: number, value: number, padding: readonly number[] = []) {
  return {
    place: `${address}`,
    data: Uint8Array.of(0, value, ...padding),
    crc: value * 7 + padding.length,
    trusted: false,
  };
}

function after(...told: readonly (readonly [address: number, value: number, atMs: number])[]): Repeats {
  return told.reduce(
    (repeats, [address, value, atMs]) => heard(repeats, reply(address, value), atMs + MAX_LATE_MS, atMs),
    NOTHING_HEARD,
  );
}

test("P5: what differs from all that was heard is no copy of it", () => {
  assert.equal(isDoubtful(after([0, 1, 0], [9, 2, 10]), reply(0, 3), 20), false);
});

test("P5: what another read said is not believed of this one, until no copy of it can be around", () => {
  const repeats = after([0, 1, 0], [9, 2, 10]);
  assert.equal(isDoubtful(repeats, reply(9, 1), 20), true);
  assert.equal(isDoubtful(repeats, reply(9, 1), MAX_LATE_MS), false);
});

test("P5: a value that was just another one is not believed again from a frame that was heard", () => {
  assert.equal(isDoubtful(after([0, 1, 0], [0, 2, 10]), reply(0, 1), 20), true);
  assert.equal(isDoubtful(after([0, 1, 0], [0, 2, 10]), reply(0, 2), 20), true);
});

test("of a trusted unit the value told last is believed again, and no other", () => {
  const repeats = after([0, 1, 0], [0, 2, 10], [9, 3, 20]);
  assert.equal(isDoubtful(repeats, { ...reply(0, 2), trusted: true }, 30), false);
  assert.equal(isDoubtful(repeats, { ...reply(0, 1), trusted: true }, 30), true);
  assert.equal(isDoubtful(repeats, { ...reply(9, 2), trusted: true }, 30), true);
});

test("a value that stays is believed, whatever the length of the read", () => {
  const steady = after([0, 1, 0], [0, 1, 10]);
  assert.equal(isDoubtful(steady, reply(0, 1), 20), false);
  const padded = heard(steady, reply(0, 1, [5, 5]), 30 + MAX_LATE_MS, 30);
  assert.equal(isDoubtful(padded, reply(0, 1), 40), false);
  assert.equal(isDoubtful(padded, reply(0, 1, [5, 5]), 40), false);
});

test("P7: of places without end the last thousand are remembered, and what may be a copy is not believed elsewhere", () => {
  const steady: Repeats = after([0, 1, 0], [0, 1, 10]);
  assert.equal(isDoubtful(steady, reply(0, 1), 20), false);
  let repeats = steady;
  for (let address = 1; address <= 2_000; address++) {
    repeats = heard(repeats, reply(address, 2), 20 + MAX_LATE_MS, 20);
  }
  assert.equal(repeats.newest.size, 1_000);
  assert.equal(isDoubtful(repeats, reply(0, 1), 20), true);
});
