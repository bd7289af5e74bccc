/** A light of the board, by the kernel's files below /sys/class/leds. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";

export interface Light {
  set(isOn: boolean): void;
  /** Even, for ever, by the kernel: also when this process is gone. */
  blink(): void;
}

export interface LightOptions {
  /** Below /sys/class/leds. */
  readonly name: string;
  readonly log: Log;
  /** Another folder than /sys/class/leds, for tests. */
  readonly root?: string;
}

const LEDS = "/sys/class/leds";

/** Never throws: a gateway without its light is a gateway. What keeps it from being lit is told once. */
export function createLight({ name, log, root = LEDS }: LightOptions): Light {
  let trigger = "";
  let isTold = false;
  const put = (file: string, text: string) => {
    try {
      writeFileSync(join(root, name, file), text);
      return true;
    } catch (error) {
      if (!isTold) log.warning(`the light ${name} cannot be lit: ${messageOf(error)}`);
      isTold = true;
      return false;
    }
  };
  const follow = (wanted: string) => {
    // Until it is told otherwise a light shows what the kernel likes, as the card's activity.
    if (trigger !== wanted && put("trigger", wanted)) trigger = wanted;
  };
  return {
    set(isOn) {
      follow("none");
      put("brightness", isOn ? "1" : "0");
    },
    blink: () => follow("timer"),
  };
}
