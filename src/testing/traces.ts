/**
 * What a plant's tags look like over time, for measuring the store: seeded, so that two runs measure the same. 200 tags
 * read in replies of some tens of registers: analogues that wander with the noise of their converter, meters that
 * compute float32, counters, switches and a few alarms.
 */
import type { Random } from "../core/random.ts";
import { type Tag, tagId } from "../core/tag.ts";
import type { Sample } from "../pipeline.ts";

const REPLIES = 10;
/** Of each reply: a plant has many analogues, fewer counters and states, and hardly any alarm. */
const MIX = [
  ...Array<Kind>(11).fill("analogue"),
  ...Array<Kind>(4).fill("meter"),
  ...Array<Kind>(2).fill("counter"),
  ...Array<Kind>(2).fill("switch"),
  "alarm",
] as const;

type Kind = "analogue" | "meter" | "counter" | "switch" | "alarm";

/** Of a switch, an alarm, at one read. */
const SWITCH_CHANCE = 0.01;
const ALARM_CHANCE = 0.0005;

interface Trace {
  readonly tag: Tag;
  readonly kind: Kind;
  /** The true value of an analogue or a meter; the count of a counter. */
  level: number;
  value: number | boolean;
}

const TYPES = { analogue: "float64", meter: "float32", counter: "uint32", switch: "bool", alarm: "bool" } as const;

export class PlantTraces {
  readonly #random: Random;
  readonly #replies: readonly (readonly Trace[])[];

  constructor(random: Random) {
    this.#random = random;
    this.#replies = Array.from({ length: REPLIES }, (_, reply) =>
      MIX.map(
        (kind, i): Trace => ({
          tag: tagOf(`device-${reply}`, `${kind}-${i}`, kind),
          kind,
          level: START[kind],
          value: 0,
        }),
      ),
    );
  }

  tags(): readonly Tag[] {
    return this.#replies.flat().map(({ tag }) => tag);
  }

  /**
   * One reply: the tags that changed, each a sample.
   * @param turn replies come in turn
   */
  read(turn: number, sourceTimestampMs: number, epoch: number): Sample[] {
    const traces = this.#replies[turn % REPLIES] ?? [];
    return traces.flatMap((trace) => {
      const before = trace.value;
      trace.value = this.#next(trace);
      if (trace.value === before) return [];
      return [{ tag: trace.tag, value: trace.value, status: "Good" as const, sourceTimestampMs, epoch }];
    });
  }

  #next(trace: Trace): number | boolean {
    switch (trace.kind) {
      // A converter of 12 bits at a tenth of a unit: it wanders by a step in ten reads, and the last step or two is noise.
      case "analogue":
        trace.level += this.#gauss() * 0.1;
        return Math.round(trace.level + this.#gauss() * 1.5) / 10;
      // Volts of a three-phase meter: 0.05 V of noise in a number of 24 bits.
      case "meter":
        trace.level += this.#gauss() * 0.005;
        return Math.fround(trace.level + this.#gauss() * 0.05);
      case "counter":
        trace.level += 1 + Math.floor(this.#random.next() * 4);
        return trace.level;
      case "switch":
        return this.#random.next() < SWITCH_CHANCE ? trace.value !== true : trace.value === true;
      case "alarm":
        return this.#random.next() < ALARM_CHANCE ? trace.value !== true : trace.value === true;
    }
  }

  /** Of twelve uniform numbers: near enough to normal for noise. */
  #gauss(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.#random.next();
    return sum;
  }
}

const START: Record<Kind, number> = { analogue: 650, meter: 230, counter: 1_000_000, switch: 0, alarm: 0 };

function tagOf(device: string, name: string, kind: Kind): Tag {
  return {
    id: tagId(device, name),
    device,
    name,
    type: TYPES[kind],
    priority: kind === "alarm" ? "high" : "normal",
    deadband: 0,
    scanRateMs: 200,
    staleMs: 5_000,
    maxIntervalMs: 600_000,
    writable: false,
    enabled: true,
  };
}
