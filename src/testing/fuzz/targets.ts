import { farEndTargets } from "./far-end-targets.ts";
import { fieldTargets } from "./field-targets.ts";
import { fileTargets } from "./file-targets.ts";
import type { FuzzTarget } from "./fuzz-target.ts";
import { outboxTargets } from "./outbox-targets.ts";
import { toolTargets } from "./tool-targets.ts";

/** Every parser of ours. Close them when done. */
export function allTargets(): readonly FuzzTarget[] {
  return [...farEndTargets(), ...fieldTargets(), ...fileTargets(), ...outboxTargets(), ...toolTargets()];
}
