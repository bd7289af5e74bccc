import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const source = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);

/** Opens the store on the card at $1, says how it is, and goes without a word, as at a power cut. */
const LIFE = `
  const { openStore } = await import(${source("./open-store.ts")});
  const { hostClock, sleep } = await import(${source("../core/clock.ts")});
  const { silentLog } = await import(${source("../core/log.ts")});
  const config = { path: "outbox.db", maxSizeBytes: 2e9, maxAgeMs: 9e9, commitIntervalMs: 200, outageCommitIntervalMs: 200 };
  const tag = { id: "d/t", device: "d", name: "t", type: "float64", priority: "normal" };
  const { outbox } = await openStore({
    config, stateDir: process.argv[1], uplinks: [{ name: "cloud", startAt: "now" }], tags: [tag],
    clock: hostClock, log: silentLog, worker: "in-process",
  });
  for (let t = 1; t <= 100; t++) {
    outbox.append([{ tag, value: t, status: "Good", sourceTimestampMs: t, epoch: 1 }]);
  }
  await sleep(hostClock, 1_000);
  const { health, memorySamples } = outbox.report();
  console.log(JSON.stringify({ health, memorySamples }));
  process.exit(0);
`;

/** Two lives on a card of its own, in a mount namespace; before the second one the card is filled to the last byte. */
const SCRIPT = `
  card=$(mktemp -d); mount -t tmpfs -o size=600k tmpfs "$card"
  "$1" --import tsx --input-type=module --eval "$2" "$card"
  dd if=/dev/zero of="$card/fill" bs=1k 2>/dev/null
  "$1" --import tsx --input-type=module --eval "$2" "$card"
`;

test("P8: on a full card the gateway starts, keeps what comes in memory, and says that the card is full", async () => {
  const inOwnMounts = ["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, "sh", process.execPath, LIFE];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const { stdout } = await promisify(execFile)("unshare", inOwnMounts, { cwd });
  const [healthy, full] = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(healthy.health, "ok");
  assert.equal(full.health, "full");
  assert.ok(full.memorySamples >= 100);
});
