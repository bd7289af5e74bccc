/** A sample as the outbox keeps it: with its time, or with what its time can be told from once the boot is dated. */
import type { BootOffset } from "../core/known-time.ts";
import type { NumberedSample, Sample, UndatedSample } from "../pipeline.ts";

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

/**
 * The sample under its number. All in one form, key by key: a copy by `...` gives each object a hidden class of its own
 * in Node 20, which takes more memory than the sample, and twenty times as long.
 */
export function numbered(sample: Sample, number: number, takenInMs: number): NumberedSample {
  const { tag, value, status, sourceTimestampMs, epoch, readBefore } = sample;
  const held = { tag, value, status, sourceTimestampMs, epoch, number, takenInMs };
  return readBefore === undefined ? held : { ...held, readBefore };
}

/** By its boot's offset, or where nobody knows that by the best-known time. */
export function dated(sample: StoredUndated, fixed: BootOffset | undefined): NumberedSample {
  const { tag, value, bootMs, epoch, number, knownOffsetMs, readBefore } = sample;
  const { offsetMs, isCertain } = fixed ?? { offsetMs: knownOffsetMs, isCertain: false };
  const status = sample.status === "Good" && !isCertain ? "UncertainLastUsableValue" : sample.status;
  const held = { tag, value, status, sourceTimestampMs: bootMs + offsetMs, epoch, number };
  return readBefore === undefined ? held : { ...held, readBefore };
}
