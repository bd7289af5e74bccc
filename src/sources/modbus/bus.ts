/** One line's requests and replies: modbus-serial for the PDUs, our port for the frames, the reply book for what is true. */
import modbusSerial from "modbus-serial";
import type { LineConfig } from "../../config/config.ts";
import { type Clock, sleep } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import {
  assertRequest,
  type BusClosed,
  type BusOutcome,
  type BusRequest,
  isMirrored,
  pageWrite,
  type ReadRequest,
  type RegisterWrite,
} from "./bus-request.ts";
import type { Skipped } from "./frame-scanner.ts";
import type { DeviceMeter, StrayMeter } from "./line-meter.ts";
import { type Exchange, ModbusPort } from "./modbus-port.ts";
import type { PollRead } from "./poll-plan.ts";
import type { ReadEntry } from "./read-book.ts";
import { type Ask, type ReadPlace, ReplyBook, type Wait } from "./reply-book.ts";
import { exceptionCodeOf } from "./reply-frame.ts";
import { writeRequest } from "./request-writer.ts";
import type { SerialLine } from "./serial-line.ts";
import type { ReadOutcome } from "./verdict.ts";

export interface BusOptions {
  readonly line: SerialLine;
  readonly config: LineConfig;
  readonly clock: Clock;
  /** By unit id: the devices of this line. */
  readonly meters: ReadonlyMap<number, DeviceMeter>;
  /** Of the line: what belongs to none of them. */
  readonly strayMeter?: StrayMeter;
  readonly onLost: (reason: string) => void;
  /** Replies of this unit come that no request explains: from now on it is asked with more care, and less often. */
  readonly onSuspect: (unitId: number) => void;
}

/** Reads of one register, to hear whether the adapter hears itself. */
const LISTENING_READS_MAX = 2;

type Reply = Exclude<Exchange, { readonly kind: "closed" }>;

export class Bus {
  readonly #client: InstanceType<typeof modbusSerial.default>;
  readonly #port: ModbusPort;
  readonly #clock: Clock;
  readonly #replies: ReplyBook;
  readonly #meters: ReadonlyMap<number, DeviceMeter>;
  readonly #strayMeter: StrayMeter | undefined;
  readonly #onSuspect: (unitId: number) => void;
  #askedUnitId: number | undefined;

  constructor({ line, config, clock, meters, strayMeter, onLost, onSuspect }: BusOptions) {
    this.#clock = clock;
    this.#replies = new ReplyBook(config);
    this.#meters = meters;
    this.#strayMeter = strayMeter;
    this.#onSuspect = onSuspect;
    this.#port = new ModbusPort(line, config, clock);
    this.#port.onSkipped = (skipped) => this.#count(skipped);
    this.#port.onLost = onLost;
    this.#client = new modbusSerial.default(this.#port);
  }

  /** Rejects with the reason in words. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#client.open((thrown: unknown) => (thrown ? reject(new Error(messageOf(thrown))) : resolve()));
    });
  }

  close(): Promise<void> {
    return new Promise((resolve) => this.#client.close(() => resolve()));
  }

  /** How much to ask for now, so that no reply to another request can be taken for the answer. */
  choose(entry: ReadEntry): Ask | Wait {
    return this.#replies.choose(entry, this.#clock.monotonicMs());
  }

  /** One request, behind its write where it needs one, and what came of it. Data begins at the read's address. */
  async read(read: PollRead, { quantity, alone }: Pick<Ask, "quantity" | "alone">): Promise<ReadOutcome | BusClosed> {
    const { device, table, address } = read;
    const page = pageWrite(read);
    const unpaged = page === undefined ? undefined : await this.#turnTo(page);
    if (unpaged !== undefined) return unpaged;
    const place = page === undefined ? `${address}` : `${page.address}=${page.value} ${address}`;
    return this.#read({ kind: "read", unitId: device.unitId, table, address, quantity }, { place, alone });
  }

  /** From when on no reply to an earlier request can be taken for that to this one. */
  clearAtMs(request: BusRequest, nowMs: number): number {
    return this.#replies.clearAtMs(request, nowMs);
  }

