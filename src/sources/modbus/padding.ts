/** What was learnt of making one read longer, so that its reply can be told from others. Pure. */

/** Counted in steps: a register each, or eight bits. */
export interface Padding {
  /** The device has not refused so many. */
  readonly steps: number;
  /** So many are known to be readable. */
  readonly provenSteps: number;
  /** There was no answer when more was tried: it is not tried again for its own sake. */
  readonly doubted: boolean;
}

export function startPadding(read: { readonly paddingSteps: number; readonly paddingKnown: boolean }): Padding {
  return { steps: read.paddingSteps, provenSteps: read.paddingKnown ? 1 : 0, doubted: false };
}

export function paddingWorked(padding: Padding, steps: number): Padding {
  return steps <= padding.provenSteps ? padding : { ...padding, provenSteps: steps, doubted: false };
}

/** What is refused beyond the known ends all trying: a device that refuses one unknown register refuses most. */
export function paddingRefused(padding: Padding, steps: number): Padding {
  const left = steps > padding.provenSteps ? padding.provenSteps : steps - 1;
  return { ...padding, steps: left, provenSteps: left };
}

/** Some devices keep silent about what they do not have, but a reply may just as well have been lost. */
export function paddingUnanswered(padding: Padding): Padding {
  return { ...padding, doubted: true };
}
