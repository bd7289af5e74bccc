/** A card whose faults are chosen while a process writes to it: shim.c, compiled, and the way to steer it. */
import { execFile } from "node:child_process";
import { closeSync, openSync, readSync, writeSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SOURCE = fileURLToPath(new URL("shim.c", import.meta.url));
const CONTROL_BYTES = 6 * 4 + 3 * 3 * 8;
const COUNTS_AT = 6 * 4;
const COUNTED = ["outbox", "state", "other"] as const;

const run = promisify(execFile);

/** The error that such a call ends with. */
type Refusal = "EACCES" | "EIO" | "ENOSPC" | "EROFS";

/** What the card does from now on; absent: nothing amiss. */
export interface DiskFaults {
  readonly open?: Refusal;
  readonly read?: Refusal;
  readonly write?: Refusal;
  readonly sync?: Refusal;
  /** Of writes that make a file longer. */
  readonly grow?: Refusal;
  readonly syncDelayMs?: number;
}

/** Calls of the C library that succeeded. */
export interface DiskCounts {
  readonly writes: number;
  readonly writtenBytes: number;
  readonly syncs: number;
}

export class DiskShim {
  readonly #folder: string;
  readonly #control: number;
  readonly #library: string;

  private constructor(folder: string, library: string, control: number) {
    this.#folder = folder;
    this.#library = library;
    this.#control = control;
  }

  static async compile(): Promise<DiskShim> {
    const folder = await mkdtemp(join(tmpdir(), "sallyport-disk-shim-"));
    const library = join(folder, "shim.so");
    const control = join(folder, "control");
    await writeFile(control, new Uint8Array(CONTROL_BYTES));
    const flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"];
    await run("cc", [...flags, "-o", library, SOURCE, "-ldl"]);
    return new DiskShim(folder, library, openSync(control, "r+"));
  }

  /** For a process that shall have this card. @param match what the paths of its files contain */
  environment(match: string): Record<string, string> {
    return {
      LD_PRELOAD: this.#library,
      SALLYPORT_DISK_CONTROL: join(this.#folder, "control"),
      SALLYPORT_DISK_MATCH: match,
    };
  }

  set(faults: DiskFaults): void {
    const { open, read, write, sync, grow } = faults;
    const errors = [open, read, write, sync, grow].map((name) => (name === undefined ? 0 : constants.errno[name]));
    const words = Int32Array.from([...errors, faults.syncDelayMs ?? 0]);
    writeSync(this.#control, new Uint8Array(words.buffer), 0, words.byteLength, 0);
  }

  /** Since it was compiled. */
  counts(): Readonly<Record<(typeof COUNTED)[number], DiskCounts>> {
    const words = new BigUint64Array(COUNTED.length * 3);
    readSync(this.#control, new Uint8Array(words.buffer), 0, words.byteLength, COUNTS_AT);
    const of = (kind: number): DiskCounts => {
      const [writes = 0, writtenBytes = 0, syncs = 0] = [...words.subarray(3 * kind, 3 * kind + 3)].map(Number);
      return { writes, writtenBytes, syncs };
    };
    return { outbox: of(0), state: of(1), other: of(2) };
  }

  async close(): Promise<void> {
    closeSync(this.#control);
    await rm(this.#folder, { recursive: true, force: true });
  }
}
