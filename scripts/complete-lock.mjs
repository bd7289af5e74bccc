// Fills package-lock.json with the optional packages of other platforms that the registry at hand does not serve.
// npm leaves them out of the lock file then, and `npm ci` refuses a lock file without them, on every machine.
// Run it after `npm install` when `npm ci` says "Missing: …@ from lock file". It changes nothing where nothing is missing.
import { readFileSync, writeFileSync } from "node:fs";

const OS = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
/** In the names of packages, and as npm writes them. */
const CPU = {
  arm64: "arm64",
  arm: "arm",
  ia32: "ia32",
  ppc64: "ppc64",
  riscv64: "riscv64",
  s390x: "s390x",
  x64: "x64",
};

const file = new URL("../package-lock.json", import.meta.url);
const lock = JSON.parse(readFileSync(file, "utf8"));
const added = [];
for (const [path, { optionalDependencies = {}, dev }] of Object.entries(lock.packages)) {
  if (path === "") continue;
  for (const [name, version] of Object.entries(optionalDependencies)) {
    const place = `node_modules/${name}`;
    if (lock.packages[place] !== undefined || lock.packages[`${path}/${place}`] !== undefined) continue;
    const words = name.split(/[/-]/);
    const os = OS.find((word) => words.includes(word));
    const cpu = Object.keys(CPU).find((word) => words.includes(word));
    if (os === undefined || cpu === undefined)
      throw new Error(`for which platform is ${name}? Teach complete-lock.mjs`);
    lock.packages[place] = { version, cpu: [CPU[cpu]], ...(dev && { dev }), optional: true, os: [os] };
    if (words.includes("musl")) lock.packages[place].libc = ["musl"];
    added.push(name);
  }
}
const [root, ...rest] = Object.entries(lock.packages);
lock.packages = Object.fromEntries([root, ...rest.sort(([a], [b]) => a.localeCompare(b, "en"))]);
if (added.length > 0) writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
process.stdout.write(`${added.length} packages added\n`);
