/**
 * What must hold, by name, and who looks after it: files of this folder, and what checks in them. The letters are those
 * of the promises. A check ends in `story.breach(…)`, and the first breach ends the run.
 */
export const INVARIANTS = {
  "P3 current is current": ["picture.ts checkCurrency"],
  "P3 the picture equals the tags": ["picture.ts difference", "simulate.ts #whatIsShownWrong"],
  "P3 the last report stands for the last read": ["reported.ts checkReported"],
  "P3 order of a session": [
    "json-arrivals.ts arrived",
    "node-arrivals.ts arrived",
    "node-listener.ts #said",
    "far-end.ts #arrived",
  ],
  "P3 old is told as old": ["truth.ts checkTable"],
  "P3 live is live": ["delivery-book.ts #checkLag"],
  "P4 nothing is lost unsaid": ["delivery-book.ts overdue", "simulate.ts #whatIsOwed"],
  "P4 a loss has its cause": ["losses.ts checkLosses"],
  "P4 a power cut takes no more than the bound": ["losses.ts checkLosses"],
  "P4 a gap is no wider than its cause": ["losses.ts checkGaps", "simulate.ts #checkGaps"],
  "P4 the lowest priority goes first": ["losses.ts checkPriorities"],
  "identity: one content": ["delivery-book.ts value", "delivery-book.ts shown"],
  "identity: order": ["taken-in.ts #checkAfter", "delivery-book.ts #checkOrder", "node-arrivals.ts #checkShown"],
  "identity: seq without gaps": ["json-arrivals.ts #checkSeq", "node-arrivals.ts arrived"],
  "identity: bdSeq of a session": ["bd-seqs.ts connects", "node-arrivals.ts #nodeBorn"],
  "P5 a good value was held": ["truth.ts checkTaken", "truth.ts checkTable"],
  "P6 dead devices cost 5 %": ["dead-time.ts asked", "simulate.ts #check"],
  "P6 history is no burden": ["delivery-book.ts #checkLag", "delivery-book.ts #checkHistory"],
  "P7 bounded": ["bounds.ts checkBounds", "bounds.ts checkFrozen", "far-end.ts #arrived", "node-arrivals.ts #nodeBorn"],
  "P8 changes are safe": ["world.ts boot", "world.ts shutDown", "world.ts #reload"],
  "P9 honest time": ["taken-in.ts #checkStamp", "taken-in.ts takeUndated", "delivery-book.ts #checkTime"],
  convergence: ["simulate.ts #whoIsNotConnected", "simulate.ts #whatWaits"],
  "no bug": ["simulate.ts toTheEnd"],
} as const;

export type Invariant = keyof typeof INVARIANTS;
