import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { SessionOrder } from "./session-order.ts";

/** What a session of two devices says, in order; the meter's snapshot has two parts. */
const SESSION = [
  "tags/pump",
  "tags/meter",
  "snapshot/pump",
  "snapshot/meter of 2",
  "snapshot/meter/2 of 2",
  "status",
  "data",
  "history",
] as const;

/** The violations when these arrive, each of session 5 unless it says another. */
function violationsOf(messages: readonly string[]): readonly string[] {
  const order = new SessionOrder("p");
  for (const message of messages) {
    const [, topic = "", , parts, , session = "5"] = /^(\S+)( of (\d+))?( in (\d+))?$/.exec(message) ?? [];
    const content = { session: Number(session), online: true, ...(parts && { parts: Number(parts) }) };
    order.arrived({ topic: `p/${topic}`, payload: Buffer.from(JSON.stringify(content)), qos: 1, retain: true });
  }
  return order.violations();
}

function without(message: (typeof SESSION)[number]): readonly string[] {
  return SESSION.filter((one) => one !== message);
}

describe("P3: the order of a session", () => {
  test("is kept by what the contract describes", () => {
    assert.deepEqual(violationsOf(SESSION), []);
  });

  test("holds for every device: a second one's snapshot must not come after the status", () => {
    assert.deepEqual(violationsOf([...without("snapshot/pump"), "snapshot/pump"]), [
      "status before the snapshot of pump in session 5",
    ]);
  });

  test("wants every part of a snapshot before the status", () => {
    assert.deepEqual(violationsOf(without("snapshot/meter/2 of 2")), [
      "status before the snapshot of meter in session 5",
    ]);
  });

  test("wants the tags of each device before its snapshot, and none after the status", () => {
    assert.deepEqual(violationsOf([...without("tags/meter"), "tags/meter"]), [
      "snapshot of meter before its tags in session 5",
      "snapshot of meter before its tags in session 5",
      "status before the tags of meter in session 5",
      "tags of meter after the status in session 5",
    ]);
  });

  test("wants the status before data and history", () => {
    assert.deepEqual(violationsOf(without("status")), [
      "data before the status in session 5",
      "history before the status in session 5",
    ]);
  });

  test("wants a device at all before the status", () => {
    assert.deepEqual(violationsOf(["status"]), ["status before any device in session 5"]);
  });

  test("lets snapshots and statuses come again, but no device anew", () => {
    assert.deepEqual(violationsOf([...SESSION, "snapshot/pump", "status", "snapshot/meter of 2"]), []);
    assert.deepEqual(violationsOf([...SESSION, "snapshot/drive"]), [
      "drive appears after the status in session 5",
      "snapshot of drive before its tags in session 5",
    ]);
  });

  test("begins anew with each session, and no lower one begins", () => {
    assert.deepEqual(violationsOf([...SESSION, "status in 6"]), ["status before any device in session 6"]);
    assert.deepEqual(violationsOf([...SESSION, "tags/pump in 4"]), ["session 4 after 5"]);
  });
});
