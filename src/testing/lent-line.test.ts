/** The service as a process, whose line a tool borrows: a real port, real files, real deaths. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { hostClock, sleep } from "../core/clock.ts";
import { STATUS_FILE, type StatusContent } from "../diagnostics/status-file.ts";
import { startGateway } from "./gateway-process.ts";
import { ModbusDevice } from "./modbus-device.ts";
import { openPtyPair } from "./pty.ts";
import { serveDevices } from "./simulated-bus.ts";
import { runInTerminal } from "./terminal-run.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
/** A lease rests for some seconds before its tool counts as dead, and a busy machine takes its time. */
const LIMIT_MS = 30_000;
const LOOK_MS = 100;

async function site(t: TestContext) {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-lent-"));
  const pty = await openPtyPair();
  const device = new ModbusDevice(1);
  const stopDevice = serveDevices(pty.master, [device], hostClock);
  const file = join(dir, "gateway.yaml");
  await writeFile(
    file,
    `version: 1
gateway: { group: site, name: gateway }
uplinks: { cloud: { servers: [ "mqtts://127.0.0.1:9" ] } }
clock: { source: host }
lines:
  line-1:
    path: ${pty.path}
    serial: 9600 8N1
    devices: { pump: { unitId: 1, scanRate: 200ms, tags: { value: { holdingRegister: 0 } } } }
`,
  );
  const state = join(dir, "state");
  const gateway = await startGateway(file, state);
  t.after(async () => {
    await gateway.kill();
    stopDevice();
    await pty.close();
    await rm(dir, { recursive: true, force: true });
  });
  /** Waits until status.json says so of the tag and the line. */
  const says = async (status: string, fault: RegExp) => {
    const untilMs = hostClock.monotonicMs() + LIMIT_MS;
    for (let last = ""; hostClock.monotonicMs() < untilMs; await sleep(hostClock, LOOK_MS)) {
      last = await readFile(join(state, STATUS_FILE), "utf8").catch(() => last);
      if (last === "") continue;
      const { devices, lines }: StatusContent = JSON.parse(last);
      const tag = devices.find(({ name }) => name === "pump")?.tags[0];
      if (tag?.status === status && fault.test(lines[0]?.fault ?? "")) return;
    }
    throw new Error(`waited in vain until the pump is ${status}: ${gateway.log()}`);
  };
  return { device, path: pty.path, gateway, says, env: { RUNTIME_DIRECTORY: state } };
}

function watching(path: string, env: Readonly<Record<string, string>>) {
  const args = ["read", path, "--serial", "9600 8N1", "--unit", "1", "40001", "--watch", "--json"];
  return spawn("setpriv", ["--pdeathsig", "KILL", process.execPath, "--import", "tsx", MAIN, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
}

test("P3 P7: a tool gets the service's line, whose tags say so, and the line comes back when the tool ends or dies", async (t) => {
  const { device, path, gateway, says, env } = await site(t);
  device.set("holdingRegister", 0, 0x1234);
  await says("Good", /^$/);
  for (const end of ["SIGINT", "SIGKILL"] as const) {
    const tool = watching(path, env);
    const [first] = await once(tool.stdout, "data");
    assert.deepEqual(JSON.parse(String(first).split("\n")[0] ?? "").hex[0], "1234");
    await says("BadOutOfService", /lent to a tool/);
    const exited = once(tool, "exit");
    tool.kill(end);
    const [code] = await exited;
    assert.equal(code, end === "SIGINT" ? 0 : null);
    await says("Good", /^$/);
  }
  assert.match(gateway.log(), /line-1 is taken back: the tool has ended[\s\S]*line-1 is taken back: the tool has died/);

  const writing = runInTerminal(["write", path, "--serial", "9600 8N1", "--unit", "1", "40001=7"], {
    ...env,
    SSH_CONNECTION: "",
    SSH_TTY: "",
  });
  await writing.until(/now {3}4660 \(1234\)[\s\S]*Write it\?/);
  writing.press("y");
  assert.equal(await writing.ended(), 0, writing.text());
  assert.match(writing.text(), /noted in the log of the gateway/);
  assert.match(gateway.log(), /asked to note \S+ wrote to unit 1 on .*before 4660 \(1234\), asked for 7 .*after 7/);
  await says("Good", /^$/);
  assert.equal(await gateway.stop(), 0);
});
