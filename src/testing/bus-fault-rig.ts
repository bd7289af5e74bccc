/** Runs the faults of bus-faults.ts on a line, real or simulated. */
import assert from "node:assert/strict";
import type { LineConfig } from "../config/config.ts";
import { type Clock, sleep } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import { Bus } from "../sources/modbus/bus.ts";
import type { BusClosed } from "../sources/modbus/bus-request.ts";
import { PADDING_MAX_STEPS, type PollRead } from "../sources/modbus/poll-plan.ts";
import { ReadBook, type ReadEntry } from "../sources/modbus/read-book.ts";
import type { SerialLine } from "../sources/modbus/serial-line.ts";
import type { ReadOutcome } from "../sources/modbus/verdict.ts";
import type { Arrival, BusFault, Expected, FaultedRead, Frames, Timing } from "./bus-faults.ts";
import { Condition } from "./condition.ts";
import type { LineRig } from "./line-contract.ts";
import { deviceConfig, lineConfig } from "./modbus-config.ts";
import { ModbusDevice } from "./modbus-device.ts";
import { versionOf } from "./modbus-rig.ts";
import { type ModbusRequest, rtuFrame, takeRequest } from "./modbus-wire.ts";

export const UNIT = 1;

/** The two reads are of the same length, and far apart. At the first the request for coils has the form of its reply. */
export const FIRST_ADDRESS = 0x300;
export const NEXT_ADDRESS = 100;

/** Read at most from either address, padding included. */
const REACH = 64;

/** Reads after the fault, until one is answered. */
const NEXT_READS_MAX = 20;

const OPEN_ATTEMPTS = 20;
const OPEN_AGAIN_MS = 50;

export interface FaultTiming extends Timing {
  readonly responseTimeoutMs: number;
  /** Of the reads after the fault; absent: the same. */
  readonly nextTimeoutMs?: number;
  readonly maxLateMs: number;
}

export interface FaultResult {
  readonly expected: Expected;
  readonly got: string;
}

/**
 * One fault, then reads until one is right again. Whatever is read must be what the device held then, or this throws.
 * The line is closed before and after.
 */
export async function runFault(
  rig: LineRig,
  clock: Clock,
  read: FaultedRead,
  fault: BusFault,
  timing: FaultTiming,
): Promise<FaultResult> {
  const far = new FarEnd(rig, clock, read, fault, timing);
  const [first, next] = entries(read, timing.maxLateMs);
  const wait = { responseTimeoutMs: timing.responseTimeoutMs };
  const bus = openableBus(rig.line, clock, timing, wait);
  far.watchLine();
  await opened(bus, clock);
  const forget = fault.vanish === "during the write" ? vanishInWrite(rig) : () => undefined;
  if (fault.vanish === "before the write") await rig.unplug();
  const outcome = await bus.read(first.read, { quantity: first.read.quantity, alone: false });
  far.assertTrue(first.read, outcome);
  forget();
  if (fault.vanish === "after the reply") await rig.unplug();
  if (fault.vanish === undefined) await far.delivered();
  else await far.done();
  wait.responseTimeoutMs = timing.nextTimeoutMs ?? timing.responseTimeoutMs;
  if (fault.vanish !== undefined) {
    await bus.close();
    await rig.plugIn();
    await opened(bus, clock);
  }
  await readUntilRight(bus, clock, far, next);
  await bus.close();
  const got = outcome.kind === "exception" ? `exception ${outcome.exceptionCode}` : outcome.kind;
  return { expected: fault.expected, got };
}

/**
 * A helper process that is being started for another terminal holds what was open at that moment, and with it the lock
 * of this port, until it has become its own program.
 */
async function opened(bus: Bus, clock: Clock): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await bus.open();
    } catch (thrown) {
      if (attempt === OPEN_ATTEMPTS || !/in use/.test(messageOf(thrown))) throw thrown;
      await sleep(clock, OPEN_AGAIN_MS);
    }
  }
}

async function readUntilRight(bus: Bus, clock: Clock, far: FarEnd, entry: ReadEntry): Promise<void> {
  for (let reads = 0; reads < NEXT_READS_MAX; reads++) {
    const choice = bus.choose(entry);
    if (choice.kind === "wait") {
      await sleep(clock, choice.untilMs - clock.monotonicMs());
      continue;
    }
    const outcome = await bus.read(entry.read, choice);
    far.assertTrue(entry.read, outcome);
    if (outcome.kind === "data") return;
  }
  assert.fail("no read is answered any more");
}

/** The device and what spoils its first reply. */
export class FarEnd {
  readonly #device = new ModbusDevice(UNIT);
  readonly #rig: LineRig;
  readonly #clock: Clock;
  readonly #fault: BusFault;
  readonly #timing: Timing;
  readonly #table: FaultedRead["table"];
  #input = new Uint8Array(0);
  #first: Frames | undefined;
  #held: Uint8Array = new Uint8Array(0);
  #running: Promise<unknown> = Promise.resolve();
  readonly #condition: Condition;
  #sentBytes = 0;
  #deliveredBytes = 0;

