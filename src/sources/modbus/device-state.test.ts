import assert from "node:assert/strict";
import { test } from "node:test";
import { type DeviceEvent, type DevicePhase, onDeviceEvent, SERVING } from "./device-state.ts";

const PHASES: readonly DevicePhase[] = ["serving", "returning", "stranded", "probing"];

/** Phase after the event, and what is done; with lostAfter 1, so that one failure decides. */
const TABLE: Readonly<Record<DevicePhase, Readonly<Record<DeviceEvent, string>>>> = {
  serving: {
    answered: "serving",
    failed: "probing tellLost probe",
    lineLost: "stranded tellLost",
    lineBack: "serving",
  },
  returning: {
    answered: "serving tellOnline",
    failed: "probing probe",
    lineLost: "stranded",
    lineBack: "returning",
  },
  stranded: { answered: "stranded", failed: "stranded", lineLost: "stranded", lineBack: "returning serve" },
  probing: { answered: "serving tellOnline serve", failed: "probing", lineLost: "probing", lineBack: "probing" },
};

const EVENTS: readonly DeviceEvent[] = ["answered", "failed", "lineLost", "lineBack"];

test("the table of a device's phases is total", () => {
  for (const phase of PHASES) {
    for (const event of EVENTS) {
      const [state, effects] = onDeviceEvent({ phase, failures: 0 }, event, 1);
      assert.equal([state.phase, ...effects].join(" "), TABLE[phase][event], `${phase} ${event}`);
    }
  }
});

test("a device is lost after lostAfter failures in a row, no reply of it between", () => {
  const after = (...events: readonly DeviceEvent[]) =>
    events.reduce((state, event) => onDeviceEvent(state, event, 3)[0], SERVING).phase;
  assert.equal(after("failed", "failed"), "serving");
  assert.equal(after("failed", "failed", "answered", "failed", "failed"), "serving");
  assert.equal(after("failed", "failed", "failed"), "probing");
});
