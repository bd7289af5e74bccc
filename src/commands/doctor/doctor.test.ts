import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, type TestContext, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { hostClock } from "../../core/clock.ts";
import { STATUS_FILE, type StatusContent } from "../../diagnostics/status-file.ts";
import { AILMENTS, type Amiss, ailingSite, type Surroundings, surroundings } from "../../testing/ailing-site.ts";
import { runCommand } from "../../testing/command-run.ts";
import { Condition } from "../../testing/condition.ts";
import { runGateway } from "../../testing/gateway-process.ts";
import { subscribe } from "../../testing/subscriber.ts";
import { runInTerminal } from "../../testing/terminal-run.ts";
import { runCommandLine } from "../cli.ts";
import type { Finding } from "./finding.ts";

let dir: string;
let around: Surroundings;

before(async () => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-doctor-"));
  around = await surroundings(dir);
});

after(async () => {
  await around.close();
  rmSync(dir, { recursive: true, force: true });
});

async function site(t: TestContext, amiss: Amiss = {}): Promise<string> {
  const { file, close } = await ailingSite(around, amiss);
  t.after(close);
  return file;
}

/** Findings about the site; the machine that runs this test may have its own. */
async function wrong(file: string, ...more: string[]): Promise<readonly Finding[]> {
  const { out, code } = await runCommand(runCommandLine, ["doctor", file, "--json", ...more]);
  const { findings }: { findings: Finding[] } = JSON.parse(out);
  assert.equal(code, findings.some(({ verdict }) => verdict === "FAULT") ? 1 : 0);
  const areas = ["configuration", "port", "line", "clock", "broker"];
  for (const area of areas) assert.ok(findings.some((finding) => finding.area === area) || area === "line", area);
  return findings.filter(({ area, verdict }) => areas.includes(area) && verdict !== "OK");
}

function statusIn(folder: string): StatusContent | undefined {
  try {
    return JSON.parse(readFileSync(join(folder, STATUS_FILE), "utf8"));
  } catch {
    return undefined;
  }
}

const START_LIMIT_MS = 60_000;

const named = (findings: readonly Finding[]) => findings.map(({ area, name }) => `${area} ${name}`);

