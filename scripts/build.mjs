// Bundles the gateway for a board: dist/sallyport.mjs, its chunks, the storage worker and the device models.
// Packages with machine code stay outside, in node_modules beside it.
import { chmod, cp, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const src = resolve(root, "src");
/** Where it goes; tests bundle into a folder of their own. */
const dist = resolve(root, process.argv[2] ?? "dist");
/** Where to tell of what it is made, for the bill of materials. */
const told = process.argv[3];

const WITH_MACHINE_CODE = ["better-sqlite3", "serialport", "@serialport/*", "onoff", "epoll"];

/** Files that the source finds by `new URL(…, import.meta.url)`, and where they are in dist, beside every chunk. */
const FOUND_BY_URL = [
  [resolve(src, "store/storage-worker.ts"), "./storage-worker.mjs"],
  [resolve(src, "models"), "./models"],
  [resolve(src, "sources/gpio/gpio-lines.pl"), "./gpio-lines.pl"],
  [resolve(root, "board"), "./board"],
];

const filesByUrl = {
  name: "files by URL",
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      const contents = text.replace(/new URL\("([^"]+)", import\.meta\.url\)/g, (_, name) => {
        return `new URL("${placeInDist(resolve(dirname(path), name), path)}", import.meta.url)`;
      });
      return { contents, loader: "ts" };
    });
  },
};

function placeInDist(file, from) {
  for (const [source, place] of FOUND_BY_URL) {
    if (file === source || file.startsWith(`${source}/`)) return place + file.slice(source.length);
  }
  throw new Error(`${relative(root, from)} finds ${relative(root, file)} by URL; say in build.mjs where it is in dist`);
}

/** The demo brings a broker, and no gateway has one. */
const withoutDemo = {
  name: "without the demo",
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/commands\/demo\/demo\.ts$/ }, () => ({
      contents: `
        import { EXIT, UserError } from "../../core/errors.ts";
        export async function demo() {
          throw new UserError("runs in a checkout of the source, not on a gateway", EXIT.unavailable);
        }
      `,
      loader: "ts",
    }));
  },
};

/** mqtt-packet keeps a Buffer for each length below 16,384 that a message had: memory grows for hours. */
const KEEPS_LENGTHS = "if (num < 16384) varByteIntCache[num] = buffer";
const withoutLengths = {
  name: "without lengths kept",
  setup({ onLoad, onEnd }) {
    let isOut = false;
    onLoad({ filter: /\/mqtt-packet\// }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      if (!text.includes(KEEPS_LENGTHS)) return undefined;
      isOut = true;
      return { contents: text.replace(KEEPS_LENGTHS, "") };
    });
    // Where it keeps them in other words somebody has to look again.
    onEnd(() => (isOut ? {} : { errors: [{ text: `mqtt-packet: no "${KEEPS_LENGTHS}"; see ${import.meta.url}` }] }));
  },
};

await rm(dist, { recursive: true, force: true });
const { metafile } = await build({
  entryPoints: { sallyport: resolve(src, "main.ts"), "storage-worker": resolve(src, "store/storage-worker.ts") },
  outdir: dist,
  outExtension: { ".js": ".mjs" },
  bundle: true,
  // A command loads its chunk when it is called: `check` does not pay for SQLite.
  splitting: true,
  format: "esm",
  platform: "node",
  target: "node20",
  external: WITH_MACHINE_CODE,
  // mqtt.js brings a copy of Node's own streams, and timers for browsers: 160 kB of text, and 2 MB in memory.
  alias: { "readable-stream": "node:stream", "worker-timers": "node:timers" },
  // CommonJS packages among the bundled ones call require for Node's own modules.
  banner: {
    js: 'import { createRequire as requireOf } from "node:module";\nconst require = requireOf(import.meta.url);',
  },
  plugins: [withoutDemo, withoutLengths, filesByUrl],
  logLevel: "info",
  // Node holds the text of what runs in memory for good; names stay, for the traces of what goes wrong.
  minifyWhitespace: true,
  minifySyntax: true,
  legalComments: "linked",
  metafile: true,
});
if (told !== undefined) await writeFile(told, JSON.stringify(metafile));
await cp(resolve(src, "models"), resolve(dist, "models"), { recursive: true });
await cp(resolve(src, "sources/gpio/gpio-lines.pl"), resolve(dist, "gpio-lines.pl"));
await cp(resolve(root, "board"), resolve(dist, "board"), { recursive: true });
await chmod(resolve(dist, "sallyport.mjs"), 0o755);
