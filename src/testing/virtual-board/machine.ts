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
}

const PROGRAM = "qemu-system-aarch64";
const MEMORY_MB = 1024;
/** The first partition of the images begins here. */
const FAT_AT_BYTES = 1_048_576;
const CONSOLE_MAX_CHARACTERS = 256 * 1024;
const MONITOR_LIMIT_MS = 10_000;

/** What a board's firmware would do. */
async function bootFiles(card: string, folder: string): Promise<{ kernel: string; initrd: string; words: string }> {
  const names = ["vmlinuz", "initrd.img", "cmdline.txt"];
  const sources = names.map((name) => `::${name}`);
  await promisify(execFile)("mcopy", ["-n", "-o", "-i", `${card}@@${FAT_AT_BYTES}`, ...sources, folder]);
  const words = (await readFile(join(folder, "cmdline.txt"), "utf8")).trim();
  return { kernel: join(folder, "vmlinuz"), initrd: join(folder, "initrd.img"), words };
}

export class Machine {
  readonly #child: ChildProcess;
  readonly #monitor: string;
  readonly #changed = new Condition(hostClock);
  #shown = "";

  private constructor(child: ChildProcess, monitor: string) {
    this.#child = child;
    this.#monitor = monitor;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#shown = (this.#shown + text).slice(-CONSOLE_MAX_CHARACTERS);
        this.#changed.changed();
      });
    }
    child.once("exit", () => this.#changed.changed());
  }

  static async start(options: MachineOptions): Promise<Machine> {
    const { kernel, initrd, words } = await bootFiles(options.card, options.folder);
    const monitor = join(options.folder, "monitor");
    const args = [
      ...["-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", String(MEMORY_MB), "-no-reboot"],
      ...["-display", "none", "-serial", "stdio", "-monitor", `unix:${monitor},server=on,wait=off`],
      ...["-kernel", kernel, "-initrd", initrd, "-append", words],
      ...["-drive", `if=none,id=card,format=raw,file=nbd+unix:///?socket=${options.disk}`],
      ...["-device", "virtio-blk-pci,drive=card", "-device", "i6300esb"],
      ...["-chardev", `socket,id=line,path=${options.line}`, "-device", "pci-serial,chardev=line"],
      ...["-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,id=nic,romfile="],
    ];
    // setpriv: the machine ends with this process, however that ends.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", PROGRAM, ...args], { stdio: ["pipe", "pipe", "pipe"] });
    await once(child, "spawn");
    return new Machine(child, monitor);
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

  /** The power fails. */
  async kill(): Promise<void> {
    if (this.hasEnded) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  /** Types a line on its console. */
  type(line: string): void {
    this.#child.stdin?.write(`${line}\r`);
  }

  wrote(what: RegExp, limitMs: number): Promise<void> {
    return this.#changed.until(
      `the console shows ${what}`,
      () => what.test(this.#shown),
      limitMs,
      () => this.#shown.slice(-2_000),
    );
  }

  async #tell(command: string): Promise<void> {
    const socket = connect(this.#monitor);
    const answers = new Condition(hostClock);
    let text = "";
    socket.setEncoding("utf8").on("data", (more: string) => {
      text += more;
      answers.changed();
    });
    try {
      await prompted(answers, () => text, 1);
      socket.write(`${command}\n`);
      await prompted(answers, () => text, 2);
    } finally {
      socket.destroy();
    }
  }
}

async function prompted(answers: Condition, text: () => string, times: number): Promise<void> {
  const shown = () => text().split("(qemu) ").length > times;
  await answers.until("the monitor answers", shown, MONITOR_LIMIT_MS, text);
}
