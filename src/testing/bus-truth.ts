/**
 * The proof of P5 on a whole line: random faults, other units talking, another master reading and writing, and every
 * Good value held against what its register held between request and reply. In virtual time, from one seed.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import type { Reading } from "../pipeline.ts";
import { deviceConfig } from "./modbus-config.ts";
import { type Faults, ModbusDevice } from "./modbus-device.ts";
import { modbusRig, registers } from "./modbus-rig.ts";
import { rtuFrame } from "./modbus-wire.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface TruthReport {
  readonly runs: number;
  readonly requests: number;
  readonly good: number;
  /** Requests whose reply was spoiled in some way. */
  readonly spoiled: number;
}

export interface TruthOptions {
  /** Absent: drawn anew, and told where it fails. */
  readonly seed?: number;
  /** At least so many requests in sum. */
  readonly requests: number;
  readonly tell?: (report: TruthReport) => void;
}

const OTHER_UNIT = 77;
const RUN_MS = 30_000;

/** So many requests at least come of one run, whatever is drawn. */
const REQUESTS_PER_RUN_MIN = 100;

/** A reply may come so much later than its request; responseTimeout and maxLate, less the time on the wire. */
const LATEST_MS = 1_250;
const LATEST_SECOND_MS = 950;

/** A third goes right. */
const fault: fc.Arbitrary<Faults> = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Faults>({}) },
  fc.constant<Faults>({ silent: true }),
  fc.integer({ min: 1, max: LATEST_MS }).map((delayMs): Faults => ({ delayMs })),
  fc.integer({ min: 1, max: 11 }).map((exceptionCode): Faults => ({ exceptionCode })),
  fc
    .tuple(fc.integer({ min: 1, max: LATEST_MS }), fc.integer({ min: 1, max: 11 }))
    .map(([delayMs, exceptionCode]): Faults => ({ delayMs, exceptionCode })),
  fc.integer({ min: 1, max: 12 }).map((truncateBytes): Faults => ({ truncateBytes })),
  fc.nat(300).map((flipBit): Faults => ({ flipBit })),
  fc.record({ bit: fc.nat(300), pattern: fc.integer({ min: 1, max: 0xffff }) }).map((burst): Faults => ({ burst })),
  fc.integer({ min: 0, max: LATEST_SECOND_MS }).map((duplicateAfterMs): Faults => ({ duplicateAfterMs })),
  fc.constant<Faults>({ replyUnitId: OTHER_UNIT }),
  fc.constant<Faults>({ echo: true }),
  fc.uint8Array({ minLength: 1, maxLength: 12 }).map((noise): Faults => ({ noise })),
  fc.constant<Faults>({ alter: (pdu) => Uint8Array.of(pdu[0] ?? 0, (pdu[1] ?? 0) - 2, ...pdu.subarray(2, -2)) }),
);

/** Where the tags of a device lie. */
const PLACES = [[0, 1, 2], [60, 61, 62], [120]];

/** What else happens on the line, after a pause. */
const event = fc.record({
  afterMs: fc.integer({ min: 1, max: 400 }),
  kind: fc.constantFrom(
    "local change",
    "other master's write",
    "other master's read",
    "other unit's exchange",
    "noise",
  ),
  unit: fc.constantFrom(1, 2),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }),
  address: fc.constantFrom(...PLACES.map(([first = 0]) => first)),
  quantity: fc.integer({ min: 1, max: 5 }),
  answerAfterMs: fc.integer({ min: 1, max: 100 }),
});
type LineEvent = typeof event extends fc.Arbitrary<infer T> ? T : never;

const site = fc.record({
  faults: fc.array(fault, { minLength: 40, maxLength: 200 }),
  events: fc.array(event, { maxLength: 60 }),
  chunkBytes: fc.constantFrom(1, 3, 8, undefined),
  scanRateMs: fc.constantFrom(50, 150, 400),
  maxQuantity: fc.constantFrom(3, 5, 125),
});
type Site = typeof site extends fc.Arbitrary<infer T> ? T : never;

/** Throws with a seed and a path that replay it at the first value that was not held. */
export async function proveBusTruth({ requests, tell, ...replay }: TruthOptions): Promise<TruthReport> {
  const sum = { runs: 0, requests: 0, good: 0, spoiled: 0 };
  await fc.assert(
    fc.asyncProperty(site, async (drawn) => {
      if (sum.requests >= requests) return;
      const run = await liveThrough(drawn);
      sum.runs += 1;
      sum.requests += run.requests;
      sum.good += run.good;
      sum.spoiled += run.spoiled;
      tell?.(sum);
    }),
    { ...replay, numRuns: Math.ceil(requests / REQUESTS_PER_RUN_MIN) },
  );
  return sum;
}

