import assert from "node:assert/strict";
import { test } from "node:test";
import type { InputConfig } from "../../config/config.ts";
import { createLog } from "../../core/log.ts";
import type { Status } from "../../core/quality.ts";
import type { Value } from "../../core/tag.ts";
import { MemoryState } from "../../testing/memory-state.ts";
import { SimulatedPins } from "../../testing/simulated-pins.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { createGpioSource } from "./gpio-source.ts";
import type { PinDriver } from "./pin-driver.ts";

const SECOND = 1_000;
const DOOR = { chip: "board", line: 4 };
const METER = { chip: "board", line: 5 };

function inputOf(name: string, more: Partial<InputConfig> = {}): InputConfig {
  return {
    id: `inputs/${name}`,
    device: "inputs",
    name,
    type: more.counter === undefined ? "bool" : "float64",
    priority: "normal",
    deadband: 0,
    scanRateMs: SECOND,
    staleMs: 5 * SECOND,
    maxIntervalMs: 600 * SECOND,
    writable: false,
    enabled: true,
    pin: DOOR,
    activeLow: false,
    debounceMs: 0,
    ...more,
  };
}

interface Told {
  readonly name: string;
  readonly value: Value | undefined;
  readonly status: Status;
  readonly atMs: number;
}

function rig(
  inputs: readonly InputConfig[],
  driverOver?: (pins: SimulatedPins) => PinDriver,
  counts = new MemoryState(),
) {
  const clock = new VirtualClock();
  const pins = new SimulatedPins(clock, { board: 8 });
  const told: Told[] = [];
  const log: string[] = [];
  const source = createGpioSource({
    inputs,
    counts,
    sink: {
      read: (readings, atMs) => told.push(...readings.map((r) => ({ ...r, name: r.tag.name, atMs }))),
      presence: () => assert.fail("inputs are no device that is lost as a whole"),
    },
    clock,
    log: createLog({ write: (line) => void log.push(line.trim()), level: "info", format: "text" }),
    driver: driverOver?.(pins) ?? pins,
  });
  source.start();
  return {
    clock,
    pins,
    log,
    source,
    /** Everything told since the last look, as [value, status, monotonic time]. */
    taken: () => told.splice(0).map(({ value, status, atMs }) => [value, status, atMs] as const),
  };
}

/** A driver whose reads take until they are told to finish. */
function slowReads() {
  let finish: { resolve(level: boolean): void; reject(error: Error): void } | undefined;
  let isQuick = false;
  return {
    slow: (pins: SimulatedPins): PinDriver => ({
      async open(address, events) {
        const pin = await pins.open(address, events);
        return {
          ...pin,
          read: () =>
            isQuick
              ? pin.read()
              : new Promise((resolve, reject) => {
                  finish = { resolve, reject };
                }),
        };
      },
    }),
    finishRead: (level: boolean) => finish?.resolve(level),
    failRead: (reason: string) => finish?.reject(new Error(reason)),
    quicken: () => {
      isQuick = true;
    },
  };
}

test("P3: an input is told from its first scan, and again at every scan", async () => {
  const { clock, pins, taken, source } = rig([inputOf("door")]);
  pins.driveUnheard(DOOR, true);
  await clock.advance(2 * SECOND);
  assert.deepEqual(taken(), [
    [true, "Good", 0],
    [true, "Good", 1_000],
    [true, "Good", 2_000],
  ]);
  await source.stop();
});

test("a change is told when it is certain, with the time of its edge", async () => {
  const { clock, pins, taken, source } = rig([inputOf("door", { debounceMs: 20 })]);
  await clock.advance(100);
  taken();
  pins.drive(DOOR, true);
  await clock.advance(5);
  pins.drive(DOOR, false);
  await clock.advance(5);
  pins.drive(DOOR, true);
  await clock.advance(19);
  assert.deepEqual(taken(), []);
  await clock.advance(1);
  assert.deepEqual(taken(), [[true, "Good", 110]]);
  await source.stop();
});

test("activeLow turns the meaning of the level around", async () => {
  const { clock, pins, taken, source } = rig([inputOf("door", { activeLow: true })]);
  await clock.advance(0);
  pins.drive(DOOR, true);
  assert.deepEqual(
    taken().map(([value]) => value),
    [true, false],
  );
  await source.stop();
});

test("an edge that nobody told of is found by the next scan", async () => {
  const { clock, pins, taken, source } = rig([inputOf("door", { debounceMs: 20 })]);
  await clock.advance(500);
  taken();
  pins.driveUnheard(DOOR, true);
  await clock.advance(600);
  assert.deepEqual(taken(), [[true, "Good", 1_000]]);
  await source.stop();
});

