/**
 * Pins through the sysfs of the kernel, by onoff. Its numbers differ from kernel to kernel and board to board, so a pin
 * is named by chip label and line and looked up each time. sysfs stamps nothing: an edge has the time at which we woke.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import type { Pin, PinAddress, PinDriver, PinEvents } from "./pin-driver.ts";

/** Where onoff looks; not ours to choose. */
const SYSFS_GPIO = "/sys/class/gpio";

interface Chip {
  readonly label: string;
  readonly base: number;
  readonly lines: number;
}

/** The GPIO chips under a folder of the form of /sys/class/gpio. Rejects in words where this machine has none. */
export async function sysfsChips(root = SYSFS_GPIO): Promise<readonly Chip[]> {
  const names = await readdir(root).catch(() => undefined);
  if (names === undefined) throw new Error(`this machine has no GPIO: ${root} is missing`);
  const chips = await Promise.all(
    names.filter((name) => name.startsWith("gpiochip")).map((name) => chipAt(join(root, name))),
  );
  if (chips.length === 0) throw new Error(`this machine has no GPIO: no chip in ${root}`);
  return chips;
}

async function chipAt(folder: string): Promise<Chip> {
  const fact = async (name: string) => (await readFile(join(folder, name), "utf8")).trim();
  return { label: await fact("label"), base: Number(await fact("base")), lines: Number(await fact("ngpio")) };
}

/** The kernel's number of a pin, under a folder of the form of /sys/class/gpio. Rejects with the reason in words. */
export async function sysfsNumber(address: PinAddress, root = SYSFS_GPIO): Promise<number> {
  const chips = await sysfsChips(root);
  const [chip, another] = chips.filter(({ label }) => label === address.chip);
  if (chip === undefined) {
    const labels = chips.map(({ label }) => label).sort();
    throw new Error(`no GPIO chip has the label ${address.chip}; this machine has ${labels.join(", ")}`);
  }
  if (another !== undefined) throw new Error(`more than one GPIO chip has the label ${address.chip}`);
  if (address.line >= chip.lines) {
    throw new Error(`GPIO chip ${address.chip} has lines 0 to ${chip.lines - 1}, not ${address.line}`);
  }
  return chip.base + address.line;
}

/** Needs a kernel with GPIO_SYSFS, and write access below /sys/class/gpio. */
export function createSysfsPins(clock: Clock): PinDriver {
  return {
    async open(address, events) {
      if (address.bias !== undefined) {
        throw new Error(`bias ${address.bias} needs the character device /dev/gpiochip0, and this machine has none`);
      }
      const number = await sysfsNumber(address);
      try {
        return await openNumber(number, events, clock);
      } catch (error) {
        throw new Error(`${address.chip} line ${address.line}: ${reasonOf(error)}`);
      }
    },
  };
}

async function openNumber(number: number, events: PinEvents, clock: Clock): Promise<Pin> {
  // Its native part must not be needed where no input is configured.
  const { Gpio } = await import("onoff");
  // Said even where false: a pin that another program left active-low would be read upside down.
  const gpio = new Gpio(number, "in", "both", { activeLow: false });
  let open = true;
  const close = () => {
    if (open) gpio.unexport();
    open = false;
  };
  // onoff goes on without a word where a pin that was exported already refuses its settings.
  if (gpio.direction() !== "in" || gpio.edge() !== "both" || gpio.activeLow()) {
    close();
    throw new Error("another program holds it with other settings");
  }
  gpio.watch((error, level) => {
    if (!open) return;
    if (error) events.lost(messageOf(error));
    else events.edge(level === 1, clock.monotonicMs());
  });
  return {
    read: async () => (await gpio.read()) === 1,
    close: async () => close(),
  };
}

function reasonOf(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error ? error.code : "";
  switch (code) {
    case "EBUSY":
      return "in use by another program or by a driver of the kernel";
    case "EACCES":
    case "EPERM":
      return "this user may not use it; add the user to the group gpio";
    case "EROFS":
      return "/sys is read-only here; a service needs ProtectKernelTunables=no for GPIO";
    default:
      return messageOf(error);
  }
}
