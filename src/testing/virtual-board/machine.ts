/** QEMU's machine virt as a board: started from what its card holds, cut off as by a power failure. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { hostClock } from "../../core/clock.ts";
import { Condition } from "../condition.ts";

export interface MachineOptions {
  /** Where its sockets are made; one machine a folder. */
  readonly folder: string;
  /** The card, as a file: the kernel is read from its FAT. */
  readonly card: string;
  /** The Unix socket of the disk that it sees in the card's place. */
  readonly disk: string;
  /** The Unix socket of the line RS485-1. */
  readonly line: string;
  /** Its network: the host's interface that it is plugged into, and its hardware address. Else one that QEMU makes up. */
  readonly cable?: { readonly name: string; readonly hardware: string };
  /** Its watchdog resets it, and it starts again as a board does. Else it ends with whatever would reset it. */
  readonly bites?: boolean;
}

const PROGRAM = "qemu-system-aarch64";
const MEMORY_MB = 1024;
/** For systemd: an emulated board on a busy machine takes minutes for what a real one does in seconds. */
const PATIENCE = "systemd.default_timeout_start_sec=10min systemd.default_device_timeout_sec=10min";
/** The first partition of the images begins here. */
const FAT_AT_BYTES = 1_048_576;
const CONSOLE_MAX_CHARACTERS = 256 * 1024;
const CONSOLE_LIMIT_MS = 120_000;
const MONITOR_LIMIT_MS = 10_000;

/** What a board's firmware would do. */
async function bootFiles(card: string, folder: string): Promise<{ kernel: string; initrd: string; words: string }> {
  const names = ["vmlinuz", "initrd.img", "cmdline.txt"];
  const sources = names.map((name) => `::${name}`);
  await promisify(execFile)("mcopy", ["-n", "-o", "-i", `${card}@@${FAT_AT_BYTES}`, ...sources, folder]);
  const words = (await readFile(join(folder, "cmdline.txt"), "utf8")).trim();
  return { kernel: join(folder, "vmlinuz"), initrd: join(folder, "initrd.img"), words };
}

function networkWords(cable: MachineOptions["cable"]): readonly string[] {
  const card = "virtio-net-pci,netdev=net,id=nic,romfile=";
  if (cable === undefined) return ["-netdev", "user,id=net", "-device", card];
  const plug = `tap,id=net,ifname=${cable.name},script=no,downscript=no`;
  return ["-netdev", plug, "-device", `${card},mac=${cable.hardware}`];
}

export class Machine {
  readonly #child: ChildProcess;
  readonly #monitor: string;
  readonly #pins: string;
  readonly #changed = new Condition(hostClock);
  #shown = "";
  #typedAt = 0;

