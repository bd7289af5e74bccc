import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { createLog } from "../core/log.ts";
import { Condition } from "../testing/condition.ts";
import { runGateway, startGateway } from "../testing/gateway-process.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { createServiceManager } from "./service-manager.ts";

const WATCHDOG_S = 30;
const ENV = { NOTIFY_SOCKET: "/run/notify", WATCHDOG_USEC: String(WATCHDOG_S * 1e6) };

function rig(env: Record<string, string> = ENV) {
  const clock = new VirtualClock(0, 1);
  const calls: string[] = [];
  const log: string[] = [];
  const world = { status: "cloud connected", refuses: false };
  const manager = createServiceManager({
    env,
    clock,
    log: createLog({ write: (line) => log.push(line), level: "info", format: "text" }),
    notify: async (variables) => {
      if (world.refuses) throw new Error("no such program");
      calls.push(variables.join(" "));
    },
  });
  return { clock, calls, log, world, manager, status: () => world.status };
}

test("P7: the watchdog hears three times in its time that the loop turns, and of a state that has changed", async () => {
  const { clock, calls, world, manager, status } = rig();
  await manager.starting("opening");
  await manager.ready(status);
  await clock.advance(WATCHDOG_S * 1_000);
  assert.deepEqual(calls, [
    "STATUS=opening",
    "READY=1 WATCHDOG=1 STATUS=cloud connected",
    "WATCHDOG=1",
    "WATCHDOG=1",
    "WATCHDOG=1",
  ]);
  world.status = "cloud failed:\nrefused";
  await clock.advance(10_000);
  assert.equal(calls.at(-1), "WATCHDOG=1 STATUS=cloud failed: refused");
  await manager.stopping();
  await clock.advance(60_000);
  assert.equal(calls.at(-1), "STOPPING=1 STATUS=stopping");
});

test("a service manager that cannot be told is named once, and told again later", async () => {
  const { clock, calls, log, world, manager, status } = rig();
  world.refuses = true;
  await manager.ready(status);
  await clock.advance(60_000);
  assert.deepEqual(log, ["warning: the service manager cannot be told anything: no such program\n"]);
  world.refuses = false;
  await clock.advance(10_000);
  assert.equal(calls.length, 1);
});

test("without a service manager no program is started", async () => {
  const { clock, calls, manager, status } = rig({});
  await manager.ready(status);
  await clock.advance(60_000);
  await manager.stopping();
  assert.deepEqual(calls, []);
});

/** Debian always has it. socat would keep the pipe by whose closing systemd-notify knows that it was heard. */
const RECEIVER = `
  use Socket;
  my $socket;
  socket($socket, AF_UNIX, SOCK_DGRAM, 0) && bind($socket, sockaddr_un($ARGV[0])) || die;
  syswrite(STDOUT, "bound\\n");
  while (defined recv($socket, my $text, 4096, 0)) { syswrite(STDOUT, "$text\\n"); }
`;

/** What arrives where systemd would listen. */
async function notifySocket(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-notify-"));
  const path = join(dir, "notify");
  const condition = new Condition(hostClock);
  let heard = "";
  const child = spawn("perl", ["-e", RECEIVER, path], { stdio: ["ignore", "pipe", "ignore"] });
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    heard += text;
    condition.changed();
  });
  t.after(async () => {
    child.kill();
    await rm(dir, { recursive: true });
  });
  const hear = (what: RegExp) =>
    condition.until(
      `${what} is told`,
      () => what.test(heard),
      20_000,
      () => heard,
    );
  await hear(/^bound$/m);
  return { dir, path, heard: hear };
}

test("systemd is really told: ready, state, alive, stopping", async (t) => {
  const { dir, path, heard } = await notifySocket(t);
  const config = join(dir, "gateway.yaml");
  const uplink = 'cloud: { servers: [ "mqtts://127.0.0.1:1" ] }';
  await writeFile(config, `version: 1\ngateway: { group: g, name: n }\nuplinks: { ${uplink} }\n`);
  const gateway = await startGateway(config, join(dir, "state"), { NOTIFY_SOCKET: path, WATCHDOG_USEC: "1500000" });
  t.after(() => gateway.kill());
  await heard(/STATUS=opening the outbox/);
  await heard(/READY=1\nWATCHDOG=1\nSTATUS=cloud .*, \d+ waiting; outbox ok/);
  await heard(/WATCHDOG=1.*WATCHDOG=1.*WATCHDOG=1/s);
  assert.equal(await gateway.stop(), 0);
  await heard(/STOPPING=1/);
});

test("what cannot start is never told as ready", async (t) => {
  const { dir, path } = await notifySocket(t);
  await writeFile(join(dir, "gateway.yaml"), "version: 2\n");
  const gateway = runGateway(join(dir, "gateway.yaml"), join(dir, "state"), { NOTIFY_SOCKET: path });
  assert.equal(await gateway.ended(), 78);
});
