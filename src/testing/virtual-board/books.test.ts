import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ServedReply } from "../counting-plant.ts";
import type { Received } from "../subscriber.ts";
import { Books } from "./books.ts";
import { TAGS_PER_DEVICE, TOPIC } from "./outside.ts";

const DEVICE = "meter-1";
const IDS = Array.from({ length: TAGS_PER_DEVICE }, (_, tag) => `${DEVICE}/r${tag}`);
const BEGIN_MS = 1_000_000;
const CUT_MS = BEGIN_MS + 20_500;

interface Story {
  /** When the device was asked, after BEGIN_MS. */
  readonly askedMs: readonly number[];
  /** What never arrived, by count. */
  readonly missing: readonly number[];
  readonly toldFromMs?: number;
}

function booksOf({ askedMs, missing, toldFromMs }: Story): Books {
  const replies: ServedReply[] = askedMs.map((ms, index) => ({ count: index + 1, wallMs: BEGIN_MS + ms }));
  const messages: Received[] = [];
  const say = (kind: string, values: readonly unknown[]) => {
    const payload = Buffer.from(JSON.stringify({ session: 1, epoch: 1, timestamp: 1, seq: 1, values }));
    messages.push({ topic: `${TOPIC}/${kind}`, payload, qos: 1, retain: false, again: false });
  };
  for (const { count, wallMs } of replies) {
    if (!missing.includes(count))
      say(
        "data",
        IDS.map((id) => ({ id, v: count, q: true, t: wallMs })),
      );
  }
  if (toldFromMs !== undefined) {
    const lost = { v: null, q: false, s: "BadDataLost", reason: "unclean stop", t: 1, h: 1 };
    say(
      "history",
      IDS.map((id) => ({ ...lost, id, from: BEGIN_MS + toldFromMs, to: CUT_MS + 60_000 })),
    );
  }
  const books = new Books({ served: new Map([[DEVICE, replies]]), subscriber: { messages } });
  books.read();
  books.cutAt(CUT_MS);
  return books;
}

/** Asked every second; the last reply is half a second old as the power fails. */
const STEADY = Array.from({ length: 21 }, (_, second) => second * 1_000);

describe("a board's books", () => {
  test("P4: what was served in the last moments before a cut may be missing, and must be told", () => {
    const missing = [20, 21];
    assert.deepEqual(booksOf({ askedMs: STEADY, missing, toldFromMs: 18_000 }).faults(), []);
    const [fault = ""] = booksOf({ askedMs: STEADY, missing }).faults();
    assert.match(fault, /without a word/);
  });

  test("P4: what is older is a fault, told or not", () => {
    const [fault = ""] = booksOf({ askedMs: STEADY, missing: [17], toldFromMs: 15_000 }).faults();
    assert.match(fault, /beyond the bound/);
  });

  test("as long as the board stood still in an emulator without time, as much older it may be", () => {
    const stoodStill = STEADY.filter((ms) => ms <= 16_000 || ms >= 20_000);
    assert.deepEqual(booksOf({ askedMs: stoodStill, missing: [17, 18], toldFromMs: 15_000 }).faults(), []);
    const [fault = ""] = booksOf({ askedMs: stoodStill, missing: [14], toldFromMs: 12_000 }).faults();
    assert.match(fault, /beyond the bound/);
  });
});