  constructor(rig: LineRig, clock: Clock, read: FaultedRead, fault: BusFault, timing: Timing) {
    this.#rig = rig;
    this.#clock = clock;
    this.#table = read.table;
    this.#fault = fault;
    this.#timing = timing;
    this.#condition = new Condition(clock);
    rig.hear((bytes) => this.#receive(bytes));
  }

  /** Counts what the line hands over, from now on. */
  watchLine(): void {
    const { line } = this.#rig;
    const { onData } = line;
    line.onData = (bytes) => {
      this.#deliveredBytes += bytes.length;
      onData(bytes);
      this.#condition.changed();
    };
  }

  /** Resolves when the line has handed over all of the fault: what came later still would be another fault. */
  async delivered(): Promise<void> {
    await this.#condition.until("the first request is heard", () => this.#first !== undefined);
    await this.done();
    await this.#condition.until("the fault has arrived", () => this.#deliveredBytes >= this.#sentBytes);
  }

  /** Resolves when all of the fault is on the wire. */
  async done(): Promise<void> {
    await this.#running;
  }

  /** The data of the right reply to the last request. */
  get held(): Uint8Array {
    return this.#held;
  }

  assertTrue(read: PollRead, outcome: ReadOutcome | BusClosed): void {
    if (outcome.kind !== "data") return;
    assert.deepEqual(outcome.data, this.#held, `${this.#fault.name}: what was read of ${read.address} was not held`);
  }

  #receive(bytes: Uint8Array): void {
    this.#input = Uint8Array.of(...this.#input, ...bytes);
    for (let taken = takeRequest(this.#input); taken !== undefined; taken = takeRequest(this.#input)) {
      this.#input = Uint8Array.from(taken.rest);
      this.#running = this.#serve(taken.request);
    }
  }

  async #serve(request: ModbusRequest): Promise<void> {
    this.#device.requests += 1;
    this.#change();
    const pdu = this.#device.answer(request.pdu);
    this.#held = pdu.subarray(2);
    const frames = { request: request.adu, reply: rtuFrame(UNIT, pdu) };
    if (this.#first !== undefined) {
      const before = this.#fault.beforeNext?.(this.#first) ?? new Uint8Array(0);
      this.#rig.arrive(Uint8Array.of(...(this.#device.requests === 2 ? before : []), ...frames.reply));
      return;
    }
    this.#first = frames;
    this.#condition.changed();
    const { arrivals, vanish } = this.#fault;
    if (typeof vanish === "number") this.#rig.arrive(frames.reply.subarray(0, vanish));
    else if (vanish === undefined || vanish === "after the reply") {
      await this.#send(arrivals?.(frames, this.#timing) ?? [{ afterMs: 0, bytes: frames.reply }]);
    }
    if (typeof vanish === "number" || vanish === "before the reply") await this.#rig.unplug();
  }

  async #send(arrivals: readonly Arrival[]): Promise<void> {
    const beganMs = this.#clock.monotonicMs();
    for (const { afterMs, bytes } of arrivals) {
      const waitMs = beganMs + afterMs - this.#clock.monotonicMs();
      if (waitMs > 0) await sleep(this.#clock, waitMs);
      this.#sentBytes += bytes.length;
      if (bytes.length > 0) this.#rig.arrive(bytes);
    }
  }

  /** Every register tells where it is, and by which request it was read. */
  #change(): void {
    for (const first of [FIRST_ADDRESS, NEXT_ADDRESS]) {
      for (let address = first; address < first + REACH; address++) {
        const version = versionOf(address, this.#device.requests);
        this.#device.set(this.#table, address, this.#table === "coil" ? parity(version * 2_654_435) : version);
      }
    }
  }
}

/** The port goes while the request is handed over to it. */
function vanishInWrite({ line, unplug }: LineRig): () => void {
  const write = line.write.bind(line);
  line.write = async (bytes) => {
    const written = write(bytes);
    await unplug();
    await written;
  };
  return () => {
    line.write = write;
  };
}

/** `wait` is looked at anew for each request. */
function openableBus(
  line: SerialLine,
  clock: Clock,
  { maxLateMs }: FaultTiming,
  wait: Pick<LineConfig, "responseTimeoutMs">,
): Bus {
  const settled = lineConfig("/dev/faulty", [deviceConfig("d", UNIT, [], { maxLateMs })]);
  const config: LineConfig = {
    ...settled,
    get responseTimeoutMs() {
      return wait.responseTimeoutMs;
    },
  };
  const nothing = () => undefined;
  return new Bus({ line, config, clock, meters: new Map(), onLost: nothing, onSuspect: nothing });
}

function entries({ table, quantity }: FaultedRead, maxLateMs: number): readonly [ReadEntry, ReadEntry] {
  const device = deviceConfig("d", UNIT, [], { maxLateMs });
  const book = new ReadBook();
  const add = (address: number) =>
    book.add({
      device,
      table,
      address,
      quantity,
      periodMs: 1_000,
      tags: [],
      paddingSteps: PADDING_MAX_STEPS,
      paddingKnown: true,
    });
  return [add(FIRST_ADDRESS), add(NEXT_ADDRESS)];
}

function parity(value: number): number {
  let bits = value >>> 0;
  let odd = 0;
  for (; bits !== 0; bits &= bits - 1) odd ^= 1;
  return odd;
}
