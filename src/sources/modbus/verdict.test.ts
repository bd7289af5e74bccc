import assert from "node:assert/strict";
import { test } from "node:test";
import { type Attempt, judge, type Verdict } from "./verdict.ts";

/** The last attempt at a block of several tags that has never worked. */
const LAST: Attempt = {
  attempts: 1,
  retries: 1,
  padded: false,
  trial: false,
  splittable: false,
  proven: false,
  maxLateMs: 1_000,
};

function onException(exceptionCode: number, attempt: Partial<Attempt> = {}, certain = true): Verdict {
  return judge({ ...LAST, ...attempt }, { kind: "exception", exceptionCode, certain, atMs: 0 });
}

test("P3: the status of every exception, in the end", () => {
  const golden: Readonly<Record<number, string>> = {
    1: "refused BadConfigurationError",
    2: "refused BadConfigurationError",
    3: "refused BadConfigurationError",
    4: "bad BadDeviceFailure",
    5: "bad BadNoCommunication",
    6: "bad BadNoCommunication",
    7: "bad BadUnexpectedError",
    8: "bad BadDeviceFailure",
    9: "bad BadUnexpectedError",
    10: "bad BadNoCommunication",
    11: "bad BadNoCommunication",
  };
  for (const [code, expected] of Object.entries(golden)) {
    const verdict = onException(Number(code));
    assert.equal(`${verdict.kind} ${"status" in verdict ? verdict.status : ""}`, expected, `exception ${code}`);
  }
});

test("silence and busy devices are asked again before their tags turn Bad; a clear refusal is not", () => {
  const first: Attempt = { ...LAST, attempts: 0 };
  for (const cause of ["timeout", "crc", "framing"] as const) {
    assert.deepEqual(judge(first, { kind: "silence", cause, atMs: 0 }), { kind: "again", afterMs: 0, answered: false });
    const last = judge(LAST, { kind: "silence", cause, atMs: 0 });
    assert.deepEqual(last, { kind: "bad", status: "BadNoCommunication", answered: false });
  }
  const again = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11].filter((code) => onException(code, first).kind === "again");
  assert.deepEqual(again, [5, 6]);
});

test("a refusal of a block is narrowed down, also of one that has worked, of padding taken back", () => {
  assert.deepEqual(onException(2, { splittable: true }), { kind: "split" });
  assert.deepEqual(onException(3, { splittable: true }), { kind: "split" });
  assert.equal(onException(1, { splittable: true }).kind, "refused");
  assert.deepEqual(onException(2, { splittable: true, padded: true }), { kind: "unpadded" });
  assert.deepEqual(onException(2, { splittable: true, proven: true }), { kind: "split" });
  const passing = { kind: "bad", status: "BadConfigurationError", answered: true };
  assert.deepEqual(onException(2, { proven: true }), passing, "what has worked alone is asked at its own rate");
  assert.deepEqual(onException(1, { splittable: true, proven: true }), passing, "no part has another function");
});

test("P5: a refusal that may answer an earlier request condemns nothing", () => {
  const waits = onException(2, { attempts: 0, splittable: true }, false);
  assert.deepEqual(waits, { kind: "again", afterMs: LAST.maxLateMs, answered: true });
  assert.equal(onException(2, {}, false).kind, "bad");
  assert.equal(
    onException(2, { splittable: true }, false).kind,
    "split",
    "a cut is taken back, so it condemns nothing",
  );
});

test("an exception is an answer, save where the device behind it is not reached", () => {
  const answered = [4, 5, 6, 7, 8, 10, 11].filter((code) => {
    const verdict = onException(code);
    return verdict.kind === "bad" && verdict.answered;
  });
  assert.deepEqual(answered, [4, 5, 6, 7, 8]);
  for (const code of [5, 6]) {
    assert.deepEqual(onException(code, { attempts: 0 }), { kind: "again", afterMs: 100, answered: true });
  }
});

test("what happens to a longer read that nobody needed tells nothing of the tags", () => {
  const trial: Attempt = { ...LAST, padded: true, trial: true };
  for (const code of [1, 2, 3, 4, 7, 8, 9]) assert.deepEqual(onException(code, trial), { kind: "unpadded" });
  assert.deepEqual(judge(trial, { kind: "silence", cause: "timeout", atMs: 0 }), { kind: "unpadded" });
  assert.equal(onException(6, trial).kind, "bad", "busy is no matter of length");
  assert.equal(onException(11, trial).kind, "bad");
});
