// Copies the packages with machine code, and what they need to run, into a folder: what `build.mjs` leaves out of the
// bundle. Sources, tests and machine code for other machines stay behind.
//
//   node scripts/image-packages.mjs TARGET
import { cpSync, existsSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const ROOTS = ["better-sqlite3", "serialport", "onoff"];
/** They fetch or build machine code, which is there already. */
const INSTALLERS = new Set(["prebuild-install", "nan", "node-addon-api"]);
const NEVER = new Set(["test", "tests", "example", "examples", "prebuilds", "node_modules"]);
const SOURCES = new Set(["src", "deps", "build"]);
const KEPT = /(\.c?js|\.json|LICENSE(\.\w+)?)$/;

const modules = fileURLToPath(new URL("../node_modules", import.meta.url));
const target = process.argv[2];
if (target === undefined) throw new Error("say where to");

const done = new Set();

/** Where Node finds `name` from the package at `from`. */
function find(name, from) {
  for (let folder = from; folder.startsWith(dirname(modules)); folder = dirname(folder)) {
    if (basename(folder) === "node_modules") continue;
    const found = join(folder, "node_modules", name);
    if (existsSync(found)) return found;
  }
  throw new Error(`${name} is not installed; run npm ci`);
}

function copy(path) {
  if (done.has(path)) return;
  done.add(path);
  const leftOut = existsSync(join(path, "binding.gyp")) ? new Set([...NEVER, ...SOURCES]) : NEVER;
  cpSync(path, join(target, relative(modules, path)), {
    recursive: true,
    filter: (source) =>
      !leftOut.has(relative(path, source).split("/")[0]) && (statSync(source).isDirectory() || KEPT.test(source)),
  });
  const { dependencies = {} } = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies)) if (!INSTALLERS.has(name)) copy(find(name, path));
}

for (const name of ROOTS) copy(find(name, dirname(modules)));
