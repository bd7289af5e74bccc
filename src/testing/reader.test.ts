import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { Reader } from "./reader.ts";

const CURRENT = { current: true, reason: "" };

describe("the reader's rule", () => {
  let reader: Reader;
  beforeEach(() => {
    reader = new Reader("p");
  });

  const send = (topic: string, payload: object | "", retained = false) =>
    reader.receive(`p/${topic}`, Buffer.from(payload === "" ? "" : JSON.stringify(payload)), retained);
  const status = (seq: number, devices: object = {}, more: object = {}, retained = false) =>
    send("status", { online: true, timestamp: 1, session: 5, epoch: 1, seq, devices, ...more }, retained);
  const snapshot = (after: number, v: number, t: number, more: object = {}, retained = false) =>
    send(
      "snapshot/d",
      { timestamp: 1, session: 5, epoch: 1, after, values: [{ id: "d/x", v, q: true, t }], ...more },
      retained,
    );
  const data = (seq: number, v: number, t: number, more: object = {}) =>
    send("data", { timestamp: 1, session: 5, epoch: 1, seq, values: [{ id: "d/x", v, q: true, t }], ...more });
  const retainedWorld = (after: number) => {
    snapshot(after, 1, 100, {}, true);
    status(after, { d: after }, {}, true);
  };

  test("P3: a device is current from the status that follows its snapshot", () => {
    assert.equal(reader.currency("d").reason, "no status yet");
    snapshot(0, 1, 100);
    status(0);
    assert.deepEqual(reader.currency("d"), CURRENT);
    assert.equal(reader.tag("d/x")?.value, 1);
  });

  test("P3: a status from the broker's memory tells nothing about what was missed since", () => {
    retainedWorld(3);
    assert.equal(reader.currency("d").reason, "no status since listening");
    data(5, 2, 200);
    assert.equal(reader.currency("d").current, false);
    status(5, { d: 5 });
    assert.equal(reader.currency("d").reason, "data was missed since the snapshot");
    snapshot(5, 2, 200);
    assert.deepEqual(reader.currency("d"), CURRENT);
  });

  test("P3: data of other devices that was missed does not matter", () => {
    retainedWorld(3);
    status(9, { d: 3, other: 9 });
    assert.deepEqual(reader.currency("d"), CURRENT);
  });

  test("P3: an unbroken run since before the snapshot's `after` is as good", () => {
    retainedWorld(3);
    for (const seq of [4, 5, 6]) data(seq, seq, 100 + seq);
    status(6, { d: 6 });
    assert.deepEqual(reader.currency("d"), CURRENT);
  });

  test("P3: what was once complete stays so through later statuses, as long as nothing is missed", () => {
    retainedWorld(3);
    status(9, { d: 3 });
    data(10, 2, 200);
    status(10, { d: 10 });
    assert.deepEqual(reader.currency("d"), CURRENT);
  });

  test("P3: a gap makes a device doubtful until a status shows that it was not in the gap, or a snapshot covers it", () => {
    snapshot(0, 1, 100);
    status(0);
    data(1, 2, 200);
    data(3, 4, 400);
    assert.equal(reader.currency("d").current, false);
    status(3, { d: 2 });
    assert.equal(reader.currency("d").reason, "data was missed since the snapshot");
    snapshot(3, 4, 400);
    assert.deepEqual(reader.currency("d"), CURRENT);
    assert.equal(reader.counts().gaps, 1);
  });

  test("P3: a gap that only the next status shows counts as well", () => {
    snapshot(0, 1, 100);
    status(0);
    status(2, { d: 2 });
    assert.equal(reader.currency("d").current, false);
  });

  test("P3: offline means not current, and a lower session is ignored", () => {
    snapshot(0, 1, 100);
    status(0);
    send("status", { online: false, timestamp: 9, session: 4, epoch: 1 });
    assert.deepEqual(reader.currency("d"), CURRENT);
    send("status", { online: false, timestamp: 9, session: 5, epoch: 1 });
    assert.equal(reader.currency("d").reason, "the gateway is offline");
  });

  test("P3: a snapshot of another session than the status is not believed", () => {
    snapshot(0, 1, 100);
    status(0, {}, { session: 6 });
    assert.equal(reader.currency("d").reason, "the snapshot is of another session");
    snapshot(0, 1, 100, { session: 6 });
    assert.deepEqual(reader.currency("d"), CURRENT);
  });

  test("of two values the greater (epoch, t) holds", () => {
    snapshot(0, 1, 100);
    status(0);
    data(1, 2, 90);
    assert.equal(reader.tag("d/x")?.value, 1);
    data(2, 3, 50, { epoch: 2 });
    assert.equal(reader.tag("d/x")?.value, 3);
    send("data", { timestamp: 1, session: 5, epoch: 2, seq: 3, values: [{ id: "d/x", v: 4, q: true, t: 999, e: 1 }] });
    assert.equal(reader.tag("d/x")?.value, 3);
  });

  test("history never moves the current value, and loss entries are none", () => {
    snapshot(0, 1, 100);
    status(0);
    const lost = {
      id: "d/x",
      v: null,
      q: false,
      s: "BadDataLost",
      t: 1,
      h: 1,
      from: 1,
      to: 2,
      count: 1,
      reason: "too old",
    };
    const late = { id: "d/x", v: 9, q: true, t: 900, h: 1 };
    send("history", { timestamp: 1, session: 5, epoch: 1, seq: 1, values: [late, lost] });
    assert.equal(reader.tag("d/x")?.value, 1);
    assert.deepEqual(reader.counts(), { live: 0, history: 1, losses: 1, gaps: 0, repeated: 0 });
  });

  test("a message that the broker delivers again is no gap and no second value", () => {
    snapshot(0, 1, 100);
    status(0);
    data(1, 2, 200);
    data(1, 2, 200);
    assert.deepEqual(reader.currency("d"), CURRENT);
    assert.equal(reader.counts().repeated, 1);
  });

  test("a snapshot in parts is believed when all of them are there", () => {
    const values = [{ id: "d/y", v: 2, q: true, t: 100 }];
    snapshot(0, 1, 100, { part: 1, parts: 2 });
    status(0);
    assert.equal(reader.currency("d").reason, "parts of the snapshot are missing");
    send("snapshot/d/2", { timestamp: 1, session: 5, epoch: 1, after: 0, part: 2, parts: 2, values });
    assert.deepEqual(reader.currency("d"), CURRENT);
    assert.deepEqual(
      reader.tags("d").map(({ id }) => id),
      ["d/x", "d/y"],
    );
  });

  test("a device that is cleared is gone", () => {
    send("tags/d", { timestamp: 1, session: 5, tags: { x: { type: "int16" } } });
    snapshot(0, 1, 100);
    status(0);
    send("snapshot/d", "");
    assert.equal(reader.currency("d").current, false);
    send("tags/d", "");
    assert.deepEqual(reader.devices(), []);
  });

  test("64-bit integers are told by their type", () => {
    send("tags/d", { timestamp: 1, session: 5, tags: { x: { type: "uint64" } } });
    const big = { id: "d/x", v: "9007199254740993", q: true, t: 200 };
    send("data", { timestamp: 1, session: 5, epoch: 1, seq: 1, values: [big] });
    assert.equal(reader.tag("d/x")?.value, 2n ** 53n + 1n);
  });

  test("a reader that was away itself starts anew", () => {
    snapshot(0, 1, 100);
    status(0);
    reader.disconnected();
    assert.equal(reader.currency("d").reason, "no status yet");
    retainedWorld(0);
    status(4, { d: 4 });
    assert.equal(reader.currency("d").reason, "data was missed since the snapshot");
  });
});
