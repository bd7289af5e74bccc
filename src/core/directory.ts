import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes the directory and those above it that are missing. Not by `recursive: true`: where the system says ENOENT of a
 * place whose parent exists, as /proc does, Node 20 to 24 try for ever.
 *
 * @param mode of the directories made
 * @throws Error of the system for what cannot be made, or is there and is no directory
 */
export function makeDirectory(path: string, mode = 0o750): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isDirectory()) return;
  const parent = dirname(path);
  if (found === undefined && parent !== path) makeDirectory(parent, mode);
  mkdirSync(path, { mode });
}
