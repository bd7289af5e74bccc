/** What the demo plays by itself, and when: a device dies, the broker is cut, an input moves meanwhile. */

export type Action = "cut broker" | "restore broker" | "kill device" | "revive device" | "toggle input";

export interface Step {
  readonly atMs: number;
  readonly action: Action;
}

/** Shares of the whole time, so that a longer story has longer faults. The last fifth is quiet: everything must be back. */
const SCRIPT: readonly (readonly [share: number, action: Action])[] = [
  [0.1, "toggle input"],
  [0.2, "kill device"],
  [0.3, "cut broker"],
  [0.4, "toggle input"],
  [0.45, "revive device"],
  [0.55, "restore broker"],
  [0.7, "toggle input"],
];

export function storySteps(totalMs: number): readonly Step[] {
  return SCRIPT.map(([share, action]) => ({ atMs: Math.round(share * totalMs), action }));
}