test("P5: while a contact bounces its old level is not told as Good", async () => {
  const { clock, pins, taken, source } = rig([inputOf("door", { debounceMs: 20 })]);
  await clock.advance(995);
  taken();
  pins.drive(DOOR, true);
  await clock.advance(10);
  assert.deepEqual(taken(), []);
  await source.stop();
});

test("P5: a level read before an edge came is not taken for the newer one", async () => {
  const { slow, finishRead, quicken } = slowReads();
  const { clock, pins, taken, source } = rig([inputOf("door")], slow);
  await clock.advance(0);
  finishRead(false);
  await clock.advance(SECOND);
  taken();
  // The scan under way has seen the old level.
  pins.drive(DOOR, true);
  finishRead(false);
  await clock.advance(0);
  assert.deepEqual(taken(), [
    [true, "Good", 1_000],
    [true, "Good", 1_000],
  ]);
  quicken();
  finishRead(true);
  await source.stop();
});

test("a counter tells its total at every scan, by debounced edges, from its start", async () => {
  const energy = inputOf("energy", {
    pin: METER,
    debounceMs: 5,
    scanRateMs: 10 * SECOND,
    activeLow: true,
    counter: { edge: "rising", start: 100, scale: 0.5 },
  });
  const { clock, pins, taken, source } = rig([energy]);
  pins.driveUnheard(METER, true);
  await clock.advance(0);
  for (let pulse = 0; pulse < 3; pulse++) {
    pins.drive(METER, false);
    await clock.advance(50);
    pins.drive(METER, true);
    await clock.advance(1);
    pins.drive(METER, false);
    await clock.advance(1);
    pins.drive(METER, true);
    await clock.advance(50);
  }
  await clock.advance(10 * SECOND);
  assert.deepEqual(taken(), [
    [100, "Good", 0],
    [101.5, "Good", 10_000],
  ]);
  await source.stop();
});

test("P3: a pin that cannot be opened is told as bad and tried again, ever more slowly, up to a minute", async () => {
  const { clock, pins, taken, log, source } = rig([inputOf("door")]);
  pins.breakUnheard(DOOR, "in use by another program");
  await clock.advance(200 * SECOND);
  const attempts = taken();
  assert.deepEqual(
    attempts.map(([value, status, atMs]) => [value, status, atMs / SECOND]),
    [0, 1, 3, 7, 15, 31, 63, 123, 183].map((s) => [undefined, "BadNoCommunication", s]),
  );
  assert.deepEqual(log, ["warning: door: cannot read the pin: in use by another program"]);
  pins.putBack(DOOR);
  await clock.advance(60 * SECOND);
  assert.deepEqual(taken()[0], [false, "Good", 243 * SECOND]);
  assert.equal(log.at(-1), "notice: door: the pin can be read again");
  await source.stop();
});

test("P3: a pin that vanishes is bad at once, and good again by a read after it came back", async () => {
  const { clock, pins, taken, source } = rig([inputOf("door")]);
  await clock.advance(500);
  taken();
  pins.takeAway(DOOR, "unplugged");
  assert.deepEqual(taken(), [[undefined, "BadNoCommunication", 500]]);
  pins.putBack(DOOR);
  pins.driveUnheard(DOOR, true);
  await clock.advance(SECOND);
  assert.deepEqual(taken(), [
    [true, "Good", 1_500],
    [true, "Good", 1_500],
  ]);
  assert.equal(pins.holders(DOOR), 1);
  await source.stop();
});

test("a pin that vanishes while it is read is told as bad once, and its late answer is not used", async () => {
  const { slow, finishRead, failRead } = slowReads();
  const { clock, pins, taken, source } = rig([inputOf("door")], slow);
  await clock.advance(0);
  pins.takeAway(DOOR, "unplugged");
  finishRead(true);
  await clock.advance(0);
  assert.deepEqual(taken(), [[undefined, "BadNoCommunication", 0]]);
  pins.putBack(DOOR);
  await clock.advance(SECOND);
  pins.takeAway(DOOR, "unplugged");
  failRead("no such device");
  await clock.advance(0);
  assert.deepEqual(taken(), [[undefined, "BadNoCommunication", 1_000]]);
  await source.stop();
});

test("a pin that can be read again starts with the short delay when it fails anew", async () => {
  const { clock, pins, taken, source } = rig([inputOf("door")]);
  pins.breakUnheard(DOOR, "broken");
  await clock.advance(10 * SECOND);
  pins.putBack(DOOR);
  await clock.advance(5 * SECOND);
  pins.takeAway(DOOR, "broken");
  taken();
  pins.putBack(DOOR);
  await clock.advance(SECOND);
  assert.deepEqual(taken(), [[false, "Good", 16_000]]);
  await source.stop();
});

