import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hostClock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import { type PinRig, pinContract } from "../../testing/pin-contract.ts";
import { createSysfsPins, sysfsChips, sysfsNumber } from "./sysfs-pins.ts";

/** A tree of the form of /sys/class/gpio. */
async function tree(t: TestContext, ...chips: { label: string; base: number; lines: number }[]): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "sallyport-gpio-"));
  t.after(() => rm(root, { recursive: true }));
  await writeFile(join(root, "export"), "");
  for (const { label, base, lines } of chips) {
    const folder = join(root, `gpiochip${base}`);
    await mkdir(folder);
    await writeFile(join(folder, "label"), `${label}\n`);
    await writeFile(join(folder, "base"), `${base}\n`);
    await writeFile(join(folder, "ngpio"), `${lines}\n`);
  }
  return root;
}

test("a pin has another number on every kernel and board: it is found by chip and line", async (t) => {
  const pin = { chip: "pinctrl-bcm2711", line: 17 };
  const old = await tree(t, { label: "pinctrl-bcm2711", base: 0, lines: 58 });
  const kernel66 = await tree(
    t,
    { label: "raspberrypi-exp-gpio", base: 570, lines: 8 },
    { label: "pinctrl-bcm2711", base: 512, lines: 58 },
  );
  assert.equal(await sysfsNumber(pin, old), 17);
  assert.equal(await sysfsNumber(pin, kernel66), 529);
  const pi5 = await tree(t, { label: "pinctrl-rp1", base: 571, lines: 54 });
  assert.equal(await sysfsNumber({ chip: "pinctrl-rp1", line: 0 }, pi5), 571);
});

test("what is wrong with a pin is said in words, with what this machine has", async (t) => {
  const root = await tree(
    t,
    { label: "pinctrl-rp1", base: 571, lines: 54 },
    { label: "expander", base: 625, lines: 8 },
    { label: "expander", base: 633, lines: 8 },
  );
  const refuses = (chip: string, line: number, words: RegExp) =>
    assert.rejects(sysfsNumber({ chip, line }, root), words);
  await refuses("pinctrl-bcm2711", 17, /no GPIO chip has the label pinctrl-bcm2711; this machine has .*pinctrl-rp1/);
  await refuses("pinctrl-rp1", 54, /has lines 0 to 53, not 54/);
  await refuses("expander", 0, /more than one GPIO chip has the label expander/);
});

test("a machine without GPIO says so", async (t) => {
  const pin = { chip: "pinctrl-rp1", line: 1 };
  await assert.rejects(sysfsNumber(pin, join(tmpdir(), "no-such-folder")), /this machine has no GPIO: .* is missing/);
  await assert.rejects(sysfsNumber(pin, await tree(t)), /this machine has no GPIO: no chip/);
});

/**
 * The kernel's gpio-sim is the one chip that can be driven without a wire and without touching what a machine needs.
 * Its levels are set by the pull of the simulated line.
 */
async function gpioSim(): Promise<PinRig | string> {
  const chips = await sysfsChips().catch((error: unknown) => messageOf(error));
  if (typeof chips === "string") return chips;
  const chip = chips.find(({ label }) => label.startsWith("gpio-sim"));
  if (chip === undefined) return "this machine has no gpio-sim chip; see the kernel's admin-guide/gpio/gpio-sim";
  const device = await realpath(`/sys/class/gpio/gpiochip${chip.base}/device`);
  const bank = (await readdir(device)).find((name) => /^gpiochip\d+$/.test(name)) ?? ".";
  const pull = join(device, bank, "sim_gpio0", "pull");
  return {
    driver: createSysfsPins(hostClock),
    clock: hostClock,
    pin: { chip: chip.label, line: 0 },
    drive: (level) => writeFile(pull, level ? "pull-up" : "pull-down"),
    plug: "a gpio-sim chip cannot be taken away while its lines are held",
  };
}

pinContract("sysfs pins", gpioSim);
