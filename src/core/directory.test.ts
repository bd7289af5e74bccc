import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { makeDirectory } from "./directory.ts";

const dir = mkdtempSync(join(tmpdir(), "sallyport-directory-"));
after(() => rmSync(dir, { recursive: true }));

test("directories that are missing are made, with their mode; one that is there stays", () => {
  makeDirectory(join(dir, "a", "b", "c"));
  makeDirectory(join(dir, "a", "b", "c"));
  assert.equal(statSync(join(dir, "a", "b")).mode & 0o777, 0o750);
  assert.ok(statSync(join(dir, "a", "b", "c")).isDirectory());
});

test("a place where nothing can be made is told at once, also where the system says that it does not exist", () => {
  assert.throws(() => makeDirectory("/proc/nothing/here"), /ENOENT/);
  writeFileSync(join(dir, "file"), "");
  assert.throws(() => makeDirectory(join(dir, "file")), /EEXIST/);
  assert.throws(() => makeDirectory(join(dir, "file", "below")), /ENOTDIR/);
});
