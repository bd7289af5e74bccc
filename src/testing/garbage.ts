/** What the garbage collector has taken, for tests of what nobody holds any more. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { hostClock, sleep } from "../core/clock.ts";

/** A WeakRef holds what it refers to until the end of the turn in which it was made. */
const TURNS = 3;

/** Of each whether it is gone, after collections that leave nothing behind. */
export async function afterCollection(references: readonly WeakRef<object>[]): Promise<readonly boolean[]> {
  setFlagsFromString("--expose_gc");
  const collectGarbage: () => void = runInNewContext("gc");
  for (let turn = 0; turn < TURNS; turn++) {
    await sleep(hostClock, 0);
    collectGarbage();
  }
  return references.map((reference) => reference.deref() === undefined);
}
