import assert from "node:assert/strict";
import { test } from "node:test";
import type { InputConfig } from "../../config/config.ts";
import { createLog } from "../../core/log.ts";
import type { Reading } from "../../pipeline.ts";
import { countingInput } from "../../testing/counting-input.ts";
import { MemoryState } from "../../testing/memory-state.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { Input } from "./input.ts";

const METER = countingInput({ chip: "board", line: 3 });

function counter(kept: MemoryState, more: Partial<InputConfig> = {}) {
  const clock = new VirtualClock();
  const told: Reading[] = [];
  const input = new Input({
    input: { ...METER, ...more },
    counts: kept,
    sink: { read: (readings) => void told.push(...readings), presence: () => undefined },
    clock,
    log: createLog({ write: () => undefined, level: "error", format: "text" }),
  });
  input.sampled(false, clock.monotonicMs());
  return {
    input,
    pulses(count: number) {
      for (let edge = 0; edge < 2 * count; edge++) input.edge(edge % 2 === 0, clock.monotonicMs());
    },
    total() {
      input.scanned(clock.monotonicMs(), clock.monotonicMs());
      const { value, status } = told.at(-1) ?? {};
      return [value, status];
    },
  };
}

test("a counter goes on where it stopped, with the pulses after its last scan", () => {
  const kept = new MemoryState();
  for (const pulses of [7, 3]) {
    const life = counter(kept);
    life.total();
    life.pulses(pulses);
    life.input.stop();
  }
  assert.deepEqual(counter(kept).total(), [105, "Good"]);
});

test("P5: a total is uncertain from the moment at which edges are known to be missing, in the next life too", () => {
  const kept = new MemoryState();
  const { input, pulses, total } = counter(kept);
  pulses(2);
  assert.deepEqual(total(), [101, "Good"]);
  input.missed();
  pulses(2);
  assert.deepEqual(total(), [102, "UncertainLastUsableValue"]);
  input.stop();
  assert.deepEqual(counter(kept).total(), [102, "UncertainLastUsableValue"]);
});

test("a pulse that ends before the debounce time is no pulse, however late its end is heard", () => {
  const { input, total } = counter(new MemoryState(), { debounceMs: 20 });
  input.edge(true, 0);
  // The scan comes at 25 ms, and knows all edges up to 14 ms only.
  input.scanned(25, 14);
  input.edge(false, 15);
  assert.deepEqual(total(), [100, "Good"]);
});
