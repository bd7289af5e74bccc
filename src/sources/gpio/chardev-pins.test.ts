import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { hostClock } from "../../core/clock.ts";
import { createLog } from "../../core/log.ts";
import { Condition } from "../../testing/condition.ts";
import { countingInput } from "../../testing/counting-input.ts";
import { GpioShim } from "../../testing/gpio-shim/gpio-shim.ts";
import { MemoryState } from "../../testing/memory-state.ts";
import { pinContract } from "../../testing/pin-contract.ts";
import { createChardevPins, hasGpioChips } from "./chardev-pins.ts";
import { Input } from "./input.ts";
import type { Pin, PinDriver, PinEvents } from "./pin-driver.ts";

const LINE = 3;
const NS_PER_MS = 1e6;

let shim: GpioShim;
const pin = () => ({ chip: shim.label, line: LINE });
/** Of tests that failed, too: a pin that is open holds its helper, and that this process. */
const opened: Pin[] = [];
const driver = (): PinDriver => {
  const pins = createChardevPins({ folder: shim.folder, env: shim.environment(process.env.PATH) });
  return {
    async open(address, events) {
      const open = await pins.open(address, events);
      opened.push(open);
      return open;
    },
  };
};

before(async () => {
  shim = await GpioShim.compile();
});

after(async () => {
  await Promise.all(opened.map((open) => open.close()));
  await shim.close();
});

pinContract("character device, of a chip made of linux/gpio.h", async () => ({
  driver: driver(),
  clock: hostClock,
  pin: pin(),
  drive: async (level) => shim.drive(LINE, level),
  plug: async (there) => shim.plug(there),
}));

test("chosen where the kernel has chips", () => {
  assert.equal(hasGpioChips(shim.folder), true);
  assert.equal(hasGpioChips("/no-such-folder"), false);
});

/** Opens the pin and keeps what it tells. */
async function listening(settings: { bias?: "pull-up" } = {}) {
  const condition = new Condition(hostClock);
  const edges: { level: boolean; ms: number }[] = [];
  let missed = 0;
  const events: PinEvents = {
    edge(level, ms) {
      edges.push({ level, ms });
      condition.changed();
    },
    missed(count) {
      missed += count;
      condition.changed();
    },
    lost: (reason) => assert.fail(reason),
  };
  const open = await driver().open({ ...pin(), ...settings }, events);
  return { open, edges, missed: () => missed, condition };
}

test("an edge has the time at which the kernel saw it, however late it is heard", async () => {
  shim.drive(LINE, false);
  const { open, edges, condition } = await listening();
  shim.order(`pulses ${LINE} 200 ${0.5 * NS_PER_MS}`);
  await condition.until("all edges are told", () => edges.length === 400);
  const first = edges[0]?.ms ?? 0;
  for (const [index, { level, ms }] of edges.entries()) {
    assert.equal(level, index % 2 === 0);
    assert.ok(Math.abs(ms - first - 0.5 * index) < 1e-3, `edge ${index} at ${ms - first} ms`);
  }
  await open.close();
});

test("P5: edges that the kernel had no room for are known by their numbers", async () => {
  shim.drive(LINE, false);
  const { open, edges, missed, condition } = await listening();
  shim.order(`drop ${LINE} 7`);
  shim.drive(LINE, true);
  await condition.until("the edge behind them is told", () => edges.length === 1);
  assert.equal(missed(), 7);
  await open.close();
});

test("P5: two edges to the same level show that one between them was missed", async () => {
  shim.drive(LINE, false);
  const { open, edges, missed, condition } = await listening();
  shim.drive(LINE, true);
  shim.order(`again ${LINE}`);
  await condition.until("both are told", () => edges.length === 2);
  assert.equal(missed(), 1);
  await open.close();
});

test("P5: a level that changes amid a look is told as the edge and as the level after it", async () => {
  shim.drive(LINE, false);
  const { open, edges, condition } = await listening();
  shim.order(`race ${LINE}`);
  shim.drive(LINE, true);
  await condition.until("the orders were read", () => edges.length === 1);
  assert.equal(await open.read(), false);
  assert.deepEqual(
    edges.map(({ level }) => level),
    [true, false],
  );
  await open.close();
});

test("the resistor inside the chip is switched as asked", async () => {
  shim.drive(LINE, false);
  const { open } = await listening({ bias: "pull-up" });
  assert.equal(await open.read(), true);
  await open.close();
});

test("a line that somebody else holds is refused in words, and one helper holds all", async () => {
  const events = { edge: () => undefined, lost: () => undefined };
  const pins = driver();
  const first = await pins.open(pin(), events);
  await assert.rejects(pins.open(pin(), events), /line 3: in use by another program/);
  const other = await pins.open({ chip: "gpiochip0", line: 4 }, events);
  await first.close();
  assert.equal(typeof (await other.read()), "boolean");
  await other.close();
});

test("without Perl the reason is said", async () => {
  const env = { ...shim.environment("/no-such-folder") };
  const events = { edge: () => undefined, lost: () => undefined };
  const pins = createChardevPins({ folder: shim.folder, env });
  await assert.rejects(pins.open(pin(), events), /perl cannot be run/);
});

test("recorded bursts of 1 kHz are counted exactly", async () => {
  shim.drive(LINE, false);
  const totals: unknown[] = [];
  const input = new Input({
    input: countingInput({ chip: "pinctrl-test", line: LINE }),
    counts: new MemoryState(),
    sink: { read: (readings) => totals.push(readings[0]?.value, readings[0]?.status), presence: () => undefined },
    clock: hostClock,
    log: createLog({ write: () => undefined, level: "error", format: "text" }),
  });
  const condition = new Condition(hostClock);
  let edges = 0;
  const open = await driver().open(pin(), {
    edge(level, ms) {
      input.edge(level, ms);
      edges += 1;
      condition.changed();
    },
    lost: (reason) => assert.fail(reason),
  });
  input.sampled(await open.read(), hostClock.monotonicMs());
  for (const pulses of [1, 1_000, 3, 2_500]) shim.order(`pulses ${LINE} ${pulses} ${0.5 * NS_PER_MS}`);
  await condition.until("all edges are told", () => edges === 2 * 3_504);
  input.scanned(hostClock.monotonicMs(), hostClock.monotonicMs());
  assert.deepEqual(totals, [100 + 3_504 * 0.5, "Good"]);
  await open.close();
});
