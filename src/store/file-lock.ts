/** Whether somebody on this machine works on a file. */
import { readFileSync, statSync } from "node:fs";

/** `1: POSIX  ADVISORY  READ 812 08:02:131073 1073741826 1073742335`: the third last field ends with the inode. */
const LOCK_LINE = /^\d+: \S+ +\S+ +\S+ +-?\d+ +\S+:(\d+) \S+ \S+$/gm;

/**
 * SQLite in WAL mode keeps a lock on the file from its opening to its closing, whoever has opened it. Where the system
 * keeps no list of locks (a laptop that reads a card) nobody has.
 */
export function isLocked(path: string): boolean {
  const file = statSync(path, { throwIfNoEntry: false });
  if (file === undefined) return false;
  return [...locks().matchAll(LOCK_LINE)].some(([, inode]) => inode === String(file.ino));
}

function locks(): string {
  try {
    return readFileSync("/proc/locks", "latin1");
  } catch {
    return "";
  }
}
