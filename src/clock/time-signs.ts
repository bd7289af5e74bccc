/** What a machine shows of its time in files. Reading them needs no rights and no socket. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Nothing ran this program before. Raised with each release. */
const PROGRAM_WRITTEN_MS = Date.UTC(2026, 10, 22);

/** systemd-timesyncd's own, and what the drop-in of chrony-wait.service makes. */
const SERVICE_SIGNS = ["run/systemd/timesync/synchronized", "run/chrony-wait/synchronized"] as const;
const BOOT_ID = "proc/sys/kernel/random/boot_id";
const RTC_CLASS = "sys/class/rtc";

export interface TimeSigns {
  /** Of the running kernel; undefined where it is hidden. */
  bootId(): string | undefined;
  /** The time service says that the clock is synchronised. */
  isSynchronised(): boolean;
  /** UTC ms of the real-time clock that the kernel set its clock by; undefined without one. */
  rtcMs(): number | undefined;
  /** Today is certainly later: the latest of the program's date and the card's. UTC ms. */
  notBeforeMs(): number;
}

export interface TimeSignsOptions {
  /** Another root than that of the file system, for tests. */
  readonly root?: string;
  /** Written when the card was: its date is the card's. */
  readonly flashed: string;
}

export function createTimeSigns({ root = "/", flashed }: TimeSignsOptions): TimeSigns {
  return {
    bootId: () => textOf(join(root, BOOT_ID)) || undefined,
    isSynchronised: () => SERVICE_SIGNS.some((path) => existsSync(join(root, path))),
    rtcMs: () => rtcMs(join(root, RTC_CLASS)),
    notBeforeMs: () =>
      Math.max(PROGRAM_WRITTEN_MS, Math.floor(statSync(flashed, { throwIfNoEntry: false })?.mtimeMs ?? 0)),
  };
}

function rtcMs(folder: string): number | undefined {
  const clocks = attempt(() => readdirSync(folder)) ?? [];
  const used = clocks.find((name) => textOf(join(folder, name, "hctosys")) === "1");
  // A chip that lost its power says so by refusing.
  const seconds = used === undefined ? "" : textOf(join(folder, used, "since_epoch"));
  return /^\d+$/.test(seconds) ? Number(seconds) * 1_000 : undefined;
}

function textOf(path: string): string {
  return attempt(() => readFileSync(path, "latin1").trim()) ?? "";
}

function attempt<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
