import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { type Clock, hostClock } from "../../core/clock.ts";
import { Condition } from "../condition.ts";

export interface ModbusServer {
  /** Kills the server and removes what was compiled. */
  stop(): Promise<void>;
}

const SOURCE = fileURLToPath(new URL("server.c", import.meta.url));
const PYTHON = "/usr/bin/python3";
const PYTHON_SOURCE = fileURLToPath(new URL("server.py", import.meta.url));
const READY_LIMIT_MS = 30_000;
const STDERR_MAX_CHARACTERS = 4_096;

const run = promisify(execFile);

/** Compiles server.c against libmodbus and starts it on a terminal; its registers are told at the top of server.c. */
export async function startModbusServer(tty: string, unitId: number, clock: Clock = hostClock): Promise<ModbusServer> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-modbus-server-"));
  try {
    const program = join(folder, "server");
    const flags = (await run("pkg-config", ["--cflags", "--libs", "libmodbus"])).stdout.trim().split(/\s+/);
    await run("cc", ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program, SOURCE, ...flags]);
    const stop = await start(program, [tty, String(unitId)], clock);
    return {
      async stop() {
        await stop();
        await rm(folder, { recursive: true, force: true });
      },
    };
  } catch (thrown) {
    await rm(folder, { recursive: true, force: true });
    throw thrown;
  }
}

/** Starts server.py, with Debian's Python and its pymodbus. It names itself "pymodbus PM" to function 43/14. */
export async function startPymodbus(
  tty: string,
  unitId: number,
  baudRate: number,
  clock: Clock = hostClock,
): Promise<ModbusServer> {
  return { stop: await start(PYTHON, [PYTHON_SOURCE, tty, String(unitId), String(baudRate)], clock) };
}

/** @returns the way to end it */
async function start(program: string, args: readonly string[], clock: Clock): Promise<() => Promise<void>> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  await ready(child, clock);
  return () => kill(child);
}

async function ready(child: ChildProcess, clock: Clock): Promise<void> {
  const told = new Condition(clock);
  let isReady = false;
  let complaint = "";
  child.stdout?.once("data", () => {
    isReady = true;
    told.changed();
  });
  child.stderr?.on("data", (bytes: Buffer) => {
    complaint = (complaint + bytes.toString()).slice(-STDERR_MAX_CHARACTERS);
  });
  child.once("exit", () => told.changed());
  try {
    await once(child, "spawn");
    await told.until("the Modbus server is ready", () => isReady || hasEnded(child), READY_LIMIT_MS);
    if (!isReady) throw new Error(`the Modbus server ended: ${complaint.trim()}`);
  } catch (thrown) {
    await kill(child);
    throw thrown;
  }
}

function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || hasEnded(child)) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
