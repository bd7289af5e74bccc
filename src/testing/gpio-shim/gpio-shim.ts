/** A GPIO chip that the helper for pins takes for the kernel's: shim.c, compiled, and the way to drive its lines. */
import { execFile } from "node:child_process";
import { closeSync, openSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const SOURCE = fileURLToPath(new URL("shim.c", import.meta.url));
const CHIP = "gpiochip0";
const LINES = 8;

const run = promisify(execFile);

export class GpioShim {
  readonly label = "pinctrl-test";
  /** In place of /dev. */
  readonly folder: string;
  readonly #control: number;
  readonly #levels: number;

  private constructor(folder: string) {
    this.folder = folder;
    // For both: the FIFO must take orders before the helper is there.
    this.#control = openSync(join(folder, "control"), "r+");
    this.#levels = openSync(join(folder, "levels"), "r+");
  }

  static async compile(): Promise<GpioShim> {
    const folder = await mkdtemp(join(tmpdir(), "sallyport-gpio-shim-"));
    const flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"];
    await run("cc", [...flags, "-o", join(folder, "shim.so"), SOURCE, "-ldl", "-lpthread"]);
    await run("mkfifo", [join(folder, "control")]);
    writeFileSync(join(folder, CHIP), "");
    writeFileSync(join(folder, "levels"), new Uint8Array(LINES));
    return new GpioShim(folder);
  }

  /** For the helper. */
  environment(path: string | undefined): Record<string, string> {
    return {
      PATH: path ?? "",
      LD_PRELOAD: join(this.folder, "shim.so"),
      SALLYPORT_GPIO_CHIP: join(this.folder, CHIP),
      SALLYPORT_GPIO_LABEL: this.label,
      SALLYPORT_GPIO_LEVELS: join(this.folder, "levels"),
      SALLYPORT_GPIO_CONTROL: join(this.folder, "control"),
    };
  }

  drive(line: number, level: boolean): void {
    this.driveUnheard(line, level);
    this.order(`level ${line}`);
  }

  /** A level to which the kernel heard no edge. */
  driveUnheard(line: number, level: boolean): void {
    writeSync(this.#levels, Uint8Array.of(Number(level)), 0, 1, line);
  }

  order(text: string): void {
    writeSync(this.#control, `${text}\n`);
  }

  plug(there: boolean): void {
    if (there) writeFileSync(join(this.folder, CHIP), "");
    else {
      rmSync(join(this.folder, CHIP));
      this.order("gone");
    }
  }

  async close(): Promise<void> {
    closeSync(this.#control);
    closeSync(this.#levels);
    await rm(this.folder, { recursive: true, force: true });
  }
}
