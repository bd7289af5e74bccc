/** One look at a gateway of a soak: from outside by the kernel and its files, from inside by the probe. A line of the record. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseStatus } from "../../diagnostics/status-shape.ts";
import { cpuSecondsOf, residentBytesOf } from "../../testing/process-figures.ts";
import type { InnerLook } from "./probe.ts";

export interface OuterLook {
  readonly rssBytes: number;
  /** Open files. */
  readonly handles: number;
  readonly threads: number;
  readonly cpuS: number;
  readonly walBytes: number;
  readonly outboxBytes: number;
  /** Samples that wait for an uplink, all uplinks together. */
  readonly depth: number;
  /** Of them in memory. */
  readonly memorySamples: number;
}

export interface Delays {
  readonly values: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** What the prover knows itself. */
export interface ProverLook {
  /** Since the beginning. */
  readonly s: number;
  /** The how manyth process. */
  readonly life: number;
  /** Since this process began. */
  readonly lifeS: number;
  /** The trouble that is on; empty: none. */
  readonly trouble: string;
  /** Since the end of the last trouble, and since all was there again after it; negative while it is not. */
  readonly quietS: number;
  /** From the device's reply to the subscriber, by uplink; what came as live since the last look. */
  readonly delays: Readonly<Record<string, Delays>>;
  readonly proverRssBytes: number;
  readonly proverLoopDelayP99Ms: number;
  readonly loadAverage: number;
}

/** Absent: there was no gateway to look at, or it had told nothing yet. */
export type Look = ProverLook & Partial<OuterLook> & Partial<InnerLook>;

/** undefined: the process is gone. */
export async function lookFromOutside(pid: number, stateDir: string): Promise<OuterLook | undefined> {
  try {
    const { now } = await residentBytesOf(pid);
    const status = parseStatus(await readFile(join(stateDir, "status.json"), "utf8").catch(() => ""));
    return {
      rssBytes: now,
      handles: (await readdir(`/proc/${pid}/fd`)).length,
      threads: (await readdir(`/proc/${pid}/task`)).length,
      cpuS: await cpuSecondsOf(pid),
      walBytes: await sizeOf(join(stateDir, "outbox.db-wal")),
      outboxBytes: await sizeOf(join(stateDir, "outbox.db")),
      depth: (status?.uplinks ?? []).reduce((sum, { depth }) => sum + depth, 0),
      memorySamples: status?.outbox.memorySamples ?? 0,
    };
  } catch {
    return undefined;
  }
}

export async function lookFromInside(file: string): Promise<InnerLook | undefined> {
  const text = await readFile(file, "utf8").catch(() => undefined);
  // Made by the probe in one piece.
  return text === undefined ? undefined : (JSON.parse(text) as InnerLook);
}

async function sizeOf(path: string): Promise<number> {
  return await stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}