async function liveThrough(drawn: Site): Promise<Omit<TruthReport, "runs">> {
  const plants = [1, 2].map((unitId) => new Plant(unitId, PLACES.flat()));
  let at = 0;
  for (const plant of plants) plant.faults = () => drawn.faults[at++ % drawn.faults.length] ?? {};
  const configs = plants.map(({ device: { unitId } }) => {
    const tags = PLACES.flatMap(([first = 0, ...rest]) =>
      registers(`d${unitId}`, first, rest.length + 1, { scanRateMs: drawn.scanRateMs }),
    );
    return deviceConfig(`d${unitId}`, unitId, tags, { maxGap: 0, maxQuantity: drawn.maxQuantity });
  });
  let good = 0;
  const wrong: string[] = [];
  const witness = ({ tag, value, status }: Reading) => {
    if (status !== "Good") return;
    good += 1;
    const plant = plants.find(({ device }) => tag.device === `d${device.unitId}`);
    const held = plant?.heldSinceRequest(Number(tag.name.slice(1))) ?? [];
    if (typeof value === "number" && held.includes(value)) return;
    wrong.push(`${tag.id} was never ${value} since it was asked, ${clock.monotonicMs()} ms after the start`);
  };
  const { clock, line, end } = modbusRig(
    plants.map(({ device }) => device),
    configs,
    { witness, ...(drawn.chunkBytes === undefined ? {} : { chunkBytes: drawn.chunkBytes }) },
  );
  happen(clock, drawn.events, (next) => {
    const plant = plants.find(({ device }) => device.unitId === next.unit);
    if (plant !== undefined) onEvent(next, plant, { clock, arrive: (bytes) => line.arrive(bytes) });
  });
  await clock.advance(RUN_MS);
  await end();
  assert.deepEqual(wrong, []);
  const total = (of: (plant: Plant) => number) => plants.reduce((sum, plant) => sum + of(plant), 0);
  return { good, requests: total(({ device }) => device.requests), spoiled: total((plant) => plant.spoiled) };
}

/** A device each of whose registers changes with every request, and with every change from elsewhere. */
class Plant {
  readonly device: ModbusDevice;
  faults: () => Faults = () => ({});
  spoiled = 0;
  readonly #addresses: readonly number[];
  #version = 0;
  #askedAt = 0;

  constructor(unitId: number, addresses: readonly number[]) {
    this.#addresses = addresses;
    this.device = new ModbusDevice(unitId);
    this.device.faults = () => {
      this.change();
      this.#askedAt = this.#version;
      const faults = this.faults();
      if (Object.keys(faults).length > 0) this.spoiled += 1;
      return faults;
    };
  }

  change(): void {
    this.#version += 1;
    for (const address of this.#addresses) this.device.set("holdingRegister", address, valueAt(address, this.#version));
  }

  heldSinceRequest(address: number): readonly number[] {
    const versions = Array.from({ length: this.#version - this.#askedAt + 1 }, (_, i) => this.#askedAt + i);
    return versions.map((version) => valueAt(address, version));
  }
}

/** No two of some thousand versions of a register are alike, and none is that of its neighbour. */
function valueAt(address: number, version: number): number {
  return (address * 2_357 + version * 7_919) & 0xffff;
}

function happen(clock: VirtualClock, events: readonly LineEvent[], now: (event: LineEvent) => void): void {
  let atMs = 0;
  for (const next of events) {
    atMs += next.afterMs;
    clock.after(atMs, () => now(next));
  }
}

interface Wire {
  readonly clock: VirtualClock;
  readonly arrive: (bytes: Uint8Array) => void;
}

function onEvent(next: LineEvent, plant: Plant, { clock, arrive }: Wire): void {
  const { kind, bytes, address, quantity, answerAfterMs } = next;
  const { unitId } = plant.device;
  switch (kind) {
    case "local change":
      plant.change();
      break;
    case "other master's write":
      plant.change();
      arrive(rtuFrame(unitId, Uint8Array.of(16, 0, 0, 0, 1, 2, 1, 2)));
      arrive(rtuFrame(unitId, Uint8Array.of(16, 0, 0, 0, 1)));
      break;
    case "other master's read": {
      const request = Uint8Array.of(3, 0, address, 0, quantity);
      arrive(rtuFrame(unitId, request));
      clock.after(answerAfterMs, () => arrive(rtuFrame(unitId, plant.device.answer(request))));
      break;
    }
    case "other unit's exchange":
      arrive(rtuFrame(OTHER_UNIT, Uint8Array.of(3, 0, 0, 0, 3)));
      arrive(rtuFrame(OTHER_UNIT, Uint8Array.of(3, 6, 1, 2, 3, 4, 5, 6)));
      break;
    case "noise":
      arrive(bytes);
      break;
  }
}