  private constructor(child: ChildProcess, monitor: string, pins: string) {
    this.#child = child;
    this.#monitor = monitor;
    this.#pins = pins;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#shown += text;
        const excess = Math.max(0, this.#shown.length - CONSOLE_MAX_CHARACTERS);
        this.#shown = this.#shown.slice(excess);
        this.#typedAt = Math.max(0, this.#typedAt - excess);
        this.#changed.changed();
      });
    }
    child.once("exit", () => this.#changed.changed());
  }

  static async start(options: MachineOptions): Promise<Machine> {
    const { kernel, initrd, words } = await bootFiles(options.card, options.folder);
    const monitor = join(options.folder, "monitor");
    const args = [
      ...["-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", String(MEMORY_MB)],
      // It would bite where the machine that this runs on is so busy that a guest stands still for seconds.
      ...(options.bites === true ? ["-action", "watchdog=reset"] : ["-no-reboot", "-action", "watchdog=none"]),
      ...["-display", "none", "-serial", "stdio", "-monitor", `unix:${monitor},server=on,wait=off`],
      ...["-qtest", `unix:${join(options.folder, "pins")},server=on,wait=off`, "-qtest-log", "none"],
      ...["-kernel", kernel, "-initrd", initrd, "-append", `${words} ${PATIENCE}`],
      ...["-drive", `if=none,id=card,format=raw,file=nbd+unix:///?socket=${options.disk}`],
      ...["-device", "virtio-blk-pci,drive=card", "-device", "i6300esb"],
      ...["-chardev", `socket,id=line,path=${options.line}`, "-device", "pci-serial,chardev=line"],
      ...networkWords(options.cable),
    ];
    // setpriv: the machine ends with this process, however that ends.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", PROGRAM, ...args], { stdio: ["pipe", "pipe", "pipe"] });
    await once(child, "spawn");
    return new Machine(child, monitor, join(options.folder, "pins"));
  }

  /** All that it wrote on its console, the latest last. */
  get shown(): string {
    return this.#shown;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Pulls the network's cable, or plugs it in. */
  async setLink(isUp: boolean): Promise<void> {
    await this.#tell(`set_link nic ${isUp ? "on" : "off"}`);
  }

  /** Drives an input of the pin controller from outside. */
  async setPin(line: number, isHigh: boolean): Promise<void> {
    const tree = await this.#tell("info qom-tree /machine/unattached");
    const controller = /\/(device\[\d+\]) \(pl061\)/.exec(tree)?.[1];
    if (controller === undefined) throw new Error(`this machine has no pins: ${tree}`);
    const order = `set_irq_in /machine/unattached/${controller} unnamed-gpio-in ${line} ${isHigh ? 1 : 0}`;
    const answer = await converse(this.#pins, [order], /^(OK|FAIL|ERR).*\n/m);
    if (!answer.startsWith("OK")) throw new Error(`the pin was not set: ${answer}`);
  }

  /** The power fails. */
  async kill(): Promise<void> {
    if (this.hasEnded) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  /** Logs in at the console, as root. */
  async logIn(password: string): Promise<void> {
    this.#type("");
    await this.#wrote(/login: $/, CONSOLE_LIMIT_MS);
    this.#type("root");
    await this.#wrote(/Password: $/, CONSOLE_LIMIT_MS);
    this.#type(password);
    await this.#wrote(/# $/, CONSOLE_LIMIT_MS);
  }

  /** Runs a command at the console, after `logIn`. Returns what it wrote. */
  async run(command: string): Promise<string> {
    this.#type(`stty -echo cols 500; echo BE""GIN; ${command}; echo EN""D; stty echo`);
    await this.#wrote(/BEGIN\r\n[\s\S]*END\r\n[\s\S]*# $/, CONSOLE_LIMIT_MS);
    const found = /BEGIN\r\n([\s\S]*)END\r\n/.exec(this.#shown.slice(this.#typedAt));
    return (found?.[1] ?? "").replaceAll("\r", "");
  }

  #type(line: string): void {
    this.#typedAt = this.#shown.length;
    this.#child.stdin?.write(`${line}\r`);
  }

  /** Since something was typed last. */
  #wrote(what: RegExp, limitMs: number): Promise<void> {
    return this.#changed.until(
      `the console shows ${what}`,
      () => what.test(this.#shown.slice(this.#typedAt)),
      limitMs,
      () => this.#shown.slice(-2_000),
    );
  }

  #tell(command: string): Promise<string> {
    return converse(this.#monitor, ["", command], /\(qemu\) [\s\S]*\(qemu\) [\s\S]*\(qemu\) $/);
  }
}

/** Sends lines to a socket of QEMU, and returns what it answers once that is whole. */
async function converse(path: string, lines: readonly string[], whole: RegExp): Promise<string> {
  const socket = connect(path);
  const changed = new Condition(hostClock);
  let text = "";
  socket.setEncoding("utf8").on("data", (more: string) => {
    text += more;
    changed.changed();
  });
  const answered = changed.until(
    "QEMU answers",
    () => whole.test(text),
    MONITOR_LIMIT_MS,
    () => text,
  );
  try {
    await Promise.all([
      answered,
      once(socket, "connect").then(() => socket.write(lines.map((l) => `${l}\n`).join(""))),
    ]);
    return text;
  } finally {
    socket.destroy();
  }
}
