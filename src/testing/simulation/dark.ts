/** The time of one life in which nobody knew the time. What is taken in then counts from the kernel's boot. */

export interface Dark {
  readonly bootId: string;
  /** Best-known minus the kernel's time: by it copies are shown. */
  readonly knownOffsetMs: number;
  /** The same of the truth. */
  readonly trueOffsetMs: number;
  /** The same of whatever the host took for the time in this boot; grows. */
  readonly hostOffsetsMs: readonly number[];
  /** By which the samples were dated, once that has shown. */
  offsetMs: number | undefined;
  /** Whether they were dated as certain, once that has shown. */
  isCertain: boolean | undefined;
  /** This boot goes on, and nobody had to wait for the time in it: there is no reason for a guess. */
  readonly mustBeCertain: () => boolean;
}

/** A moment of the kernel, in the time of the life's dark. */
export interface UndatedMark {
  readonly bootMs: number;
  readonly dark: Dark;
}

/** Offsets by which the gateway may date: the right one, the host's, or the best it knows. */
function plausibleOffsets({ knownOffsetMs, trueOffsetMs, hostOffsetsMs }: Dark): readonly number[] {
  return [trueOffsetMs, knownOffsetMs, ...hostOffsetsMs];
}

/** Times that a sample may get which never comes. */
export function plausibleTimes({ bootMs, dark }: UndatedMark): readonly number[] {
  return plausibleOffsets(dark).map((offsetMs) => bootMs + offsetMs);
}

/** The offset that makes one of the samples so old, and is nearest to one that there is a reason for. */
export function offsetBy(dark: Dark, samples: readonly UndatedMark[], t: number): number | undefined {
  const plausible = plausibleOffsets(dark);
  const distanceMs = (offsetMs: number) => Math.min(...plausible.map((known) => Math.abs(offsetMs - known)));
  const offsets = samples.map(({ bootMs }) => t - bootMs);
  return offsets.sort((a, b) => distanceMs(a) - distanceMs(b))[0];
}
