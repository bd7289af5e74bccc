import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** What one line carries in a case of the benchmark. */
export interface Traffic {
  readonly baudRate: number;
  readonly devices: number;
  /** Read from each device in one request. */
  readonly registers: number;
  /** What each device has; more than is read lets a gateway read more than is wanted. */
  readonly held: number;
  /** 11 by default, as 8E1 has them; 10 for 8N1. */
  readonly bitsPerCharacter?: number;
}

/** What the wire has seen, between two requests' beginnings. */
export interface WireCount {
  readonly requests: number;
  readonly replies: number;
  readonly exceptions: number;
  /** Requests that began before t3.5 of silence, or into a reply. */
  readonly violations: number;
  readonly elapsedMs: number;
  /** Wire time of the registers wanted and delivered: characters, turnaround, two t3.5. */
  readonly idealMs: number;
  readonly shortestGapMs: number;
  /** How much later than the wire the last byte of a reply became readable, on average. */
  readonly lateMs: number;
  /** Since the line was opened. */
  readonly repliesEver: number;
}

/** A line behind a pseudo-terminal that takes the time of a wire: paced-line.c. */
export interface PacedLine {
  readonly path: string;
  begin(): void;
  end(): Promise<WireCount>;
  silence(unitId: number): void;
  /** From now on registers count, and the file tells of each reply: see paced-line.c. */
  count(file: string): void;
  /** The unit takes so long for every `every`-th request. */
  late(unitId: number, every: number, byMs: number): void;
  /** Bytes that nobody has read are gone: this end keeps the port open, so a kill of its user does not do that. */
  flush(): void;
  close(): Promise<void>;
}

export interface Programs {
  readonly pacedLine: string;
  readonly libmodbusLoop: string;
  remove(): Promise<void>;
}

/** 8E1, as the standard's default. */
const BITS_PER_CHARACTER = 11;
export const TURNAROUND_US = 1_000;

const run = promisify(execFile);

/** Compiles the parts in C into a folder of their own. Needs cc and libmodbus. */
export async function compilePrograms(): Promise<Programs> {
  const found = await run("pkg-config", ["--cflags", "--libs", "libmodbus"]).catch((thrown: unknown) => {
    throw new Error("libmodbus is not there; `bash scripts/parts.sh` installs it", { cause: thrown });
  });
  const libmodbus = found.stdout.trim().split(/\s+/);
  const folder = await mkdtemp(join(tmpdir(), "sallyport-bench-bus-"));
  const compile = async (name: string, flags: readonly string[]) => {
    const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
    const program = join(folder, name);
    await run("cc", ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-o", program, source, ...flags]);
    return program;
  };
  return {
    pacedLine: await compile("paced-line", []),
    libmodbusLoop: await compile("libmodbus-loop", libmodbus),
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}

export async function openPacedLine(program: string, traffic: Traffic): Promise<PacedLine> {
  const { baudRate, devices, registers, held } = traffic;
  const bits = traffic.bitsPerCharacter ?? BITS_PER_CHARACTER;
  const numbers = [baudRate, bits, TURNAROUND_US, devices, registers, held];
  const child = spawn(program, numbers.map(String), { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const line = async (): Promise<string> => {
    const { value, done } = await lines.next();
    if (done) throw new Error("the paced line has ended");
    return value;
  };
  const path = await line();
  return {
    path,
    begin: () => void child.stdin.write("begin\n"),
    async end() {
      child.stdin.write("end\n");
      return JSON.parse(await line()) as WireCount;
    },
    silence: (unitId) => void child.stdin.write(`silence ${unitId}\n`),
    count: (file) => void child.stdin.write(`count ${file}\n`),
    late: (unitId, every, byMs) => void child.stdin.write(`late ${unitId} ${every} ${byMs}\n`),
    flush: () => void child.stdin.write("flush\n"),
    close: () => endChild(child),
  };
}

export async function endChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "close");
  child.kill("SIGTERM");
  await ended;
}
