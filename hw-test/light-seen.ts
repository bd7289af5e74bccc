import { sleep } from "../src/core/clock.ts";
import { createLog } from "../src/core/log.ts";
import { createLight } from "../src/leds/light.ts";
import { failed, passed, type Step, skipped, stopped } from "./step.ts";

const FLASHES = 5;
const FLASH_MS = 300;

export const lightSeen: Step = {
  name: "light",
  title: "the board's light can be seen",
  wiring: "Look at the board: its light flashes five times, and then you are asked.\n",
  async run({ light: name, clock, ask, signal }) {
    if (name === undefined) return skipped("no light: give --board a board whose file names one");
    if (ask === undefined) return skipped("nobody is at the keyboard to say what was seen");
    let trouble = "";
    const note = (line: string) => {
      trouble = line.trim();
    };
    const light = createLight({ name, log: createLog({ write: note, level: "warning", format: "text" }) });
    for (let flash = 0; flash < FLASHES && !signal.aborted; flash++) {
      light.set(true);
      await sleep(clock, FLASH_MS);
      light.set(false);
      await sleep(clock, FLASH_MS);
    }
    if (signal.aborted) return stopped();
    if (trouble !== "") return failed(trouble);
    const isSeen = await ask(`Did the light ${name} flash ${FLASHES} times?`);
    if (signal.aborted) return stopped();
    return isSeen ? passed(`${name} was seen`) : failed(`${name} was not seen`);
  },
};
