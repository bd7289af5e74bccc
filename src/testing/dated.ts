import type { Sample, UndatedSample } from "../pipeline.ts";

/** Samples taken in under a good clock. */
export function dated(samples: readonly (Sample | UndatedSample)[]): readonly Sample[] {
  return samples.map((sample) => {
    if ("bootMs" in sample) throw new Error(`${sample.tag.id} was taken in without its time`);
    return sample;
  });
}