test("P5: a level that had not stood long enough when its pin failed is not told by the time that passes", async () => {
  const { clock, pins, taken, source } = rig([inputOf("door", { debounceMs: 1_500 })]);
  await clock.advance(100);
  pins.drive(DOOR, true);
  pins.takeAway(DOOR, "unplugged");
  taken();
  pins.putBack(DOOR);
  await clock.advance(2_000);
  assert.deepEqual(taken(), []);
  await clock.advance(600);
  assert.deepEqual(taken()[0], [true, "Good", 1_100]);
  await source.stop();
});

test("P5: a total is uncertain once edges may have been missed, and counts the one that must have been", async () => {
  const pulses = inputOf("pulses", { counter: { edge: "rising", start: 0, scale: 1 } });
  const { clock, pins, taken, source } = rig([pulses]);
  await clock.advance(0);
  pins.drive(DOOR, true);
  pins.drive(DOOR, false);
  pins.breakUnheard(DOOR, "I/O error");
  await clock.advance(SECOND);
  pins.putBack(DOOR);
  pins.driveUnheard(DOOR, true);
  await clock.advance(SECOND);
  assert.deepEqual(taken(), [
    [0, "Good", 0],
    [undefined, "BadNoCommunication", 1_000],
    [2, "UncertainLastUsableValue", 2_000],
  ]);
  await source.stop();
});

test("one input that fails takes no other with it", async () => {
  const { clock, pins, taken, source } = rig([inputOf("door"), inputOf("gate", { pin: METER })]);
  pins.breakUnheard(DOOR, "broken");
  await clock.advance(0);
  assert.deepEqual(
    taken().map(([, status]) => status),
    ["BadNoCommunication", "Good"],
  );
  await source.stop();
});

test("P7: a chattering input is told a bounded number of times a second, and then by its scans", async () => {
  const { clock, pins, taken, log, source } = rig([inputOf("door")]);
  await clock.advance(500);
  taken();
  for (let i = 0; i < 1_001; i++) pins.drive(DOOR, i % 2 === 0);
  assert.equal(taken().length, 100);
  await clock.advance(500);
  assert.deepEqual(taken(), [[true, "Good", 1_000]]);
  assert.equal(log.length, 1);
  assert.match(log[0] ?? "", /more than 100 changes a second/);
  await clock.advance(500);
  pins.drive(DOOR, false);
  assert.deepEqual(taken(), [[false, "Good", 1_500]]);
  await source.stop();
});

test("a disabled input is never opened", async () => {
  const { clock, pins, taken, source } = rig([inputOf("door", { enabled: false })]);
  await clock.advance(10 * SECOND);
  assert.equal(pins.holders(DOOR), 0);
  assert.deepEqual(taken(), []);
  await source.stop();
});

test("after stop the pins are free, no timer is left and nothing is told", async () => {
  const inputs = [inputOf("door", { debounceMs: 20 }), inputOf("gate", { pin: METER })];
  const { clock, pins, taken, source } = rig(inputs);
  await clock.advance(100);
  pins.takeAway(METER, "unplugged");
  pins.drive(DOOR, true);
  taken();
  const stopped = source.stop();
  pins.drive(DOOR, false);
  pins.drive(DOOR, true);
  await stopped;
  assert.equal(pins.holders(DOOR) + pins.holders(METER), 0);
  assert.equal(clock.pendingTimers(), 0);
  await clock.advance(10 * SECOND);
  assert.deepEqual(taken(), []);
});

test("a stop while a pin is being read ends with nothing told", async () => {
  const { slow, finishRead, quicken } = slowReads();
  const { clock, taken, source } = rig([inputOf("door")], slow);
  await clock.advance(0);
  const stopped = source.stop();
  quicken();
  finishRead(true);
  await stopped;
  assert.deepEqual(taken(), []);
  assert.equal(clock.pendingTimers(), 0);
});

test("a counter that stops in order counts the pulses that were still on their way to it, and tells nothing more", async () => {
  const counts = new MemoryState();
  let hasQueued = false;
  const late = (pins: SimulatedPins): PinDriver => ({
    async open(address, events) {
      const read = async () => {
        for (const level of hasQueued ? [true, false] : []) events.edge(level, 0);
        return false;
      };
      return { ...(await pins.open(address, events)), read };
    },
  });
  const energy = inputOf("energy", { counter: { edge: "rising", start: 0, scale: 1 } });
  const { clock, taken, source } = rig([energy], late, counts);
  await clock.advance(0);
  taken();
  hasQueued = true;
  await source.stop();
  assert.equal(counts.count("energy", 0).edges, 1);
  assert.deepEqual(taken(), []);
});

test("a stop while a pin is being opened waits for it and closes it", async () => {
  const { clock, pins, source } = rig([inputOf("door")]);
  await source.stop();
  assert.equal(pins.holders(DOOR), 0);
  assert.equal(clock.pendingTimers(), 0);
});
