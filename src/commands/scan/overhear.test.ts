import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULTS } from "../../config/defaults.ts";
import type { SerialLine } from "../../sources/modbus/serial-line.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { passWhile } from "../../testing/virtual-wait.ts";
import { overhearLine } from "./overhear.ts";

const VANISHES_AFTER_MS = 100;

test("a port that vanishes while a scan listens ends the listening at once, with its reason", async () => {
  const clock = new VirtualClock();
  const line: SerialLine = {
    onData: () => undefined,
    onLost: () => undefined,
    async open() {
      clock.after(VANISHES_AFTER_MS, () => line.onLost("/dev/ttyUSB0 has vanished"));
    },
    write: async () => undefined,
    discardInput: async () => undefined,
    pause: () => undefined,
    resume: () => undefined,
    close: async () => undefined,
  };
  const listening = overhearLine({
    settings: [DEFAULTS.serial],
    openLine: () => line,
    listenMs: 60_000,
    clock,
    signal: new AbortController().signal,
    onListening: () => undefined,
  });
  await assert.rejects(passWhile(clock, "it has listened", listening), /has vanished/);
  assert.ok(clock.monotonicMs() < 1_000);
});
