/**
 * A card of its own: a file as a block device, with ext4 as the images of boards have it. Its own statistics count all
 * that reaches it, the file system's journal included. Needs root.
 */
import { execFile, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

export interface LoopCard {
  /** Where it is mounted. */
  readonly path: string;
  /** What was written to the device since it was made, after all that is dirty was. */
  written(): Promise<DeviceWrites>;
  remove(): Promise<void>;
}

export interface DeviceWrites {
  readonly writes: number;
  readonly bytes: number;
}

/** Of the statistics, whatever the device's own sectors are. */
const SECTOR_BYTES = 512;
/** Fields of /sys/block/DEVICE/stat, from 0. */
const WRITES_FIELD = 4;
const SECTORS_WRITTEN_FIELD = 6;
/** Laid out at once: else the kernel goes on writing inode tables for minutes. */
const LAID_OUT = "lazy_itable_init=0,lazy_journal_init=0";

const run = promisify(execFile);

/** @throws where this user may not, or the machine has no loop devices */
export async function openLoopCard(sizeBytes: number): Promise<LoopCard> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-card-"));
  const undo: (() => Promise<unknown>)[] = [() => rm(folder, { recursive: true })];
  const remove = async () => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const [image, path] = [join(folder, "image"), join(folder, "card")];
    await writeFile(image, "");
    await truncate(image, sizeBytes);
    const device = (await run("losetup", ["--find", "--show", image])).stdout.trim();
    undo.push(() => run("losetup", ["--detach", device]));
    await run("mkfs.ext4", ["-q", "-E", LAID_OUT, device]);
    await mkdir(path);
    await run("mount", ["-o", "noatime", device, path]);
    undo.push(() => run("umount", [path]));
    // Where the process is cut short nobody waits for a promise. First of all, for its folder may be removed then, too.
    const cut = () => {
      spawnSync("umount", ["--lazy", path]);
      spawnSync("losetup", ["--detach", device]);
    };
    process.prependOnceListener("exit", cut);
    undo.push(async () => process.off("exit", cut));
    const written = async () => {
      await run("sync", ["--file-system", path]);
      const fields = (await readFile(`/sys/block/${basename(device)}/stat`, "utf8")).trim().split(/\s+/).map(Number);
      return { writes: fields[WRITES_FIELD] ?? 0, bytes: (fields[SECTORS_WRITTEN_FIELD] ?? 0) * SECTOR_BYTES };
    };
    return { path, written, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
