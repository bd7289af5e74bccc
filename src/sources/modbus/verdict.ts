/** What one attempt to read means for the tags and for the next attempt. Pure. */
import { type Status, statusOfException } from "../../core/quality.ts";
import type { BusOutcome } from "./bus-request.ts";

/** What the bus brings back from one read. `writing`: not the read failed but the write before it. */
export type ReadOutcome =
  | Extract<BusOutcome, { readonly kind: "data" | "copy" }>
  | (Extract<BusOutcome, { readonly kind: "exception" | "silence" }> & { readonly writing?: true });

export interface Attempt {
  /** Failed attempts before this one. */
  readonly attempts: number;
  readonly retries: number;
  /** More was asked for than the tags need. */
  readonly padded: boolean;
  /** Of that some is unknown, and nothing forced us to ask for it. */
  readonly trial: boolean;
  readonly splittable: boolean;
  /** These registers have been read before: a refusal will pass, and is no reason to ask seldom. */
  readonly proven: boolean;
  readonly maxLateMs: number;
}

export type Verdict =
  | { readonly kind: "good" }
  /** Once more within this period, at the earliest after so long. */
  | { readonly kind: "again"; readonly afterMs: number; readonly answered: boolean }
  /** The padding may have been refused: once more without, now and in future. */
  | { readonly kind: "unpadded" }
  /** Something in the block is refused: find it. */
  | { readonly kind: "split" }
  /** The device does not have this; asked seldom from now on. */
  | { readonly kind: "refused"; readonly status: Status }
  | Bad;

/** `answered`: the device itself replied, so it is there. */
interface Bad {
  readonly kind: "bad";
  readonly status: Status;
  readonly answered: boolean;
}

/** A device that says it is busy is left alone for so long. */
const BUSY_PAUSE_MS = 100;

export function judge(asked: Attempt, outcome: ReadOutcome): Verdict {
  const writing = "writing" in outcome;
  // A write that fails says nothing of the registers behind it.
  const attempt = writing ? { ...asked, padded: false, trial: false, splittable: false } : asked;
  switch (outcome.kind) {
    case "data":
      return { kind: "good" };
    // The device is there and may have said the same again: only a read of which no copy can be around tells.
    case "copy":
      return { kind: "again", afterMs: 0, answered: true };
    case "silence":
      if (attempt.trial) return { kind: "unpadded" };
      return againOr(attempt, 0, { kind: "bad", status: "BadNoCommunication", answered: false });
    case "exception":
      return judgeException(attempt, outcome.exceptionCode, outcome.certain);
  }
}

function judgeException(attempt: Attempt, exceptionCode: number, certain: boolean): Verdict {
  const status = statusOfException(exceptionCode);
  switch (exceptionCode) {
    case 1:
      if (attempt.trial) return { kind: "unpadded" };
      return judgeRefusal({ ...attempt, splittable: false }, status, certain);
    case 2:
    case 3:
      return attempt.padded ? { kind: "unpadded" } : judgeRefusal(attempt, status, certain);
    case 5:
    case 6:
      return againOr(attempt, BUSY_PAUSE_MS, { kind: "bad", status, answered: true });
    // A gateway says that it cannot reach the device.
    case 10:
    case 11:
      return { kind: "bad", status, answered: false };
    default:
      return attempt.trial ? { kind: "unpadded" } : { kind: "bad", status, answered: true };
  }
}

/** In the end a refusal is told of what cannot be split only: nothing else in the block needs to turn Bad for it. */
function judgeRefusal(attempt: Attempt, status: Status, certain: boolean): Verdict {
  const bad: Bad = { kind: "bad", status, answered: true };
  if (attempt.proven && !attempt.splittable) return bad;
  const mayBeMeant = certain || attempt.attempts >= attempt.retries;
  if (!mayBeMeant) return againOr(attempt, attempt.maxLateMs, bad);
  if (attempt.splittable) return { kind: "split" };
  return certain ? { kind: "refused", status } : bad;
}

function againOr(attempt: Attempt, afterMs: number, otherwise: Bad): Verdict {
  return attempt.attempts < attempt.retries ? { kind: "again", afterMs, answered: otherwise.answered } : otherwise;
}
