/**
 * What a benchmark puts on the disk goes with its process, also where that is cut short. What it has started ends by
 * itself then: `setpriv --pdeathsig` sees to that, and terminals and paced lines end with what they read from.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { messageOf } from "../core/errors.ts";

const SIGNALS = ["SIGINT", "SIGTERM"] as const;
/** As a shell tells of a process that a signal has ended. */
const SIGNALLED = 128;
/** What was started may write until it has ended, too. */
const REMOVE_RETRIES = 10;
const RETRY_MS = 50;

/**
 * A folder for all temporary files, those of what this process starts among them: it stands in for the machine's own.
 *
 * @param onSignal by default the process ends
 */
export function openScratch(
  name: string,
  onSignal: (exitCode: number) => void = (exitCode) => process.exit(exitCode),
): string {
  const folder = mkdtempSync(join(tmpdir(), `sallyport-${name}-`));
  process.env.TMPDIR = folder;
  removeAtExit(folder);
  for (const signal of SIGNALS) process.on(signal, () => onSignal(SIGNALLED + constants.signals[signal]));
  return folder;
}

export function removeAtExit(folder: string): void {
  process.once("exit", () => {
    try {
      rmSync(folder, { recursive: true, force: true, maxRetries: REMOVE_RETRIES, retryDelay: RETRY_MS });
    } catch (error) {
      process.stderr.write(`remove ${folder} by hand: ${messageOf(error)}\n`);
    }
  });
}
