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

/** What a life tells, a line each, that a script lets live among mounts of its own. */
async function told(script: string, life: string) {
  const inOwnMounts = ["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh", process.execPath, life];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const { stdout } = await promisify(execFile)("unshare", inOwnMounts, { cwd });
  return stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
}

test("P8: on a full card the gateway starts, keeps what comes in memory, and says that the card is full", async () => {
  const [healthy, full] = await told(SCRIPT, LIFE);
  assert.equal(healthy.health, "ok");
  assert.equal(full.health, "full");
  assert.ok(full.memorySamples >= 100);
});

/** An outage on the card at $1 until far more was taken in than it holds; then says what was least free, and how it is. */
const OUTAGE = `
  const { statfsSync } = await import("node:fs");
  const { openStore } = await import(${source("./open-store.ts")});
  const { silentLog } = await import(${source("../core/log.ts")});
  const { VirtualClock } = await import(${source("../testing/virtual-clock.ts")});
  const clock = new VirtualClock();
  const tag = { id: "d/t", device: "d", name: "t", type: "float64", priority: "normal" };
  const times = { maxAgeMs: 9e9, commitIntervalMs: 1_000, outageCommitIntervalMs: 1_000 };
  const { outbox } = await openStore({
    config: { path: "outbox.db", maxSizeBytes: 8e6, reserveBytes: 2e6, ...times },
    stateDir: process.argv[1], uplinks: [{ name: "cloud", startAt: "now" }], tags: [tag],
    clock, log: silentLog, worker: "in-process", limits: { recentSamples: 1_000 },
  });
  let freeBytes = Infinity;
  for (let t = 1; t <= 500_000; t++) {
    outbox.append([{ tag, value: Math.sin(t), status: "Good", sourceTimestampMs: t, epoch: 1 }]);
    if (t % 5_000 > 0) continue;
    await clock.advance(1_000);
    const { bsize, bavail } = statfsSync(process.argv[1]);
    freeBytes = Math.min(freeBytes, bsize * bavail);
  }
  const { health, dropped, newest, committed } = outbox.report();
  console.log(JSON.stringify({ freeBytes, health, dropped, newest, committed }));
  process.exit(0);
`;

test("P7: the reserve of free space is kept on the partition, to one block, and the newest is never refused", async () => {
  const script = `card=$(mktemp -d); mount -t tmpfs -o size=6m tmpfs "$card"
    "$1" --import tsx --input-type=module --eval "$2" "$card"`;
  const [{ freeBytes, health, dropped, newest, committed }] = await told(script, OUTAGE);
  const blockBytes = 10_000;
  assert.ok(freeBytes >= 2e6 - blockBytes, `${freeBytes} bytes were free at the least`);
  assert.ok(freeBytes < 3e6, `${freeBytes}: the card was made use of`);
  assert.ok(dropped > 0 && dropped < newest);
  assert.deepEqual([health, committed], ["ok", newest]);
});
