/** One test of a board: what it needs to be wired, and what it comes to. */
import type { Machine } from "../src/commands/doctor/machine.ts";
import type { Config } from "../src/config/config.ts";
import type { Clock } from "../src/core/clock.ts";
import type { PinAddress, PinDriver } from "../src/sources/gpio/pin-driver.ts";
import type { SerialLine } from "../src/sources/modbus/serial-line.ts";
import type { PortConfig } from "../src/sources/modbus/serialport-line.ts";

export type Verdict = "PASSED" | "FAILED" | "SKIPPED";

export interface Outcome {
  readonly verdict: Verdict;
  /** In one sentence: figures of what passed, the cause of what failed, what a skipped one would need. */
  readonly found: string;
}

/** What the steps have to work with. */
export interface Bench {
  readonly clock: Clock;
  readonly machine: Machine;
  readonly signal: AbortSignal;
  /** Absent: there is no gateway.yaml. */
  readonly config?: Config;
  /** Two ports that are joined. */
  readonly lines?: readonly [string, string];
  /** A line of gateway.yaml whose devices are there. */
  readonly knownLine?: string;
  /** Two pins that are joined. */
  readonly pins?: readonly [PinAddress, PinAddress];
  readonly light?: string;
  /** On the card that the gateway will write to. */
  readonly folder: string;
  readonly bites: boolean;
  readonly openLine: (port: PortConfig) => SerialLine;
  readonly pinDriver?: PinDriver;
  /** Undefined where nobody can press keys. */
  readonly ask?: (question: string) => Promise<boolean>;
}

export interface Step {
  readonly name: string;
  readonly title: string;
  /** What to do with one's hands, in words and a drawing; empty: nothing. */
  readonly wiring: string;
  run(bench: Bench): Promise<Outcome>;
}

export function passed(found: string): Outcome {
  return { verdict: "PASSED", found };
}

export function failed(found: string): Outcome {
  return { verdict: "FAILED", found };
}

export function skipped(found: string): Outcome {
  return { verdict: "SKIPPED", found };
}

/** Whatever a step had found until then: it is not what it would have come to. */
export function stopped(): Outcome {
  return skipped("stopped by hand");
}
