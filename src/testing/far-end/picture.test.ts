import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { beliefOf, CLOCK_ERROR_MS, LATE_AFTER_MS, nextPicture, type Picture, unknownPicture } from "./picture.ts";

const BRIDGES = ["bridges/near", "bridges/far"] as const;

describe("P3: what crossed bridges", () => {
  let picture: Picture;
  let nowMs: number;
  const hear = (topic: string, content: object | string, retained = false) => {
    const payload = Buffer.from(typeof content === "string" ? content : JSON.stringify(content));
    picture = nextPicture(picture, { type: "arrival", arrival: { topic, payload, retained } }, nowMs);
  };
  const tell = (stage: string, content: object) =>
    hear(`p/${stage}`, { session: 5, epoch: 1, timestamp: nowMs, ...content });
  const data = (seq: number, more: object = {}) =>
    tell("data", { seq, values: [{ id: "d/x", v: seq, q: true, t: nowMs }], ...more });
  const belief = () => beliefOf(picture, "d/x", nowMs);

  beforeEach(() => {
    nowMs = 1_000_000;
    picture = unknownPicture({ from: { format: "json", topic: "p" }, bridges: BRIDGES });
    picture = nextPicture(picture, { type: "listening" }, nowMs);
    for (const topic of BRIDGES) hear(topic, "1", true);
    nowMs += CLOCK_ERROR_MS + 1;
    tell("snapshot/d", { after: 0, values: [{ id: "d/x", v: 0, q: true, t: nowMs }] });
    tell("status", { online: true, seq: 0, devices: {} });
  });

  test("is believed while every bridge is up", () => {
    assert.deepEqual(belief(), { isCurrent: true, isGood: true, reason: "", shown: belief().shown });
    hear("bridges/far", "0");
    assert.equal(belief().reason, "the bridge bridges/far is down");
    assert.equal(belief().shown?.value, 0);
  });

  test("is not believed from the bridge's return until something was sent after it", () => {
    for (const topic of BRIDGES) {
      hear(topic, "0");
      nowMs += 60_000;
      hear(topic, "1");
      data(topic === BRIDGES[0] ? 1 : 3, { timestamp: nowMs + CLOCK_ERROR_MS });
      assert.equal(belief().reason, "nothing was sent yet since the bridge is back");
      nowMs += CLOCK_ERROR_MS + 1;
      data(topic === BRIDGES[0] ? 2 : 4);
      assert.ok(belief().isGood);
    }
  });

  test("may come in another order than it was sent: nothing is missed once all of it is there", () => {
    data(1);
    data(4);
    assert.equal(belief().reason, "data has not come yet that was sent before");
    data(2);
    tell("status", { online: true, seq: 2, devices: { d: 2 }, timestamp: nowMs - 1 });
    assert.ok(!belief().isGood);
    data(3);
    assert.ok(belief().isGood);
    tell("status", { online: true, seq: 6, devices: { d: 6 } });
    assert.ok(!belief().isGood);
    data(5);
    data(6);
    assert.ok(belief().isGood);
    tell("status", { online: true, seq: 8, devices: { d: 8 } });
    tell("status", { online: true, seq: 9, devices: { d: 8 }, timestamp: nowMs + 1 });
    assert.equal(belief().reason, "data was missed since the snapshot");
  });

  test("may come twice: a status that is told anew proves nothing", () => {
    const status = { online: true, seq: 0, devices: {}, timestamp: nowMs };
    hear("p/status", { session: 5, epoch: 1, ...status }, false);
    for (const seq of [1, 2, 3]) data(seq);
    tell("status", { online: true, seq: 9, devices: {}, timestamp: nowMs + 1 });
    tell("status", { online: true, seq: 9, devices: {}, timestamp: nowMs + 2 });
    data(10);
    assert.ok(belief().isGood);
    tell("status", { online: true, seq: 9, devices: {}, timestamp: nowMs + 2 });
    data(11);
    assert.ok(belief().isGood);
  });

  test("is not believed while it comes late", () => {
    nowMs += 10_000;
    data(1, { timestamp: nowMs - LATE_AFTER_MS - 1 });
    assert.equal(belief().reason, "the bridge delivers the past");
    data(2, { timestamp: nowMs - LATE_AFTER_MS });
    assert.ok(belief().isGood);
  });

  test("is not believed of a gateway whose clock is ahead, or unknown: its times prove nothing", () => {
    data(1, { timestamp: nowMs + CLOCK_ERROR_MS + 1 });
    assert.equal(belief().reason, "the gateway's clock is ahead");
    data(2, { clock: "unsynced" });
    assert.equal(belief().reason, "the gateway's time is not known");
    data(3);
    assert.ok(belief().isGood);
  });

  test("is unknown again once the consumer itself was cut off", () => {
    picture = nextPicture(picture, { type: "cut off" }, nowMs);
    assert.equal(belief().reason, "the consumer is cut off");
    picture = nextPicture(picture, { type: "listening" }, nowMs);
    assert.equal(belief().reason, "the bridge bridges/near is unknown");
  });

  test("what the gateway itself does not call good is current, and not good", () => {
    tell("data", { seq: 1, values: [{ id: "d/x", v: 1, q: false, s: "BadNoCommunication", t: nowMs + 1 }] });
    const { isCurrent, isGood, reason } = belief();
    assert.deepEqual([isCurrent, isGood, reason], [true, false, "the gateway says BadNoCommunication"]);
    assert.equal(beliefOf(picture, "d/y", nowMs).reason, "nothing was told of it yet");
  });
});
