/** What the garbage collector has taken, for tests of what nobody holds any more. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { hostClock, sleep } from "../core/clock.ts";

/** A WeakRef holds what it refers to until its turn ends; and what one collection frees may have held more. */
const TURNS = 3;

/** @returns for each reference whether what it refers to is gone */
export async function afterCollection(references: readonly WeakRef<object>[]): Promise<readonly boolean[]> {
  setFlagsFromString("--expose_gc");
  const collectGarbage: () => void = runInNewContext("gc");
  for (let turn = 0; turn < TURNS; turn++) {
    await sleep(hostClock, 0);
    collectGarbage();
  }
  return references.map((reference) => reference.deref() === undefined);
}
