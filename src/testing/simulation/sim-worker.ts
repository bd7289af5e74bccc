/** One core of the simulation: runs the seeds it is sent, one after the other. Started by sim.ts. */
import { drawPlan } from "./draw.ts";
import { simulate } from "./simulate.ts";

/** What a worker tells of a seed. */
export interface SeedResult {
  readonly seed: number;
  readonly virtualMs: number;
  readonly hash: string;
  readonly takenIn: number;
  /** Of the first breach; absent where all held. */
  readonly invariant?: string;
}

process.on("message", (seed: number) => {
  void simulate(drawPlan(seed)).then(({ breaches, virtualMs, hash, takenIn }) => {
    const [first] = breaches;
    const result: SeedResult = { seed, virtualMs, hash, takenIn, ...(first && { invariant: first.invariant }) };
    process.send?.(result);
  });
});
