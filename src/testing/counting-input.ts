import type { InputConfig } from "../config/config.ts";
import { tagOf } from "./settable-values.ts";

/** An energy meter's pulses: from 100 on, half a unit for each rising edge. */
export function countingInput(pin: InputConfig["pin"]): InputConfig {
  return {
    ...tagOf("inputs", "energy"),
    pin,
    activeLow: false,
    debounceMs: 0,
    counter: { edge: "rising", start: 100, scale: 0.5 },
  };
}
