/** The inputs: whether their pins are there, who holds them, and what they show. */
import type { InputConfig } from "../../config/config.ts";
import type { StatusContent } from "../../diagnostics/status-file.ts";
import { ailing, type Finding, ok } from "./finding.ts";
import type { Machine } from "./machine.ts";

const CHIPS = "/sys/class/gpio";
/** Readable by root only; shows levels without touching them. */
const LEVELS = "/sys/kernel/debug/gpio";
const DEVICE = "inputs";

export function checkInput(machine: Machine, input: InputConfig, status: StatusContent | undefined): Finding {
  const { chip, line } = input.pin;
  const chips = machine
    .names(CHIPS)
    .filter((name) => name.startsWith("gpiochip"))
    .map((name) => ({
      label: machine.text(`${CHIPS}/${name}/label`),
      base: Number(machine.text(`${CHIPS}/${name}/base`)),
      lines: Number(machine.text(`${CHIPS}/${name}/ngpio`)),
    }));
  const found = chips.find(({ label }) => label === chip);
  if (found === undefined || line >= found.lines) {
    const labels = chips.map(({ label, lines }) => `${label} with ${lines} lines`).join(", ");
    const ailment = {
      name: "pin-missing",
      verdict: "FAULT",
      found: found === undefined ? `there is no GPIO chip ${chip}` : `${chip} has no line ${line}`,
      means: "this input is never read",
      todo: labels === "" ? "this machine shows no GPIO in /sys/class/gpio" : `mend \`pin\`: there is ${labels}`,
    } as const;
    return ailing("pin", input.name, ailment);
  }
  const level = new RegExp(`^ *gpio-${found.base + line} .*\\b(in|out) +(hi|lo)\\b`, "m").exec(machine.text(LEVELS));
  if (level?.[1] === "out") {
    const ailment = {
      name: "pin-output",
      verdict: "FAULT",
      found: `${chip} line ${line} is driven as an output`,
      means: "another program or the board itself drives this pin",
      todo: "choose another pin, or take it away from that program",
    } as const;
    return ailing("pin", input.name, ailment, level[0].trim());
  }
  const tag = status?.devices.find(({ name }) => name === DEVICE)?.tags.find(({ name }) => name === input.name);
  if (tag !== undefined && tag.status !== "Good") {
    const ailment = {
      name: "pin-unread",
      verdict: "FAULT",
      found: `the service cannot read it: ${tag.words}`,
      means: "the pin is there, but cannot be used",
      todo: "see the log: journalctl -u sallyport; may its user use the group gpio?",
    } as const;
    return ailing("pin", input.name, ailment, `${chip} line ${line}`);
  }
  const shows = tag === undefined ? (level?.[2] ?? "") : String(tag.value);
  return ok("pin", input.name, `${chip} line ${line}${shows === "" ? "" : `, now ${shows}`}`);
}
