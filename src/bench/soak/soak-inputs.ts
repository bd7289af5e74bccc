/** Two pins of a chip that is not there: one that toggles, one that pulses. As root, in a /dev that only the gateway sees. */
import { spawnSync } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostClock, type Timer } from "../../core/clock.ts";
import { GpioShim } from "../../testing/gpio-shim/gpio-shim.ts";

const DOOR_LINE = 0;
const ENERGY_LINE = 1;
const TOGGLE_EVERY_MS = 1_000;
/** What a gateway opens in /dev, besides its terminals. */
const DEVICES = ["null", "zero", "random", "urandom", "tty"] as const;

export class SoakInputs {
  readonly #shim: GpioShim;
  readonly #folder: string;
  #timer: Timer | undefined;
  #door = false;
  #pulses = 0;

  private constructor(shim: GpioShim, folder: string) {
    this.#shim = shim;
    this.#folder = folder;
  }

  /** undefined: this user may not have a /dev of its own. */
  static async open(folder: string): Promise<SoakInputs | undefined> {
    if (spawnSync("unshare", ["--mount", "true"]).status !== 0) return undefined;
    const shim = await GpioShim.compile();
    const inputs = new SoakInputs(shim, folder);
    await inputs.#write();
    return inputs;
  }

  get door(): boolean {
    return this.#door;
  }

  /** Rising edges of the counter so far. */
  get pulses(): number {
    return this.#pulses;
  }

  /** What stands before the command of the gateway. */
  get enter(): readonly string[] {
    return ["unshare", "--mount", "--propagation", "private", join(this.#folder, "enter.sh")];
  }

  /** For the gateway: its helper for pins is found here. */
  environment(path: string | undefined): Record<string, string> {
    return { PATH: `${join(this.#folder, "bin")}:${path ?? ""}` };
  }

  yaml(): string {
    const pin = (line: number) => `pin: { chip: ${this.#shim.label}, line: ${line} }`;
    return `inputs:
  door: { ${pin(DOOR_LINE)}, debounce: 0ms }
  energy: { ${pin(ENERGY_LINE)}, debounce: 0ms, counter: rising, scanRate: 1s }
`;
  }

  /** Nobody counts what happens while no gateway is there, so nothing happens then. */
  begin(): void {
    this.#timer?.cancel();
    this.#timer = hostClock.after(TOGGLE_EVERY_MS, () => {
      this.#door = !this.#door;
      this.#shim.drive(DOOR_LINE, this.#door);
      this.#shim.order(`pulses ${ENERGY_LINE} 1 1000000`);
      this.#pulses += 1;
      this.begin();
    });
  }

  rest(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async close(): Promise<void> {
    this.rest();
    await this.#shim.close();
  }

  async #write(): Promise<void> {
    const dev = join(this.#folder, "dev");
    const bin = join(this.#folder, "bin");
    await mkdir(join(dev, "pts"), { recursive: true });
    await mkdir(bin, { recursive: true });
    for (const name of [...DEVICES, "gpiochip0"]) await writeFile(join(dev, name), "");
    const mounts = DEVICES.map((name) => `mount --bind /dev/${name} ${dev}/${name}`);
    const enter = [`mount --rbind /dev/pts ${dev}/pts`, ...mounts, `mount --rbind ${dev} /dev`, 'exec "$@"'];
    await writeScript(join(this.#folder, "enter.sh"), enter);
    const environment = Object.entries(this.#shim.environment(undefined)).filter(([name]) => name !== "PATH");
    const given = environment.map(([name, value]) => `export ${name}='${value}'`);
    await writeScript(join(bin, "perl"), [...given, `exec /usr/bin/perl "$1" '${this.#shim.folder}'`]);
  }
}

async function writeScript(path: string, lines: readonly string[]): Promise<void> {
  await writeFile(path, `#!/bin/sh\nset -e\n${lines.join("\n")}\n`);
  await chmod(path, 0o755);
}
