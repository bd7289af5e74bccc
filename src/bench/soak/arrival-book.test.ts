import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ArrivalBook } from "./arrival-book.ts";
import { FaultList } from "./fault-list.ts";
import { REMEMBERED, ServedNumbers } from "./served-numbers.ts";

const DEVICE = "d1-1";
const REGISTER_VALUES = 65_536;

let served: ServedNumbers;
let faults: FaultList;
let book: ArrivalBook;
let nowMs: number;

beforeEach(() => {
  served = new ServedNumbers();
  faults = new FaultList();
  book = new ArrivalBook("json", new Map([[DEVICE, served]]), 2, faults);
  nowMs = 1_000;
});

function serve(times = 1): number {
  let register = 0;
  for (let i = 0; i < times; i++) register = served.serve(++nowMs);
  return register;
}

function arrive(value: number, { tags = [0, 1], isLive = false } = {}): void {
  for (const tag of tags) book.arrived({ device: DEVICE, tag, value, sourceTimestampMs: nowMs, isLive }, nowMs + 7);
}

function isAllThere(): boolean {
  return book.hasAll(new Map([[DEVICE, served.newest]]));
}

test("P4: all is there when each served number has come in each tag, in whatever order", () => {
  serve(3);
  arrive(1);
  arrive(3);
  assert.equal(isAllThere(), false);
  arrive(2, { tags: [0] });
  assert.equal(isAllThere(), false);
  assert.match(book.holes(new Map([[DEVICE, 3]])).join(), /^json: d1-1\/r1 number 2 of 3/);
  arrive(2, { tags: [1] });
  assert.equal(isAllThere(), true);
  assert.equal(faults.count, 0);
});

test("what comes twice is counted, also long after, and is no fault", () => {
  serve(2);
  arrive(1);
  arrive(1, { tags: [0] });
  arrive(2);
  arrive(1, { tags: [1] });
  serve(2);
  arrive(4);
  arrive(4, { tags: [0] });
  assert.equal(book.summary().doubled, 3);
  assert.equal(faults.count, 0);
});

test("P5: a value that no reply had is a fault", () => {
  serve(2);
  arrive(3);
  assert.match(faults.lines().join("\n"), /never served: 2/);
});

test("a reply that could not be heard leaves no hole", () => {
  serve(3);
  arrive(1);
  arrive(3);
  assert.deepEqual([served.forgive(2), served.forgive(2)], [true, false]);
  assert.equal(isAllThere(), true);
});

test("P4: what is too far behind to come any more is lost, and told once", () => {
  serve();
  arrive(1);
  serve();
  arrive(2, { tags: [0] });
  for (let i = 0; i < REMEMBERED + 5; i++) arrive(serve());
  assert.equal(book.summary().lost, 1);
  assert.equal(faults.count, 1);
  assert.equal(isAllThere(), true);
});

test("numbers go on where registers begin anew", () => {
  for (let i = 0; i < REGISTER_VALUES + 10; i++) arrive(serve());
  assert.equal(served.newest, REGISTER_VALUES + 10);
  assert.equal(isAllThere(), true);
  const late = serve();
  assert.equal(isAllThere(), false);
  arrive(late);
  assert.equal(faults.count, 0);
});

test("P9: a live value that is not later than the one before is a fault, history is not", () => {
  serve(2);
  arrive(1, { isLive: true });
  arrive(2);
  assert.equal(faults.count, 0);
  arrive(2, { tags: [0], isLive: true });
  assert.match(faults.lines().join("\n"), /live went back: 1/);
});

test("the delay of what is live runs from the reply", () => {
  serve();
  arrive(1, { isLive: true });
  assert.equal(book.delays.count, 2);
  assert.equal(book.delays.maxMs, 7);
});
