/**
 * Files as first boot needs them: few operations, each of which is whole or not there after a power cut once its folder
 * was synced. Tests cut the power after each.
 */
import {
  chmodSync,
  chownSync,
  closeSync,
  fchmodSync,
  fchownSync,
  fsyncSync,
  futimesSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** What a new file or folder is to be like. */
export interface Access {
  readonly mode: number;
  /** Absent: whoever runs this. */
  readonly owner?: Owner;
}

export interface NewFile extends Access {
  /** Of its last change; absent: now. */
  readonly modifiedMs?: number;
}

export interface Entry {
  readonly name: string;
  readonly isFolder: boolean;
  readonly bytes: number;
}

export interface BootFiles {
  /** Files and folders, sorted by name; none where there is no such folder. Links and devices are left out. */
  entries(folder: string): readonly Entry[];
  /** Undefined where there is no such file. */
  read(path: string): Buffer | undefined;
  /**
   * Makes the folder, or gives one that is there that access. Its parent must be there. What is as it should be is not
   * written: a card may take nothing any more.
   */
  makeFolder(path: string, access: Access): void;
  /** On the card when it returns, save its name: that is the folder's to sync. */
  write(path: string, content: Uint8Array, file: NewFile): void;
  /** Overwrites what is there in place, so that the old bytes are gone from where they were. */
  overwrite(path: string, content: Uint8Array): void;
  /** In place of what has that name. */
  rename(from: string, to: string): void;
  /** A link of that name that leads to `target`, unless it is there. */
  link(path: string, target: string): void;
  /** A file, or an empty folder. Does nothing where there is none. */
  remove(path: string): void;
  /** The names in it are on the card when it returns. */
  syncFolder(path: string): void;
}

const MODE_BITS = 0o7777;

export const hostFiles: BootFiles = {
  entries(folder) {
    const found = lstatSync(folder, { throwIfNoEntry: false });
    if (found === undefined || !found.isDirectory()) return [];
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isFile() || entry.isDirectory())
      .map((entry) => ({
        name: entry.name,
        isFolder: entry.isDirectory(),
        bytes: entry.isDirectory() ? 0 : lstatSync(`${folder}/${entry.name}`).size,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  },
  read(path) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found?.isFile() ? readFileSync(path) : undefined;
  },
  makeFolder(path, { mode, owner }) {
    if (lstatSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) mkdirSync(path, { mode });
    const found = lstatSync(path);
    if ((found.mode & MODE_BITS) !== mode) chmodSync(path, mode);
    if (owner !== undefined && (found.uid !== owner.uid || found.gid !== owner.gid)) {
      chownSync(path, owner.uid, owner.gid);
    }
  },
  write(path, content, { mode, owner, modifiedMs }) {
    withFile(path, "w", mode, (file) => {
      writeAll(file, content);
      fchmodSync(file, mode);
      if (owner !== undefined) fchownSync(file, owner.uid, owner.gid);
      if (modifiedMs !== undefined) futimesSync(file, modifiedMs / 1_000, modifiedMs / 1_000);
      fsyncSync(file);
    });
  },
  overwrite(path, content) {
    withFile(path, "r+", undefined, (file) => {
      writeAll(file, content);
      fsyncSync(file);
    });
  },
  rename: renameSync,
  link(path, target) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isSymbolicLink() && readlinkSync(path) === target) return;
    symlinkSync(target, path);
  },
  remove(path) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found !== undefined) rmSync(path, { recursive: found.isDirectory() });
  },
  syncFolder(path) {
    withFile(path, "r", undefined, fsyncSync);
  },
};

function withFile(path: string, flags: string, mode: number | undefined, work: (file: number) => void): void {
  const file = openSync(path, flags, mode);
  try {
    work(file);
  } finally {
    closeSync(file);
  }
}

function writeAll(file: number, content: Uint8Array): void {
  for (let at = 0; at < content.length; ) at += writeSync(file, content, at);
}

/** How a file ends that is still being written. */
export const UNFINISHED = ".new";

/** Whole under that name, or what was there before. */
export function replaceFile(files: BootFiles, path: string, content: Uint8Array, file: NewFile): void {
  const fresh = `${path}${UNFINISHED}`;
  files.write(fresh, content, file);
  files.rename(fresh, path);
  files.syncFolder(dirname(path));
}
