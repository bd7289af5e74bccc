// What each dependency at run time takes, with all that comes with it: installed by npm, and on a board, bundled or beside
// the bundle without machine code. What two of them need counts for both. For the table in README.md.
//
//   node scripts/dependency-sizes.mjs
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const json = (file) => JSON.parse(readFileSync(file, "utf8"));

/** Where Node finds `name` from the package at `from`. */
function find(name, from) {
  for (let folder = from; folder.startsWith(root.replace(/\/$/, "")); folder = dirname(folder)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(found)) return found;
  }
  throw new Error(`${name} is not installed; run npm ci`);
}

function withAllItNeeds(path, seen = new Set()) {
  if (seen.has(path)) return seen;
  seen.add(path);
  for (const name of Object.keys(json(join(path, "package.json")).dependencies ?? {}))
    withAllItNeeds(find(name, path), seen);
  return seen;
}

/** Of a package alone: those within it count for themselves. */
function bytesIn(folder) {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { withFileTypes: true }).reduce((sum, entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sum + (entry.name === "node_modules" ? 0 : bytesIn(path));
    return sum + (entry.isFile() ? statSync(path).size : 0);
  }, 0);
}

const work = mkdtempSync(join(tmpdir(), "sallyport-sizes-"));
execFileSync(process.execPath, [join(root, "scripts/build.mjs"), join(work, "dist"), join(work, "metafile")], {
  stdio: "ignore",
});
execFileSync(process.execPath, [join(root, "scripts/image-packages.mjs"), join(work, "node_modules")]);
const bundled = new Map();
for (const { inputs } of Object.values(json(join(work, "metafile")).outputs)) {
  for (const [file, { bytesInOutput }] of Object.entries(inputs)) {
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1];
    if (folder !== undefined) bundled.set(folder, (bundled.get(folder) ?? 0) + bytesInOutput);
  }
}
for (const name of Object.keys(json(join(root, "package.json")).dependencies)) {
  const packages = [...withAllItNeeds(find(name, root))];
  const kB = (sizeOf) => Math.round(packages.reduce((sum, path) => sum + sizeOf(relative(root, path)), 0) / 1000);
  const installed = kB((path) => bytesIn(join(root, path)));
  const given = kB((path) => (bundled.get(path) ?? 0) + bytesIn(join(work, path)));
  const { version } = json(join(find(name, root), "package.json"));
  process.stdout.write(
    `${name} ${version}: ${packages.length} packages, installed ${installed} kB, on a board ${given} kB\n`,
  );
}
rmSync(work, { recursive: true, force: true });
