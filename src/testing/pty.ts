/**
 * Pseudo-terminals for tests and the demo: the gateway opens one side as a serial port, the far end is a stream.
 * Node cannot make one itself, so a helper process does: socat, or script(1), which every Debian has.
 */
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Duplex, type Readable } from "node:stream";
import { type Clock, hostClock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import { Condition } from "./condition.ts";

export type PtyKind = "socat" | "script";

export interface PtyPair {
  readonly kind: PtyKind;
  /** The gateway's side: a link that keeps its name when the terminal behind it is another one. */
  readonly path: string;
  /** The far side. It outlives the terminal; what is written while there is none is lost. */
  readonly master: Duplex;
  /** The name of the terminal behind the link; undefined while there is none. */
  terminal(): string | undefined;
  /** As when the adapter is pulled out: the terminal hangs up and the link is gone. */
  vanish(): Promise<void>;
  /** As when it is plugged in again: another terminal behind the same link. */
  comeBack(): Promise<void>;
  /** Ends the helper and removes the link. Closing twice does nothing. */
  close(): Promise<void>;
}

const OPEN_LIMIT_MS = 5_000;
const TEXT_MAX_CHARACTERS = 4_096;

/** Holds the terminal open until the owner of the helper is gone, however it went. */
const HOLD_TERMINAL = [
  "read -r _ _ _ owner _ < /proc/$PPID/stat",
  "stty raw -echo",
  "tty",
  "while [ -d /proc/$owner ]; do sleep 2; done",
].join("; ");

interface Helper {
  readonly command: readonly [string, ...string[]];
  /** Where it tells the terminal's name, and when it is ready. */
  readonly tells: "stdout" | "stderr";
  readonly ready: RegExp;
}

const HELPERS: Record<PtyKind, Helper> = {
  socat: {
    command: ["socat", "-d", "-d", "STDIO", "PTY,rawer"],
    tells: "stderr",
    ready: /PTY is (\S+)[\s\S]*starting data transfer loop/,
  },
  script: {
    // The command is run by $SHELL, which may be anything.
    command: ["env", "SHELL=/bin/sh", "script", "-qfec", HOLD_TERMINAL, "/dev/null"],
    tells: "stdout",
    ready: /^(\/dev\/\S+)\r?\n/,
  },
};

interface Terminal {
  readonly name: string;
  readonly child: ChildProcessWithoutNullStreams;
}

/** Opens a pair with socat where it is installed, else with script. */
export async function openPtyPair(options: { kind?: PtyKind; clock?: Clock } = {}): Promise<PtyPair> {
  const clock = options.clock ?? hostClock;
  const { kind, terminal } = await openFirst(options.kind === undefined ? ["socat", "script"] : [options.kind], clock);
  const folder = await mkdtemp(join(tmpdir(), "sallyport-pty-"));
  const path = join(folder, "tty");
  await symlink(terminal.name, path);
  const master = new Master();
  master.attach(terminal);
  let current: Terminal | undefined = terminal;
  let lastName = terminal.name;

  const vanish = async () => {
    const gone = current;
    current = undefined;
    master.detach();
    await rm(path, { force: true });
    if (gone !== undefined) await end(gone);
  };
  return {
    kind,
    path,
    master,
    terminal: () => current?.name,
    vanish,
    async comeBack() {
      await vanish();
      const next = await openOther(kind, lastName, clock);
      lastName = next.name;
      current = next;
      master.attach(next);
      await symlink(next.name, path);
    },
    async close() {
      await vanish();
      master.destroy();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** What the gateway writes is read here, and the other way round; terminals come and go behind it. */
class Master extends Duplex {
  #terminal: Terminal | undefined;

  attach(terminal: Terminal): void {
    this.#terminal = terminal;
    terminal.child.stdout.on("data", (bytes: Buffer) => {
      if (this.#terminal === terminal && !this.push(bytes)) terminal.child.stdout.pause();
    });
  }

  detach(): void {
    this.#terminal = undefined;
  }

  override _read(): void {
    this.#terminal?.child.stdout.resume();
  }

  override _write(bytes: Uint8Array, _encoding: string, done: () => void): void {
    if (this.#terminal === undefined) done();
    else this.#terminal.child.stdin.write(bytes, () => done());
  }
}

async function openFirst(kinds: readonly PtyKind[], clock: Clock): Promise<{ kind: PtyKind; terminal: Terminal }> {
  const reasons: string[] = [];
  for (const kind of kinds) {
    try {
      return { kind, terminal: await openTerminal(kind, clock) };
    } catch (thrown) {
      reasons.push(`${kind}: ${messageOf(thrown)}`);
    }
  }
  throw new Error(`no pseudo-terminal can be made (${reasons.join("; ")}); install socat`);
}

/** The kernel gives the lowest free name, mostly the one just left; holding that one brings out another. */
async function openOther(kind: PtyKind, lastName: string, clock: Clock): Promise<Terminal> {
  const first = await openTerminal(kind, clock);
  if (first.name !== lastName) return first;
  try {
    return await openTerminal(kind, clock);
  } finally {
    await end(first);
  }
}

async function openTerminal(kind: PtyKind, clock: Clock): Promise<Terminal> {
  const { command, tells, ready } = HELPERS[kind];
  const [file, ...args] = command;
  const child = spawn(file, args, { stdio: "pipe" });
  // A write to a helper that has just ended fails; the bytes are lost, as on a line that was cut.
  child.stdin.on("error", () => undefined);
  await once(child, "spawn");
  try {
    const name = await nameOf(child, child[tells], ready, clock);
    if (tells === "stderr") child.stderr.resume();
    return { name, child };
  } catch (thrown) {
    await end({ name: "", child });
    throw thrown;
  }
}

async function nameOf(
  child: ChildProcessWithoutNullStreams,
  stream: Readable,
  ready: RegExp,
  clock: Clock,
): Promise<string> {
  const told = new Condition(clock);
  let text = "";
  const onData = (bytes: Buffer) => {
    text = (text + bytes.toString("latin1")).slice(-TEXT_MAX_CHARACTERS);
    told.changed();
  };
  const onExit = () => told.changed();
  stream.on("data", onData);
  child.once("exit", onExit);
  try {
    const ended = () => child.exitCode !== null || child.signalCode !== null;
    await told.until(
      "the terminal is there",
      () => ready.test(text) || ended(),
      OPEN_LIMIT_MS,
      () => text,
    );
    const name = ready.exec(text)?.[1];
    if (name === undefined) throw new Error(`ended without a terminal: ${text.trim()}`);
    return name;
  } finally {
    stream.off("data", onData);
    child.off("exit", onExit);
  }
}

async function end({ child }: Terminal): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}
