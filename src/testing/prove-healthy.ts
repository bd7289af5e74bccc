/**
 * `npm run prove:healthy -- --minutes 10`: while every uplink acknowledges in time no sample is written, and the state
 * record at most once a minute. Counted as the calls of the C library that write, by the preloaded card; as root also by
 * the statistics of a block device of its own, where the file system's journal shows.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hostClock, sleep } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import { DiskShim } from "./disk-shim/disk-shim.ts";
import { type LoopCard, openLoopCard } from "./loop-card.ts";

const LIFE = fileURLToPath(new URL("healthy-life.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MINUTE_MS = 60_000;
/** The start writes: files are made, numbers reserved. */
const SETTLE_MS = 5_000;
/** Pages that one state record may write, log and checkpoint together. */
const RECORD_MAX_WRITES = 16;
const CARD_BYTES = 64 * 1024 * 1024;
/** Of one state record on the device: its pages in blocks of 4 kB, and the journal's. A minute of samples is more. */
const RECORD_MAX_DEVICE_BYTES = 100_000;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);
const records = Math.ceil(minutes) + 1;
const card = await loopCard();
const dir = await mkdtemp(join(card?.path ?? tmpdir(), "sallyport-healthy-"));
const shim = await DiskShim.compile();
const child = spawn(process.execPath, ["--import", "tsx", LIFE, dir], {
  cwd: ROOT,
  env: { ...process.env, ...shim.environment(dir) },
  stdio: ["pipe", "pipe", "inherit"],
});
let told = "";
child.stdout.setEncoding("utf8").on("data", (text: string) => {
  told += text;
});
try {
  await once(child.stdout, "data");
  await sleep(hostClock, SETTLE_MS);
  const before = { ...shim.counts(), device: await card?.written() };
  await sleep(hostClock, minutes * MINUTE_MS);
  const after = { ...shim.counts(), device: await card?.written() };
  child.stdin.end();
  await once(child, "close");
  const outboxWrites = after.outbox.writes - before.outbox.writes;
  const stateSyncs = after.state.syncs - before.state.syncs;
  const stateWrites = after.state.writes - before.state.writes;
  const deviceBytes = (after.device?.bytes ?? 0) - (before.device?.bytes ?? 0);
  const deviceWrites = (after.device?.writes ?? 0) - (before.device?.writes ?? 0);
  const samples = Number(told.trim().split("\n").at(-1));
  const isSilent = outboxWrites === 0 && stateWrites <= records * RECORD_MAX_WRITES;
  const holds = isSilent && deviceBytes <= records * RECORD_MAX_DEVICE_BYTES && samples > 0;
  const ofDevice = `${deviceBytes} bytes in ${deviceWrites} writes, limit ${records * RECORD_MAX_DEVICE_BYTES}`;
  process.stdout.write(`samples taken in            ${samples}
writes to outbox.db         ${outboxWrites}, limit 0
writes to state.db          ${stateWrites} in ${stateSyncs} syncs, limit ${records * RECORD_MAX_WRITES}
bytes written to state.db   ${after.state.writtenBytes - before.state.writtenBytes}
reached the block device    ${card === undefined ? "not counted" : ofDevice}
${holds ? "holds" : "DOES NOT HOLD"}
`);
  process.exitCode = holds ? 0 : 1;
} finally {
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  await shim.close();
  await rm(dir, { recursive: true, force: true });
  await card?.remove();
}

async function loopCard(): Promise<LoopCard | undefined> {
  try {
    return await openLoopCard(CARD_BYTES);
  } catch (error) {
    process.stderr.write(`SKIPPED: a block device of its own needs root, losetup and mkfs.ext4: ${messageOf(error)}\n`);
    return undefined;
  }
}
