/** The gateway that runs on this machine, as its runtime directory shows it. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { hostClock } from "../core/clock.ts";
import { STATUS_FILE, type StatusContent } from "../diagnostics/status-file.ts";
import { parseStatus } from "../diagnostics/status-shape.ts";
import type { CommandIo } from "./io.ts";

/** Replaced once a second; one that is older is left over. */
const STATUS_FRESH_MS = 5_000;

/** Where the unit has it; else where `run` has it by default. */
const USUAL_PLACES = ["/run/sallyport", "state"];

export interface RunningGateway {
  readonly runtimeDir: string;
  readonly status: StatusContent;
}

/** @returns undefined where none runs, or it cannot be seen by this user */
export function findGateway({ env }: Pick<CommandIo, "env">): RunningGateway | undefined {
  const told = [env.RUNTIME_DIRECTORY, env.STATE_DIRECTORY].flatMap((list) => list?.split(":")[0] || []);
  for (const place of told.length > 0 ? told : USUAL_PLACES) {
    const runtimeDir = resolve(place);
    const status = freshStatus(runtimeDir);
    if (status !== undefined) return { runtimeDir, status };
  }
  return undefined;
}

function freshStatus(runtimeDir: string): StatusContent | undefined {
  try {
    const status = parseStatus(readFileSync(join(runtimeDir, STATUS_FILE), "utf8"));
    if (status === undefined) return undefined;
    return Math.abs(hostClock.wallMs() - status.timestamp) < STATUS_FRESH_MS ? status : undefined;
  } catch {
    return undefined;
  }
}
