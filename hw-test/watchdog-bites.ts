import { closeSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { sleep } from "../src/core/clock.ts";
import { makeDirectory } from "../src/core/directory.ts";
import { type Bench, failed, type Outcome, passed, type Step, skipped } from "./step.ts";

const WATCHDOG = "/dev/watchdog0";
const SYSRQ = "/proc/sysrq-trigger";
const PANIC = "/proc/sys/kernel/panic";
const PENDING = "hw-test-watchdog.json";
/** The longest that a board's watchdog takes, and what firmware and kernel take to start. */
const RESET_LIMIT_MS = 180_000;
/** A kernel that panics is gone at once. */
const STILL_HERE_MS = 10_000;
const MS_PER_S = 1_000;

/**
 * Two lives of the board: the first crashes its kernel while systemd feeds the watchdog, the second finds out whether it
 * was reset. Nothing less shows that it bites.
 */
export const watchdogBites: Step = {
  name: "watchdog",
  title: "a board whose kernel hangs is reset by its watchdog",
  wiring:
    "With --watchdog the board crashes now and must come back by itself. Leave its\npower alone, wait for three minutes, and run hw-test again. Where it stays dead,\nthe watchdog does not bite: switch it off and on, and look at RuntimeWatchdogSec=.\n",
  async run(bench) {
    const told = pendingOutcome(bench);
    if (told !== undefined) return told;
    if (!bench.bites) return skipped("it resets the board: say --watchdog, and run hw-test again when it is back");
    const armed = whoFeeds();
    if (armed !== "somebody") return failed(armed);
    makeDirectory(bench.folder);
    const content = { boot: bench.machine.text("/proc/sys/kernel/random/boot_id"), atMs: bench.clock.wallMs() };
    writeFileSync(join(bench.folder, PENDING), JSON.stringify(content), { flush: true });
    // A kernel that starts the board again by itself would pass for a watchdog.
    const panicBefore = bench.machine.text(PANIC);
    writeFileSync(PANIC, "0");
    writeFileSync(SYSRQ, "c");
    await sleep(bench.clock, STILL_HERE_MS);
    writeFileSync(PANIC, panicBefore);
    return failed(`the kernel did not crash when told so through ${SYSRQ}`);
  },
};

/** A watchdog that is free feeds nobody's fear: opening it would succeed. */
function whoFeeds(): "somebody" | string {
  try {
    const file = openSync(WATCHDOG, "w");
    // The magic word: closing it now arms nothing.
    writeSync(file, "V");
    closeSync(file);
    return `nobody feeds ${WATCHDOG}: set RuntimeWatchdogSec= for systemd`;
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : "";
    if (code === "EBUSY") return "somebody";
    return code === "ENOENT" ? `there is no ${WATCHDOG}` : `${WATCHDOG} cannot be looked at: ${code}; run it as root`;
  }
}

/** What the crash of an earlier run came to. */
export function pendingOutcome({
  machine,
  folder,
  clock,
}: Pick<Bench, "machine" | "folder" | "clock">): Outcome | undefined {
  const path = join(folder, PENDING);
  const text = machine.text(path);
  if (text === "") return undefined;
  rmSync(path, { force: true });
  const { boot, atMs } = pendingIn(text);
  if (boot === machine.text("/proc/sys/kernel/random/boot_id")) return failed("the kernel was to crash, and did not");
  const upMs = Number(machine.text("/proc/uptime").split(" ")[0]) * MS_PER_S;
  const tookMs = clock.wallMs() - upMs - atMs;
  const took = `the kernel was started ${Math.round(tookMs / MS_PER_S)} s after its crash`;
  if (tookMs >= 0 && tookMs <= RESET_LIMIT_MS) return passed(took);
  return failed(`${took}: was it switched off and on by hand, or is the clock wrong?`);
}

function pendingIn(text: string): { readonly boot: string; readonly atMs: number } {
  try {
    const { boot, atMs } = JSON.parse(text);
    return { boot: String(boot), atMs: Number(atMs) };
  } catch {
    return { boot: "", atMs: Number.NaN };
  }
}
