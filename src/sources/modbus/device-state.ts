/** Whether a device is there, as far as reads tell. Pure, with a total table. */

/**
 * serving: read in full. returning: read in full, told as lost until it answers. stranded: its line is gone.
 * probing: lost, asked once in a while.
 */
export type DevicePhase = "serving" | "returning" | "stranded" | "probing";

/**
 * answered: the device itself replied, be it a refusal or "busy": it is there, and probing it as a lost one would be
 * wrong. failed: a read had no reply of it after all retries, or a gateway before it could not reach it.
 */
export type DeviceEvent = "answered" | "failed" | "lineLost" | "lineBack";

/** tellLost, tellOnline: its presence. probe: full reads stop. serve: full reads begin, at once. */
export type DeviceEffect = "tellLost" | "tellOnline" | "probe" | "serve";

export interface DeviceState {
  readonly phase: DevicePhase;
  /** Reads failed in a row, no reply of the device between. */
  readonly failures: number;
}

export const SERVING: DeviceState = { phase: "serving", failures: 0 };

type Step = readonly [DeviceState, readonly DeviceEffect[]];

const STRANDED: DeviceState = { phase: "stranded", failures: 0 };
const RETURNING: DeviceState = { phase: "returning", failures: 0 };
const PROBING: DeviceState = { phase: "probing", failures: 0 };

const AT_LINE_LOSS: Readonly<Record<DevicePhase, Step>> = {
  serving: [STRANDED, ["tellLost"]],
  returning: [STRANDED, []],
  stranded: [STRANDED, []],
  probing: [PROBING, []],
};

const AT_REPLY: Readonly<Record<DevicePhase, Step>> = {
  serving: [SERVING, []],
  returning: [SERVING, ["tellOnline"]],
  stranded: [STRANDED, []],
  probing: [SERVING, ["tellOnline", "serve"]],
};

/** @param lostAfter failures in a row that make a device lost */
export function onDeviceEvent(state: DeviceState, event: DeviceEvent, lostAfter: number): Step {
  switch (event) {
    case "answered":
      return AT_REPLY[state.phase];
    case "failed":
      return onFailure(state, lostAfter);
    case "lineLost":
      return AT_LINE_LOSS[state.phase];
    case "lineBack":
      return state.phase === "stranded" ? [RETURNING, ["serve"]] : [state, []];
  }
}

function onFailure(state: DeviceState, lostAfter: number): Step {
  if (state.phase === "stranded" || state.phase === "probing") return [state, []];
  const failures = state.failures + 1;
  if (failures < lostAfter) return [{ ...state, failures }, []];
  return [PROBING, state.phase === "serving" ? ["tellLost", "probe"] : ["probe"]];
}
