/**
 * Samples that are only kept, in case somebody misses them: by columns. A message of 50 samples is six arrays then, not
 * 200 objects: half of the memory, and no holes of every size in V8's old generation when they are forgotten.
 */
import { assert } from "../core/errors.ts";
import type { NumberedSample } from "../pipeline.ts";

/** @returns what gives them again, but for the time at which they were taken in: to that nobody looks in history */
export function packSamples(samples: readonly NumberedSample[]): () => readonly NumberedSample[] {
  const tags = samples.map(({ tag }) => tag);
  const values = samples.map(({ value }) => value);
  const statuses = samples.map(({ status }) => status);
  const timesMs = samples.map(({ sourceTimestampMs }) => sourceTimestampMs);
  const epochs = samples.map(({ epoch }) => epoch);
  const numbers = samples.map(({ number }) => number);
  const before = samples.some(({ readBefore }) => readBefore) ? samples.map(({ readBefore }) => readBefore) : undefined;
  const sampleAt = (index: number): NumberedSample => {
    const sample = {
      tag: at(tags, index),
      value: at(values, index),
      status: at(statuses, index),
      sourceTimestampMs: at(timesMs, index),
      epoch: at(epochs, index),
      number: at(numbers, index),
    };
    return before?.[index] ? { ...sample, readBefore: true } : sample;
  };
  return () => tags.map((_, index) => sampleAt(index));
}

function at<T>(column: readonly T[], index: number): T {
  const item = column[index];
  assert(item !== undefined, "columns have one length");
  return item;
}
