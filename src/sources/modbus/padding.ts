/** What was learnt of making one read longer, so that its reply can be told from others. Pure. */

/** Counted in steps: a register each, or eight bits. */
export interface Padding {
  /** The device has not refused so many. */
  readonly steps: number;
  /** So many are known to be readable. */
  readonly provenSteps: number;
  /** There was no answer when more was tried: it is not tried again for its own sake. */
  readonly doubted: boolean;
  /** Many meters hold pairs of registers only, and refuse to end within one: then by two steps at a time. */
  readonly stride: 1 | 2;
}

export function startPadding(read: { readonly paddingSteps: number; readonly paddingKnown: boolean }): Padding {
  return { steps: read.paddingSteps, provenSteps: read.paddingKnown ? 1 : 0, doubted: false, stride: 1 };
}

export function paddingWorked(padding: Padding, steps: number): Padding {
  return steps <= padding.provenSteps ? padding : { ...padding, provenSteps: steps, doubted: false };
}

/**
 * Where one step is refused, the device may count in pairs. Any other refusal beyond the known ends all trying: a
 * device that refuses one unknown register refuses most.
 */
export function paddingRefused(padding: Padding, steps: number): Padding {
  if (steps === 1 && padding.steps > 1) {
    return { ...padding, provenSteps: padding.provenSteps < 2 ? 0 : padding.provenSteps, stride: 2 };
  }
  const left = steps > padding.provenSteps ? padding.provenSteps : steps - 1;
  return { ...padding, steps: left, provenSteps: left };
}

/** Some devices keep silent about what they do not have, but a reply may just as well have been lost. */
export function paddingUnanswered(padding: Padding): Padding {
  return { ...padding, doubted: true };
}
