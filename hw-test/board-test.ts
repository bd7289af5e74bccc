/** All steps, one after the other: each tells first what is to be wired. */
import type { Machine } from "../src/commands/doctor/machine.ts";
import { brokerReached } from "./broker-reached.ts";
import { clockRight } from "./clock-right.ts";
import { flashSpeed } from "./flash-speed.ts";
import { heatUnderLoad } from "./heat-under-load.ts";
import { lightSeen } from "./light-seen.ts";
import { nobodyListens } from "./nobody-listens.ts";
import { pinsJumper } from "./pins-jumper.ts";
import type { Protocol, ProtocolEntry } from "./protocol.ts";
import { serialLoop } from "./serial-loop.ts";
import { type Bench, type Step, stopped } from "./step.ts";
import { watchdogBites } from "./watchdog-bites.ts";

/** The watchdog last: nothing comes after it. */
export const STEPS: readonly Step[] = [
  serialLoop,
  pinsJumper,
  lightSeen,
  flashSpeed,
  clockRight,
  brokerReached,
  heatUnderLoad,
  nobodyListens,
  watchdogBites,
];

export interface BoardTest {
  readonly steps: readonly Step[];
  readonly bench: Bench;
  readonly tell: (text: string) => void;
  /** Called with all that is known so far, before a step that may not return. */
  readonly keep: (entries: readonly ProtocolEntry[]) => void;
}

export async function testBoard({ steps, bench, tell, keep }: BoardTest): Promise<readonly ProtocolEntry[]> {
  const entries: ProtocolEntry[] = [];
  for (const [index, step] of steps.entries()) {
    tell(`\n${index + 1} of ${steps.length}  ${step.name}: ${step.title}\n`);
    if (step.wiring !== "") tell(`\n${step.wiring.replace(/^(?=.)/gm, "    ")}\n`);
    if (step === watchdogBites && bench.bites) keep(entries);
    const { verdict, found } = bench.signal.aborted ? stopped() : await step.run(bench);
    entries.push({ step: step.name, verdict, found });
    tell(`${verdict}  ${found}\n`);
  }
  return entries;
}

/** On the card's label; of the chip where the card has none. */
export function serialNumber(machine: Machine): string {
  const own = machine.text("/boot/firmware/site/serial");
  return own || machine.text("/proc/device-tree/serial-number") || "unknown";
}

export function headOf(machine: Machine, wallMs: number): Omit<Protocol, "entries"> {
  return {
    date: new Date(wallMs).toISOString().slice(0, 16).replace("T", " "),
    serial: serialNumber(machine),
    board: machine.text("/proc/device-tree/model") || machine.text("/sys/class/dmi/id/product_name") || "unknown board",
  };
}
