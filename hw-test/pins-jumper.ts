import { messageOf } from "../src/core/errors.ts";
import type { PinAddress, PinDriver } from "../src/sources/gpio/pin-driver.ts";
import { failed, passed, type Step, skipped } from "./step.ts";

/** Longer than a weak resistor needs to move a jumper wire, and the kernel to tell of it. */
const EDGE_LIMIT_MS = 1_000;

/** Neither pin is ever an output: one is pulled by its own resistor, so that no wrong jumper can burn anything. */
export const pinsJumper: Step = {
  name: "pins",
  title: "pins read levels, and tell their edges",
  wiring: `Join two pins that nothing else is connected to, and name both: --pins DI1,DI2

    pin 1  o-----------------o  pin 2
`,
  async run({ pins, pinDriver, clock }) {
    if (pins === undefined) return skipped("no rig: --pins A,B is not given");
    if (pinDriver === undefined) return skipped("this machine has no GPIO character device (/dev/gpiochip0)");
    const late = () => new Promise<void>((resolve) => void clock.after(EDGE_LIMIT_MS, resolve));
    try {
      const [one, two] = pins;
      const fault = (await follows(pinDriver, one, two, late)) ?? (await follows(pinDriver, two, one, late));
      return fault === undefined ? passed("each follows the other, with an edge at each change") : failed(fault);
    } catch (error) {
      return failed(messageOf(error));
    }
  },
};

async function follows(
  driver: PinDriver,
  pulling: PinAddress,
  following: PinAddress,
  late: () => Promise<void>,
): Promise<string | undefined> {
  let heard: boolean | undefined;
  let wake: () => void = () => undefined;
  const events = {
    edge: (level: boolean) => {
      heard = level;
      wake();
    },
    lost: () => undefined,
  };
  const deaf = { edge: () => undefined, lost: () => undefined };
  const pin = await driver.open({ ...following, bias: "disabled" }, events);
  try {
    let before: boolean | undefined;
    for (const level of [false, true, false]) {
      const edge = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const pull = await driver.open({ ...pulling, bias: level ? "pull-up" : "pull-down" }, deaf);
      try {
        if (before !== undefined) await Promise.race([edge, late()]);
        const words = `line ${following.line} does not follow line ${pulling.line} when it goes ${level ? "up" : "down"}`;
        if ((await pin.read()) !== level) return `${words}; check the jumper`;
        if (before !== undefined && heard !== level) return `line ${following.line} told no edge`;
        before = level;
      } finally {
        await pull.close();
      }
    }
    return undefined;
  } finally {
    await pin.close();
  }
}
