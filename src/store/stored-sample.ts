/** A sample as the outbox keeps it: with its time, or with what its time can be told from once the boot is dated. */
import type { BootOffset } from "../core/known-time.ts";
import type { NumberedSample, UndatedSample } from "../pipeline.ts";

/** An undated sample as the outbox keeps it: it says for itself what it counts from. */
export interface StoredUndated extends UndatedSample {
  readonly number: number;
  readonly takenInMs?: number;
  readonly boot: string;
  /** By which it is shown as long as nothing better is known. */
  readonly knownOffsetMs: number;
}

export type StoredSample = NumberedSample | StoredUndated;

export function isUndated(sample: StoredSample): sample is StoredUndated {
  return "bootMs" in sample;
}

/** By its boot's offset, or where nobody knows that by the best-known time. */
export function dated(sample: StoredUndated, fixed: BootOffset | undefined): NumberedSample {
  const { bootMs, takenInMs: _, boot: __, knownOffsetMs, ...rest } = sample;
  const { offsetMs, isCertain } = fixed ?? { offsetMs: knownOffsetMs, isCertain: false };
  const status = rest.status === "Good" && !isCertain ? "UncertainLastUsableValue" : rest.status;
  return { ...rest, status, sourceTimestampMs: bootMs + offsetMs };
}
