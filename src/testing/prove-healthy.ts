/**
 * `npm run prove:healthy -- --minutes 10`: while every uplink acknowledges in time no sample is written, and the state
 * record at most once a minute. Counted as the calls of the C library that write, by the preloaded card: a block
 * device of its own would need root.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hostClock, sleep } from "../core/clock.ts";
import { DiskShim } from "./disk-shim/disk-shim.ts";

const LIFE = fileURLToPath(new URL("healthy-life.ts", import.meta.url));
const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const MINUTE_MS = 60_000;
/** The start writes: files are made, numbers reserved. */
const SETTLE_MS = 5_000;
/** Pages that one state record may write, log and checkpoint together. */
const RECORD_MAX_WRITES = 16;

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" } } });
const minutes = Number(values.minutes);
const dir = await mkdtemp(join(tmpdir(), "sallyport-healthy-"));
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
  const before = shim.counts();
  await sleep(hostClock, minutes * MINUTE_MS);
  const after = shim.counts();
  child.stdin.end();
  await once(child, "close");
  const outboxWrites = after.outbox.writes - before.outbox.writes;
  const stateSyncs = after.state.syncs - before.state.syncs;
  const stateWrites = after.state.writes - before.state.writes;
  const samples = Number(told.trim().split("\n").at(-1));
  const records = Math.ceil(minutes) + 1;
  const holds = outboxWrites === 0 && stateWrites <= records * RECORD_MAX_WRITES && samples > 0;
  process.stdout.write(`samples taken in          ${samples}
writes to outbox.db       ${outboxWrites}, limit 0
writes to state.db        ${stateWrites} in ${stateSyncs} syncs, limit ${records * RECORD_MAX_WRITES}
bytes written to state.db ${after.state.writtenBytes - before.state.writtenBytes}
${holds ? "holds" : "DOES NOT HOLD"}
`);
  process.exitCode = holds ? 0 : 1;
} finally {
  child.kill("SIGKILL");
  await shim.close();
  await rm(dir, { recursive: true, force: true });
}