// Most of it is waiting for devices that keep silent.
describe("sallyport doctor", { concurrency: 5 }, () => {
  test("finds nothing wrong with a site that is in order", async (t) => {
    assert.deepEqual(await wrong(await site(t)), []);
  });

  for (const { name, amiss } of AILMENTS.filter(({ isTimed }) => isTimed === undefined)) {
    test(`names what is amiss: ${name}`, async (t) => {
      const findings = await wrong(await site(t, amiss(around)));
      const area = name.split(" ")[0];
      assert.deepEqual(named(findings.filter((finding) => finding.area === area)).slice(0, 1), [name]);
      for (const { todo = "" } of findings) assert.notEqual(todo, "");
    });
  }

  test("a visit says what it may, and what the broker keeps of the gateway stays as it was", async (t) => {
    const topic = "plant-7/visited";
    const login = { username: "pump", password: "Geheim-1" };
    const { broker, certificates } = around;
    const filter = { topics: [`${topic}/#`], retainAsPublished: true };
    const observer = await subscribe(broker.url, { certificates, login, ...filter });
    t.after(() => observer.close());
    const { out } = await runCommand(runCommandLine, ["doctor", await site(t, { topic })]);
    assert.match(out, /accepts the login; may write\s+plant-7\/visited\/status/);
    await observer.until("the visit's word has come", (all) => all.length > 0);
    const [word, ...more] = observer.messages;
    const { timestamp: _, ...said } = JSON.parse(Buffer.from(word?.payload ?? []).toString());
    assert.deepEqual([said, more], [{ online: false, session: 0, epoch: 0 }, []]);
    assert.equal(word?.retain, false, "nobody keeps it");
  });

  test("tells of a configuration that cannot be used, and checks the rest", async () => {
    const file = join(dir, "broken.yaml");
    writeFileSync(file, "version: 1\n");
    const { out, code } = await runCommand(runCommandLine, ["doctor", file]);
    assert.equal(code, 1);
    assert.match(out, /^FAULT {4}configuration: /m);
    assert.match(out, /^OK {7}network/m);
    for (const line of out.split("\n")) assert.ok(line.length <= 80, line);
  });

  test("at a terminal it tells each check as it is done, within 80 columns", async (t) => {
    const run = runInTerminal(["doctor", await site(t, { units: [1], responseTimeoutMs: 800 }), "--no-broker"], {});
    t.after(() => run.kill());
    await run.until(/^FAULT {4}line bench pump: this device does not answer/m);
    assert.equal(await run.ended(), 1);
    assert.match(run.text(), /\d+ OK\.\s*$/);
    for (const line of run.text().split(/\r?\n|\r/)) assert.ok(line.length <= 80, line);
  });

  test("told to end amid a line it says so, and finds no fault with who was not asked enough", async (t) => {
    const run = runInTerminal(["doctor", await site(t, { units: [1], responseTimeoutMs: 10_000 }), "--no-broker"], {});
    t.after(() => run.kill());
    await run.until(/testing bench/);
    run.press("\x03");
    assert.equal(await run.ended(), 69);
    assert.doesNotMatch(run.text(), /FAULT/);
    assert.match(run.text(), /Ended before all was checked: 0 faults/);
  });

  test("beside the running service it asks its counters and sessions, and leaves both alone", async (t) => {
    const file = await site(t);
    const runtimeDir = mkdtempSync(join(dir, "run-"));
    const gateway = runGateway(file, runtimeDir, { RUNTIME_DIRECTORY: runtimeDir });
    t.after(() => gateway.kill());
    await gateway.started();
    const isConnected = () => statusIn(runtimeDir)?.uplinks[0]?.state === "connected";
    const told = new Condition(hostClock);
    const watcher = watch(runtimeDir, () => told.changed());
    t.after(() => watcher.close());
    await told.until("it is connected", isConnected, START_LIMIT_MS, () => gateway.log());
    // Another client with its id would end this session, and the next one has another number.
    const session = statusIn(runtimeDir)?.uplinks[0]?.session;
    const run = runInTerminal(["doctor", file, "--json"], {
      RUNTIME_DIRECTORY: runtimeDir,
      STATE_DIRECTORY: runtimeDir,
    });
    t.after(() => run.kill());
    await run.ended();
    const { findings }: { findings: Finding[] } = JSON.parse(run.text());
    const words = findings.map(({ area, verdict, found }) => `${area} ${verdict} ${found}`).join("\n");
    assert.match(words, /^service OK runs: /m);
    assert.match(words, /^line /m);
    assert.match(words, /^broker OK the service says: connected, /m);
    assert.match(words, /^network OK the gateway accepts no connection/m);
    assert.ok(session !== undefined && session > 0);
    assert.equal(statusIn(runtimeDir)?.uplinks[0]?.session, session);
    assert.equal(statusIn(runtimeDir)?.lines[0]?.fault, "");
  });

  test("its archive holds what support needs and no secret", async (t) => {
    const comment = "# the admin's password is Geheim-2, mqtts://u:Geheim-3@h";
    const file = await site(t, { comment });
    const archive = join(dir, "report.tar.gz");
    const { code } = await runCommand(runCommandLine, ["doctor", file, "--no-broker", "--report", archive]);
    assert.equal(code, 0);
    const text = gunzipSync(readFileSync(archive)).toString("latin1");
    assert.match(text, /sallyport-report\/doctor\.txt[\s\S]*sallyport-report\/gateway\.yaml/);
    assert.match(text, /group: plant-7/);
    assert.doesNotMatch(text, /Geheim/);
    const key = readFileSync(around.certificates.client.key, "utf8").split("\n")[1] ?? "";
    assert.ok(key.length > 40 && !text.includes(key));
  });
});
