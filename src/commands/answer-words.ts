/** What came of a request, in words that plant staff can act on. */
import { serialText } from "../config/values.ts";
import { EXIT, type ExitCode } from "../core/errors.ts";
import { STATUSES, statusOfException } from "../core/quality.ts";
import type { BusOutcome } from "../sources/modbus/bus-request.ts";
import type { BenchSettings } from "./bench-line.ts";

export interface Failure {
  readonly text: string;
  readonly exitCode: ExitCode;
}

type Failed = Extract<BusOutcome, { readonly kind: "exception" | "silence" | "copy" | "closed" }>;

const EXCEPTIONS: Readonly<Record<number, string>> = {
  1: "it does not know this function: try another table (40001 holding, 30001 input, 00001 coil, 10001 discrete input)",
  2: "it has no register there: compare with the manual, which may count from 0 or from 1",
  3: "it does not take this quantity or value: try --count 1",
  4: "it reports a fault of its own: look at the device",
  5: "it needs more time; ask again",
  6: "it is busy; ask again",
  8: "it reports a memory fault: look at the device",
  10: "the gateway between has no way to the device",
  11: "the gateway between gets no answer from the device",
};

export function failureOf(outcome: Failed, unitId: number, settings: BenchSettings): Failure {
  switch (outcome.kind) {
    case "exception": {
      const { exceptionCode: code } = outcome;
      const { words } = STATUSES[statusOfException(code)];
      const meaning = EXCEPTIONS[code] ?? "look it up in the manual";
      return { text: `${words} (unit ${unitId}, exception ${code}): ${meaning}`, exitCode: EXIT.unavailable };
    }
    case "closed":
      return { text: outcome.reason, exitCode: EXIT.io };
    case "copy":
      return { text: "an earlier reply came once more: ask again", exitCode: EXIT.unavailable };
    case "silence":
      return { text: silenceText(outcome.cause, unitId, settings), exitCode: EXIT.unavailable };
  }
}

function silenceText(cause: "timeout" | "crc" | "framing", unitId: number, settings: BenchSettings): string {
  const at = `unit ${unitId} at ${serialText(settings.serial)}`;
  if (cause === "crc") {
    return `a damaged reply of ${at}: look for two devices with this address, a missing termination or a bad shield`;
  }
  if (cause === "framing") {
    return `what came back is no reply of ${at}: look for a wrong speed or parity, another master, or noise`;
  }
  const remedy = "is it on? Check address, speed, parity, and A and B";
  return `no answer from ${at} within ${settings.responseTimeoutMs}ms; ${remedy}. sallyport scan finds it`;
}
