import assert from "node:assert/strict";
import { chownSync, existsSync, mkdirSync, statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { EXIT, UserError } from "../core/errors.ts";
import { createLog } from "../core/log.ts";
import { EventFile } from "../diagnostics/event-file.ts";
import { RequestDesk, type RequestHandler } from "../diagnostics/request-desk.ts";
import { runCommand } from "../testing/command-run.ts";
import { StoreRig } from "../testing/store-rig.ts";
import { outbox } from "./outbox.ts";

const IN_PROCESS = { name: "in-process", worker: "in-process" } as const;

async function run(...args: string[]): Promise<string> {
  const { code, out } = await runCommand(outbox, args);
  assert.equal(code, EXIT.ok);
  return out;
}

/** An outbox where `old` was configured once, and `cloud` is. */
async function withParked(t: TestContext): Promise<StoreRig> {
  const rig = new StoreRig(t, IN_PROCESS);
  await rig.open();
  rig.queue("cloud");
  rig.queue("old");
  rig.append(5);
  await rig.close();
  await rig.open({}, { uplinks: [{ name: "cloud", startAt: "now" }] });
  return rig;
}

function refused(text: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof UserError && error.exitCode === EXIT.unavailable && text.test(error.message);
}

test("shows what waits for whom, of a gateway at work and of one that stopped", async (t) => {
  const rig = await withParked(t);
  const file = join(rig.dir, "outbox.db");
  const atWork = await run("--file", file);
  assert.match(atWork, /gateway +at work/);
  assert.match(atWork, /old +5 waiting +parked: not in gateway.yaml/);
  await rig.close();
  assert.match(await run("--file", file), /gateway +stopped cleanly/);
  const { samples, uplinks } = JSON.parse(await run("show", "--file", file, "--json"));
  assert.equal(samples, 5);
  assert.deepEqual(
    uplinks.map(({ uplink, depth }: { uplink: string; depth: number }) => [uplink, depth]),
    [
      ["cloud", 5],
      ["old", 5],
    ],
  );
});

test("P8: forgets a removed uplink only, of a gateway that stopped", async (t) => {
  const rig = await withParked(t);
  const file = join(rig.dir, "outbox.db");
  await rig.close();
  await assert.rejects(run("forget", "cloud", "--file", file), refused(/cloud was configured/));
  await assert.rejects(run("forget", "nobody", "--file", file), refused(/nothing is kept/));
  assert.match(await run("forget", "old", "--file", file), /forgot what waited for old/);
  assert.doesNotMatch(await run("--file", file), /old/);
  assert.match(await run("--file", file), /cloud +5 waiting/);
});

test("P8: a gateway at work is asked to forget, and does so at once", async (t) => {
  const rig = await withParked(t);
  const file = join(rig.dir, "outbox.db");
  const log = createLog({ write: () => undefined, level: "info", format: "text" });
  const handle: RequestHandler = async (request) => {
    assert.ok(request.ask === "forget");
    const forgotten = await rig.store.outbox.forget(request.uplink);
    return "refused" in forgotten
      ? { done: false, text: forgotten.refused }
      : { done: true, text: `${forgotten.samples}` };
  };
  const desk = new RequestDesk({ dir: rig.dir, handle, clock: hostClock, log });
  desk.start();
  t.after(() => desk.stop());
  await assert.rejects(run("forget", "cloud", "--file", file), refused(/cloud is configured/));
  assert.equal(await run("forget", "old", "--file", file), "5\n");
  assert.doesNotMatch(await run("--file", file), /old/);
});

test("P8: nothing is taken over while a gateway works on either file", async (t) => {
  const rig = await withParked(t);
  const other = await withParked(t);
  const files = [join(rig.dir, "outbox.db"), join(other.dir, "outbox.db")] as const;
  await assert.rejects(run("import", files[1], "--file", files[0]), refused(/a gateway works on .*systemctl stop/));
  await rig.close();
  await assert.rejects(run("import", files[1], "--file", files[0]), refused(/a gateway works on/));
  await other.close();
  assert.match(await run("import", files[1], "--file", files[0]), /took over 5 samples and 0 records of losses/);
  assert.match(await run("--file", files[0]), /cloud +10 waiting/);
});

test("P4: an outbox is not taken over into itself, by whatever path, nor into a place that no gateway has", async (t) => {
  const rig = await withParked(t);
  await rig.close();
  const file = join(rig.dir, "outbox.db");
  const link = join(rig.dir, "link.db");
  symlinkSync(file, link);
  const itself = (error: unknown) => error instanceof UserError && /cannot take itself over/.test(error.message);
  await assert.rejects(run("import", link, "--file", file), itself);
  await assert.rejects(run("import", file, "--file", link), itself);
  assert.match(await run("--file", file), /cloud +5 waiting/);
  const nowhere = join(rig.dir, "nowhere");
  await assert.rejects(
    run("import", file, "--file", join(nowhere, "outbox.db")),
    refused(/there is no folder .*--file/),
  );
  assert.ok(!existsSync(nowhere));
});

test("P8: what root takes over or forgets stays the gateway's to write", async (t) => {
  const dead = await withParked(t);
  await dead.close();
  const board = new StoreRig(t, IN_PROCESS);
  mkdirSync(board.dir);
  const [owner, group] = [12_345, 12_346];
  try {
    chownSync(board.dir, owner, group);
  } catch {
    t.skip("only root can give a file away");
    return;
  }
  const file = join(board.dir, "outbox.db");
  assert.match(
    await run("import", join(dead.dir, "outbox.db"), "--file", file),
    /took over 5 samples .* into .*outbox.db/,
  );
  for (const path of [file, `${file}-lock`]) assert.deepEqual([statSync(path).uid, statSync(path).gid], [owner, group]);
});

test("shows what happened, in words and for machines", async (t) => {
  const rig = new StoreRig(t, IN_PROCESS);
  const file = join(rig.dir, "outbox.db");
  await rig.open();
  assert.match(await run("events", "--file", file), /^no events are on record in /);
  const record = new EventFile(rig.dir, createLog({ write: () => undefined, level: "error", format: "text" }));
  for (let number = 1; number <= 50; number++)
    record.add({
      number,
      ms: 1_790_000_000_000 + number * 1_000,
      kind: "uplink",
      text: `cloud: event ${number}`,
      unsynced: true,
    });
  await record.flush();
  const text = await run("events", "--file", file);
  assert.match(text, /^2026-09-21T14:13:31Z\? uplink: cloud: event 11\n/);
  assert.equal(text.trimEnd().split("\n").length, 40);
  assert.equal((await run("events", "--all", "--file", file)).trimEnd().split("\n").length, 50);
  assert.equal(JSON.parse(await run("events", "--all", "--json", "--file", file)).length, 50);
});
