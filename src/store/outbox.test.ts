import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { buildSync } from "esbuild";
import { outboxContract } from "../testing/outbox-contract.ts";
import { StoreRig } from "../testing/store-rig.ts";

/** The worker as a bundle has it, which starts much faster than through the TypeScript loader. */
function bundledWorker(): URL {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-worker-"));
  after(() => rmSync(folder, { recursive: true }));
  const outfile = join(folder, "storage-worker.mjs");
  const sqlite = createRequire(import.meta.url).resolve("better-sqlite3");
  buildSync({
    entryPoints: [fileURLToPath(new URL("./storage-worker.ts", import.meta.url))],
    outfile,
    bundle: true,
    platform: "node",
    format: "esm",
    alias: { "better-sqlite3": sqlite },
    external: [sqlite],
  });
  return pathToFileURL(outfile);
}

outboxContract({ name: "in-process", worker: "in-process" });
outboxContract({ name: "thread", worker: "thread", workerUrl: bundledWorker() });

test("the storage thread also starts from the sources", async (t) => {
  const rig = new StoreRig(t, { name: "thread", worker: "thread" });
  await rig.open();
  rig.queue();
  rig.append(5);
  await rig.untilCommitted(5);
});
