/** QEMU's machine raspi3b as a board, started with what its card's FAT tells the firmware to start. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

export interface Pi3Options {
  /** For the files of the FAT. */
  readonly folder: string;
  /** Its size in bytes is a power of two: QEMU takes no other. */
  readonly card: string;
  /** The Unix socket of what hangs on the UART of its header. */
  readonly line: string;
}

const PROGRAM = "qemu-system-aarch64";
/**
 * What the emulator needs and no board does: time for systemd, on a machine that takes minutes for what a board does in
 * seconds, and no watchdog, for QEMU resets the board at the very moment in which one is armed.
 */
const EMULATORS_WORDS =
  "systemd.default_timeout_start_sec=10min systemd.default_device_timeout_sec=10min systemd.watchdog_sec=0";
/** The first partition of the images begins here. */
const FAT_AT_BYTES = 1_048_576;
const SAID_MAX_CHARACTERS = 16 * 1024;

/** Of the firmware's settings those that say what is started. */
function bootSettings(config: string): { kernel: string; initramfs: string; deviceTree: string } {
  const setting = (pattern: RegExp) => {
    const found = pattern.exec(config)?.[1];
    if (found === undefined) throw new Error(`config.txt has nothing like ${pattern}:\n${config}`);
    return found;
  };
  return {
    kernel: setting(/^kernel=(\S+)$/m),
    initramfs: setting(/^initramfs (\S+) followkernel$/m),
    deviceTree: setting(/^device_tree=(\S+)$/m),
  };
}

export class EmulatedPi3 {
  readonly #child: ChildProcess;
  #said = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#said = (this.#said + text).slice(-SAID_MAX_CHARACTERS);
      });
    }
  }

  static async start({ folder, card, line }: Pi3Options): Promise<EmulatedPi3> {
    const fetch = async (name: string) => {
      await promisify(execFile)("mcopy", ["-n", "-o", "-i", `${card}@@${FAT_AT_BYTES}`, `::${name}`, folder]);
      return join(folder, name);
    };
    const { kernel, initramfs, deviceTree } = bootSettings(await readFile(await fetch("config.txt"), "utf8"));
    const words = (await readFile(await fetch("cmdline.txt"), "utf8")).trim();
    const args = [
      ...["-M", "raspi3b", "-display", "none", "-monitor", "none", "-no-reboot"],
      ...["-kernel", await fetch(kernel), "-initrd", await fetch(initramfs), "-dtb", await fetch(deviceTree)],
      ...["-append", `${words} ${EMULATORS_WORDS}`, "-drive", `if=sd,format=raw,file=${card}`],
      ...["-chardev", `socket,id=line,path=${line}`, "-serial", "chardev:line"],
      // A real one's Ethernet hangs on the same USB, behind another chip.
      ...["-netdev", "user,id=net", "-device", "usb-net,netdev=net"],
    ];
    // setpriv: the machine ends with this process, however that ends.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", PROGRAM, ...args], { stdio: ["ignore", "pipe", "pipe"] });
    await once(child, "spawn");
    return new EmulatedPi3(child);
  }

  /** QEMU's own words; the board has no screen here. */
  get said(): string {
    return this.#said;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** The power fails. */
  async kill(): Promise<void> {
    if (this.hasEnded) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }
}
