/**
 * Samples that are only kept, in case somebody misses them: by columns. A message of 50 samples is four arrays then, not
 * 200 objects: a third of the memory, and no holes of every size in V8's old generation when they are forgotten.
 */
import { assert } from "../core/errors.ts";
import type { NumberedSample } from "../pipeline.ts";

/** Fewer samples take less as they are. */
const COLUMNS_FROM = 3;

/** What is alike in most messages. */
type Marks = Pick<NumberedSample, "status" | "epoch" | "readBefore">;

/** @returns what gives them back, perhaps without the time of being taken in: history does not use it */
export function columnsOf(samples: readonly NumberedSample[]): () => readonly NumberedSample[] {
  return samples.length < COLUMNS_FROM ? asTheyAre(samples) : inColumns(samples);
}

/** Apart from the other: closures of one call share what any of them names, so that columns would keep the samples, too. */
function asTheyAre(samples: readonly NumberedSample[]): () => readonly NumberedSample[] {
  return () => samples;
}

function inColumns(samples: readonly NumberedSample[]): () => readonly NumberedSample[] {
  const { status, epoch } = at(samples, 0);
  // All in one pass, of their length from the start: a backlog pays for this with every sample.
  const tags = new Array<NumberedSample["tag"]>(samples.length);
  const values = new Array<NumberedSample["value"]>(samples.length);
  const timesMs = new Array<number>(samples.length);
  const numbers = new Array<number>(samples.length);
  let unlike: Map<number, Marks> | undefined;
  samples.forEach((sample, index) => {
    tags[index] = sample.tag;
    values[index] = sample.value;
    timesMs[index] = sample.sourceTimestampMs;
    numbers[index] = sample.number;
    if (sample.status === status && sample.epoch === epoch && sample.readBefore !== true) return;
    unlike ??= new Map();
    unlike.set(index, marksOf(sample));
  });
  return () =>
    tags.map((tag, index) => {
      const own = { value: at(values, index), sourceTimestampMs: at(timesMs, index), number: at(numbers, index) };
      return { tag, ...own, ...(unlike?.get(index) ?? { status, epoch }) };
    });
}

function marksOf({ status, epoch, readBefore }: NumberedSample): Marks {
  return readBefore === true ? { status, epoch, readBefore } : { status, epoch };
}

function at<T>(column: readonly T[], index: number): T {
  const item = column[index];
  assert(item !== undefined, "columns have one length");
  return item;
}