  /**
   * Any request, once, and what came of it. It waits until it is clear, `maxLate` at the longest; who has something
   * else to do meanwhile asks clearAtMs before. One at a time, as reads.
   */
  async execute(request: BusRequest): Promise<BusOutcome> {
    assertRequest(request);
    const unheard = isMirrored(request) ? await this.#listen(request) : undefined;
    if (unheard !== undefined) return unheard;
    await this.#untilClear(request);
    return request.kind === "read" ? this.#read(request) : this.#change(request);
  }

  async #read(request: ReadRequest, place = outOfTurn(request)): Promise<ReadOutcome | BusClosed> {
    const outset = this.#replies.outset(request, this.#clock.monotonicMs());
    return this.#replies.settleRead(request, place, outset, await this.#exchange(request));
  }

  /** Writes what a read needs before it; undefined: it may be read. */
  async #turnTo(page: RegisterWrite): Promise<ReadOutcome | BusClosed | undefined> {
    const outcome = await this.execute(page);
    if (outcome.kind === "exception" || outcome.kind === "silence") return { ...outcome, writing: true };
    return outcome.kind === "closed" ? outcome : undefined;
  }

  async #change(request: Exclude<BusRequest, ReadRequest>): Promise<BusOutcome> {
    const outset = this.#replies.outset(request, this.#clock.monotonicMs());
    return this.#replies.settle(request, outset, await this.#exchange(request));
  }

  /**
   * Where the reply is equal to the request, it must be known before whether the adapter hears itself. A read of the
   * same place tells; what does not answer a read is not written to.
   */
  async #listen(request: BusRequest & { readonly address?: number }): Promise<BusOutcome | undefined> {
    const table = request.kind === "writeCoil" ? "coil" : "holdingRegister";
    const read: ReadRequest = {
      kind: "read",
      unitId: request.unitId,
      table,
      address: request.address ?? 0,
      quantity: 1,
    };
    for (let reads = 0; this.#port.hearsItself === undefined; reads++) {
      if (reads === LISTENING_READS_MAX) return { kind: "silence", cause: "framing", atMs: this.#clock.monotonicMs() };
      await this.#untilClear(read);
      const outcome = await this.#read(read);
      if (outcome.kind === "silence" || outcome.kind === "closed") return outcome;
    }
    return undefined;
  }

  async #untilClear(request: BusRequest): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const waitMs = this.clearAtMs(request, nowMs) - nowMs;
    if (waitMs > 0) await sleep(this.#clock, waitMs);
  }

  /** The frame on the wire and what came back, counted. */
  async #exchange(request: BusRequest): Promise<Exchange> {
    const meter = this.#meters.get(request.unitId);
    if (meter !== undefined) meter.requests += 1;
    this.#askedUnitId = request.unitId;
    let refused = false;
    const exchange = await this.#port.exchange(() => {
      writeRequest(this.#client, this.#port, request, (thrown) => {
        refused = isRefusal(thrown);
      });
    });
    const { atMs } = exchange;
    if (exchange.kind === "closed") return exchange;
    const reply: Reply = refused ? { kind: "silence", cause: "framing", atMs } : exchange;
    if (reply.kind === "silence") meter?.silent(reply.cause);
    else {
      meter?.replied(reply.tookMs);
      if (meter !== undefined && exceptionCodeOf(reply.frame) !== undefined) meter.exceptions += 1;
    }
    return reply;
  }

  /** A frame of a device of this line that nobody waits for is late; any other one is foreign. */
  #count({ strays, noiseBytes }: Skipped): void {
    if (this.#strayMeter !== undefined) {
      this.#strayMeter.noiseBytes += noiseBytes;
      this.#strayMeter.foreignFrames += strays.filter(({ unitId }) => !this.#meters.has(unitId)).length;
    }
    for (const stray of strays) {
      const own = this.#meters.get(stray.unitId);
      const asked = this.#meters.get(this.#askedUnitId ?? 0);
      if (own !== undefined) own.lateFrames += 1;
      else if (asked !== undefined) asked.foreignFrames += 1;
      if (this.#replies.overhear(stray, this.#clock.monotonicMs())) this.#onSuspect(stray.unitId);
    }
  }
}

/** What such a read was told is no tag's value: it has its own place. */
function outOfTurn({ address }: ReadRequest): ReadPlace {
  return { place: `out of turn ${address}`, alone: false };
}

/** modbus-serial found something wrong with a frame that we took for the answer; exceptions are no such thing. */
function isRefusal(thrown: unknown): boolean {
  return typeof thrown === "object" && thrown !== null && !("modbusCode" in thrown);
}
