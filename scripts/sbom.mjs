// Bill of materials (CycloneDX) of what is given out, and of nothing else. npm writes it from the lock file, with licences
// and hashes; left in are the packages that are bundled or lie beside the bundle. For an image its Node and Debian's
// packages are added, of which npm knows nothing.
//
//   node scripts/sbom.mjs METAFILE MODULES [PARTS]
//
//   METAFILE  what build.mjs tells of the bundle
//   MODULES   the packages beside it, as image-packages.mjs leaves them
//   PARTS     the list that image.sh writes beside an image
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
/** A file of a package, with the folder of the package: the innermost one. */
const IN_PACKAGE = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//;

const json = (file) => JSON.parse(readFileSync(file, "utf8"));
const refOf = ({ name, version }) => `${name}@${version}`;

/** Whose code is in the bundle. What was imported and found to be of no use left no byte there. */
function bundled(metafile) {
  const files = Object.values(metafile.outputs).flatMap(({ inputs }) =>
    Object.entries(inputs).flatMap(([file, { bytesInOutput }]) => (bytesInOutput > 0 ? [file] : [])),
  );
  const folders = new Set(files.flatMap((file) => IN_PACKAGE.exec(file)?.[1] ?? []));
  return [...folders].map((folder) => refOf(json(join(root, folder, "package.json"))));
}

/** Every package in a node_modules, and in those within it. */
function installed(modules) {
  return readdirSync(modules, { withFileTypes: true, recursive: true }).flatMap((entry) => {
    const file = join(entry.parentPath ?? entry.path, entry.name);
    const isPackage = entry.name === "package.json" && IN_PACKAGE.exec(file)?.[1] === (entry.parentPath ?? entry.path);
    return isPackage ? [refOf(json(file))] : [];
  });
}

/** npm's own bill of all that may be needed at run time. It would leave out what a tool needs as well, so it sees no tools. */
function npmBill() {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-sbom-"));
  try {
    const { devDependencies: _, ...manifest } = json(join(root, "package.json"));
    const lock = json(join(root, "package-lock.json"));
    const kept = Object.entries(lock.packages).filter(([, { dev, devOptional }]) => !dev && !devOptional);
    lock.packages = Object.fromEntries(kept);
    delete lock.packages[""].devDependencies;
    writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
    writeFileSync(join(folder, "package-lock.json"), JSON.stringify(lock));
    const options = ["--silent", "--package-lock-only", "--sbom-format=cyclonedx", "--sbom-type=application"];
    return JSON.parse(execFileSync("npm", ["sbom", ...options], { cwd: folder, encoding: "utf8" }));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** better-sqlite3 brings its own, which no list of packages tells. */
function withSqlite(component) {
  if (component.name !== "better-sqlite3") return component;
  const Database = createRequire(import.meta.url)("better-sqlite3");
  const { version } = new Database(":memory:").prepare("SELECT sqlite_version() AS version").get();
  const purl = `pkg:generic/sqlite@${version}`;
  const licenses = [{ license: { id: "blessing" } }];
  const cpe = `cpe:2.3:a:sqlite:sqlite:${version}:*:*:*:*:*:*:*`;
  const sqlite = { "bom-ref": purl, type: "library", name: "sqlite", version, purl, cpe, licenses };
  return { ...component, components: [sqlite] };
}

/** Lines of image.sh: kind, name, version, architecture, source, its version, checksum. */
function partsOf(file) {
  const lines = readFileSync(file, "utf8").split("\n");
  return lines.filter((line) => line !== "").map((line) => componentOf(line.split("\t")));
}

function componentOf([kind, name, version, architecture, source, sourceVersion, sum]) {
  const purls = {
    deb: `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}&distro=debian-13`,
    npm: `pkg:npm/${name}@${version}`,
    file: `pkg:generic/${encodeURIComponent(name)}`,
  };
  if (purls[kind] === undefined) throw new Error(`what is a ${kind}?`);
  return {
    "bom-ref": purls[kind],
    type: kind === "file" ? "operating-system" : "library",
    name,
    ...(version !== "" && { version }),
    scope: "required",
    purl: purls[kind],
    // By this name lists of known faults have it.
    ...(kind === "npm" && { cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*` }),
    hashes: [{ alg: sum.length === 128 ? "SHA-512" : "SHA-256", content: sum }],
    ...(source !== "" && { properties: [{ name: "source", value: `${source} ${sourceVersion}` }] }),
  };
}

const [metafile, modules, parts] = process.argv.slice(2);
if (modules === undefined) throw new Error("say METAFILE and MODULES");
const given = new Set([...bundled(json(metafile)), ...installed(modules)]);
const bill = npmBill();
const isGiven = ({ name, version }) => given.has(refOf({ name, version }));
const missing = [...given].filter((ref) => !bill.components.some((component) => refOf(component) === ref));
if (missing.length > 0) throw new Error(`given out, but no dependency at run time: ${missing.join(", ")}`);
const components = bill.components.filter(isGiven).map(withSqlite);
const refs = new Set([bill.metadata.component["bom-ref"], ...components.map((component) => component["bom-ref"])]);
const dependencies = bill.dependencies
  .filter(({ ref }) => refs.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => refs.has(other)) }));
// The same input gives the same bytes: no time, no number of its own.
const { serialNumber: _, ...rest } = bill;
const { timestamp: __, ...metadata } = bill.metadata;
metadata.component.name = "sallyport";
const whole = parts === undefined ? components : [...components, ...partsOf(parts)];
process.stdout.write(`${JSON.stringify({ ...rest, metadata, components: whole, dependencies }, null, 2)}\n`);
