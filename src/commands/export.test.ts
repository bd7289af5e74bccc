import assert from "node:assert/strict";
import { linkSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { EXIT, UserError } from "../core/errors.ts";
import { OutboxFile } from "../store/outbox-file.ts";
import { type CommandRun, runCommand } from "../testing/command-run.ts";
import { StoreRig, tagRef } from "../testing/store-rig.ts";
import { exportSamples } from "./export.ts";
import { parsePointInTime } from "./point-in-time.ts";

const IN_PROCESS = { name: "in-process", worker: "in-process" } as const;

function run(...args: string[]): Promise<CommandRun> {
  return runCommand(exportSamples, args);
}

function stamps(folder: string): (string | number)[][] {
  return readdirSync(folder).map((file) => [file, statSync(join(folder, file)).mtimeMs]);
}

test("P8: the outbox of a dead gateway is exported whole, by number, and not changed", async (t) => {
  const rig = new StoreRig(t, IN_PROCESS);
  await rig.open();
  rig.queue();
  const samples = [...rig.append(3), ...rig.append(2, tagRef("pump-1/fault", "high")), ...rig.append(3)];
  await rig.untilCommitted(samples.length);
  rig.cutPower();
  const before = stamps(rig.dir);

  const { code, out } = await run(join(rig.dir, "outbox.db"));

  assert.equal(code, EXIT.ok);
  const lines = samples.map(
    ({ tag, value, status, sourceTimestampMs, epoch }) =>
      `${new Date(sourceTimestampMs).toISOString()},${tag.id},${value},${status},${epoch}`,
  );
  assert.deepEqual(out.trimEnd().split("\n"), ["time,tag,value,status,epoch", ...lines]);
  assert.deepEqual(stamps(rig.dir), before);
});

test("P8: the outbox of a gateway at work is read beside it, and it goes on writing", async (t) => {
  const rig = new StoreRig(t, IN_PROCESS);
  await rig.open();
  rig.queue();
  rig.append(5);
  await rig.untilCommitted(5);
  const first = await run(join(rig.dir, "outbox.db"), "--format", "jsonl");
  rig.append(5);
  await rig.untilCommitted(10);
  const second = await run(join(rig.dir, "outbox.db"), "--format", "jsonl");
  assert.deepEqual(
    [first, second].map(({ out }) => out.trimEnd().split("\n").length),
    [5, 10],
  );
  const { id, q } = JSON.parse(second.out.split("\n")[0] ?? "");
  assert.deepEqual({ id, q }, { id: "pump-1/speed", q: true });
});

test("times, tags and what one uplink waits for can be chosen", async (t) => {
  const rig = new StoreRig(t, IN_PROCESS);
  await rig.open();
  const cloud = rig.queue();
  rig.queue("dmz");
  const samples = [...rig.append(4), ...rig.append(4, tagRef("pump-1/fault", "high"))];
  cloud.acknowledge({ from: 1, to: 2 });
  await rig.untilCommitted(8);
  const file = join(rig.dir, "outbox.db");
  const count = async (...args: string[]) => (await run(file, ...args)).out.trimEnd().split("\n").length - 1;
  const third = new Date(samples[2]?.sourceTimestampMs ?? 0).toISOString();
  assert.equal(await count("--from", third), 6);
  assert.equal(await count("--to", third), 3);
  assert.equal(await count("--tag", "pump-1/fault"), 4);
  assert.equal(await count("--tag", "pump-1"), 8);
  assert.equal(await count("--uplink", "cloud"), 6);
  await assert.rejects(run(file, "--uplink", "clod"), /knows no uplink clod; it knows cloud, dmz/);
});

test("text with commas and quotes stays one field, and --output is written", async (t) => {
  const rig = new StoreRig(t, IN_PROCESS);
  await rig.open();
  rig.queue();
  rig.appendValue('a "b", c');
  await rig.untilCommitted(1);
  const output = join(rig.dir, "out.csv");
  assert.equal((await run(join(rig.dir, "outbox.db"), "--output", output)).out, "");
  assert.match(readFileSync(output, "utf8"), /pump-1\/speed,"a ""b"", c",Good/);
});

test("what is no outbox is told with its reason", async (t) => {
  const rig = new StoreRig(t, IN_PROCESS);
  await rig.open();
  rig.queue();
  rig.append(5);
  await rig.close();
  const file = join(rig.dir, "outbox.db");
  const refused = (path: string, reason: RegExp) =>
    assert.rejects(
      run(path),
      (error) => error instanceof UserError && error.exitCode === EXIT.io && reason.test(error.message),
    );
  await refused(join(rig.dir, "none.db"), /none.db cannot be read: .*(ENOENT|no such file)/i);
  await refused(join(rig.dir, "state.db"), /not a file of this gateway/);
  truncateSync(file, 5_000);
  await refused(file, /cannot be read/);
});

test("P8: a link to an outbox is as good as the outbox, and reading it leaves nothing beside it", async (t) => {
  const rig = new StoreRig(t, IN_PROCESS);
  await rig.open();
  rig.queue();
  rig.append(3);
  await rig.untilCommitted(3);
  rig.cutPower();
  const before = stamps(rig.dir);
  const elsewhere = new StoreRig(t, IN_PROCESS).dir;
  mkdirSync(elsewhere);
  const other = join(elsewhere, "link.db");
  symlinkSync(join(rig.dir, "outbox.db"), other);

  const { out } = await run(other);

  assert.equal(out.split("\n").length - 2, 3);
  assert.deepEqual(stamps(rig.dir), before);
});

test("P8: the outbox itself is not overwritten, by whatever path", async (t) => {
  const rig = new StoreRig(t, IN_PROCESS);
  await rig.open();
  rig.queue();
  rig.append(3);
  await rig.close();
  const file = join(rig.dir, "outbox.db");
  const same = join(rig.dir, "same.csv");
  linkSync(file, same);
  const bytes = readFileSync(file);
  for (const output of [file, same]) {
    await assert.rejects(
      run(file, "--output", output),
      (error) =>
        error instanceof UserError && error.exitCode === EXIT.usage && /is the outbox itself/.test(error.message),
    );
  }
  assert.deepEqual(readFileSync(file), bytes);
});

test("a folder for copies that is not there, or has no room, is told as that", async (t) => {
  const rig = new StoreRig(t, IN_PROCESS);
  await rig.open();
  await rig.close();
  const file = join(rig.dir, "outbox.db");
  mkdirSync(join(rig.dir, "tmp"));
  assert.throws(() => new OutboxFile(file, join(rig.dir, "none")), /no copy can be made in .*none; set TMPDIR/);
  new OutboxFile(file, join(rig.dir, "tmp")).close();
});

test("a point in time is a date, a time or an age", () => {
  const nowMs = Date.UTC(2026, 10, 22);
  const isoOf = (text: string) => new Date(parsePointInTime(text, nowMs)).toISOString();
  assert.equal(isoOf("2026-11-01"), "2026-11-01T00:00:00.000Z");
  assert.equal(isoOf("2026-11-01T14:30"), "2026-11-01T14:30:00.000Z");
  assert.equal(isoOf("2026-11-01 14:30:05+01:00"), "2026-11-01T13:30:05.000Z");
  assert.equal(isoOf("36h"), "2026-11-20T12:00:00.000Z");
  for (const text of ["yesterday", "2026-13-01", "2026-11-01T25:00", ""]) {
    assert.throws(() => parsePointInTime(text, nowMs), /is no time/);
  }
});
