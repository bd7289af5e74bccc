/**
 * The port object that modbus-serial writes its requests to. The library would take whatever arrives for the answer;
 * this port owns the framing: one request at a time, silence before it, old input thrown away, and exactly one checked
 * frame handed back, or none.
 */
import { EventEmitter } from "node:events";
import type { LineConfig } from "../../config/config.ts";
import { type Clock, reach, type Timer } from "../../core/clock.ts";
import { assert, messageOf } from "../../core/errors.ts";
import { answerBytes, type Expectation, expectationOf, FRAME_MAX_BYTES, replyBytesMax } from "./expectation.ts";
import { type Skipped, scanFrames } from "./frame-scanner.ts";
import type { SerialLine } from "./serial-line.ts";
import { pauseMs, silentIntervalMs, transferMaxMs, transferMs } from "./wire-time.ts";

/** USB adapters hand over what they received up to this much later (FTDI's latency timer is 16 ms). */
const ADAPTER_LATENCY_MS = 20;

/** A busy board or adapter may hold a request up for so long; one that holds it longer is frozen. */
const WRITE_STALL_MAX_MS = 1_000;

/**
 * While the rest of a reply passes on the wire the line need not be looked at: until so much before its end, and only
 * where that spares more than a look or two.
 */
const REST_ENDS_EARLY_MS = 2;
const REST_MIN_MS = 2;

/** Input kept while a frame is looked for; a line that babbles more is noise. */
const INPUT_MAX_BYTES = 4 * FRAME_MAX_BYTES;

/** Why there was no answer: nothing came, a reply with a wrong checksum, or only something else. */
export type Silence = "timeout" | "crc" | "framing";

export type Exchange =
  /** The frame was emitted before; tookMs from the end of the request to the end of the reply. */
  | { readonly kind: "frame"; readonly frame: Uint8Array; readonly atMs: number; readonly tookMs: number }
  | { readonly kind: "silence"; readonly cause: Silence; readonly atMs: number }
  /** The port is gone, or was closed. */
  | { readonly kind: "closed"; readonly reason: string; readonly atMs: number };

interface Running {
  expected: Expectation;
  readonly settle: (exchange: Exchange) => void;
  /** undefined: the request is not on the wire yet, nothing can be its answer. */
  sentAtMs: number | undefined;
  /** Set at responseTimeout: only a frame that begins within these bytes of the input came in time. */
  inTimeBytes: number;
  crcErrors: number;
  noiseBytes: number;
  timeout: Timer | undefined;
  quiet: Timer | undefined;
  rest: Timer | undefined;
}

export class ModbusPort extends EventEmitter {
  /** Told what was passed over, asked for or not. */
  onSkipped: (skipped: Skipped) => void = () => undefined;
  /** The port ended by itself, or takes nothing any more. */
  onLost: (reason: string) => void = () => undefined;
  readonly #line: SerialLine;
  readonly #config: LineConfig;
  readonly #clock: Clock;
  #open = false;
  #hearsItself: boolean | undefined;
  #input: Uint8Array = new Uint8Array(0);
  /** When the last byte was on the wire. */
  #busyAtMs = Number.NEGATIVE_INFINITY;
  #running: Running | undefined;
  /** Waits for modbus-serial to write its request. */
  #settle: ((exchange: Exchange) => void) | undefined;

  constructor(line: SerialLine, config: LineConfig, clock: Clock) {
    super();
    this.#line = line;
    this.#config = config;
    this.#clock = clock;
    line.onData = (bytes) => this.#receive(bytes);
    line.onLost = (reason) => {
      this.#end(reason);
      this.onLost(reason);
    };
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** Whether the adapter hears itself; undefined while no reply has told. */
  get hearsItself(): boolean | undefined {
    return this.#hearsItself;
  }

  /** For modbus-serial. */
  open(callback: (error?: Error) => void): void {
    this.#line.open().then(
      () => {
        this.#open = true;
        this.#hearsItself = undefined;
        this.#input = new Uint8Array(0);
        callback();
      },
      (thrown: unknown) => callback(new Error(messageOf(thrown))),
    );
  }

  /** For modbus-serial. */
  close(callback: (error?: Error) => void): void {
    this.#end("the port was closed");
    this.#line.close().then(
      () => callback(),
      (thrown: unknown) => callback(new Error(messageOf(thrown))),
    );
  }

  /** For modbus-serial, which calls it within `exchange`. */
  write(request: Uint8Array): void {
    assert(this.#settle !== undefined, "a request outside an exchange");
    const running: Running = {
      expected: this.#expectation(Uint8Array.from(request)),
      settle: this.#settle,
      sentAtMs: undefined,
      inTimeBytes: Number.POSITIVE_INFINITY,
      crcErrors: 0,
      noiseBytes: 0,
      timeout: undefined,
      quiet: undefined,
      rest: undefined,
    };
    this.#settle = undefined;
    this.#running = running;
    void this.#send(running);
  }

  /**
   * One request and what came of it.
   *
   * @param send makes modbus-serial write one request to read
   */
  exchange(send: () => void): Promise<Exchange> {
    assert(this.#running === undefined && this.#settle === undefined, "two requests at a time on one line");
    return new Promise((resolve) => {
      if (!this.#open) {
        resolve({ kind: "closed", reason: "the port is closed", atMs: this.#clock.monotonicMs() });
        return;
      }
      this.#settle = resolve;
      send();
      assert(this.#settle === undefined, "modbus-serial did not write its request");
    });
  }

  /** A reply that is equal to its request can be told from the echo only where it is known whether there is one. */
  #expectation(request: Uint8Array): Expectation {
    const expected = expectationOf(request);
    if (expected.form.kind !== "same") return expected;
    assert(this.#hearsItself !== undefined, "a write of one value before any reply");
    return { ...expected, echoes: this.#hearsItself ? 1 : 0 };
  }

  async #send(running: Running): Promise<void> {
    try {
      await this.#silence(running);
      if (this.#running !== running) return;
      this.#discardInput();
      running.sentAtMs = this.#clock.monotonicMs();
      this.#busyUntil(running.sentAtMs + transferMs(this.#config.serial, running.expected.request.length));
      await this.#line.write(running.expected.request);
    } catch (thrown) {
      if (this.#running === running) this.#end(messageOf(thrown));
      return;
    }
    if (this.#running !== running) return;
    running.timeout?.cancel();
    running.sentAtMs = this.#clock.monotonicMs();
    this.#busyUntil(running.sentAtMs);
    running.timeout = this.#clock.after(this.#config.responseTimeoutMs, () => this.#responseTimeout(running));
  }

  #writeLimitMs({ expected }: Running): number {
    const { serial, responseTimeoutMs } = this.#config;
    return transferMaxMs(serial, expected.request.length) + responseTimeoutMs + WRITE_STALL_MAX_MS;
  }

  /** The write itself may never come to an end, so nobody waits for it. */
  #writeTimeout(): void {
    const reason = `${this.#config.path} does not send what is written to it: unplug the adapter and plug it in again`;
    this.#end(reason);
    this.onLost(reason);
  }

  /**
   * Keeps t3.5 between frames. What came meanwhile, or was still held by the host, tells that the line was not silent. A
   * line that never is will be written to all the same, after a limit.
   */
  async #silence(running: Running): Promise<void> {
    const silenceMs = pauseMs(this.#config);
    const limitMs = this.#clock.monotonicMs() + silenceMs + this.#config.responseTimeoutMs;
    for (;;) {
      const untilMs = Math.min(this.#busyAtMs + silenceMs, limitMs);
      if (untilMs > this.#clock.monotonicMs()) await reach(this.#clock, untilMs);
      if (this.#running !== running) return;
      running.timeout ??= this.#clock.after(this.#writeLimitMs(running), () => this.#writeTimeout());
      await this.#line.discardInput();
      if (this.#running !== running || this.#busyAtMs + silenceMs <= untilMs || untilMs === limitMs) return;
    }
  }

  /** What looks like the answer may be there before the request has left: the silence begins after both. */
  #busyUntil(atMs: number): void {
    this.#busyAtMs = Math.max(this.#busyAtMs, atMs);
  }

  #receive(bytes: Uint8Array): void {
    this.#busyUntil(this.#clock.monotonicMs());
    this.#input = joined(this.#input, bytes);
    if (this.#input.length > INPUT_MAX_BYTES) this.#consume(this.#input.length - INPUT_MAX_BYTES);
    const running = this.#running;
    if (running?.sentAtMs === undefined) return;
    running.quiet?.cancel();
    running.quiet = undefined;
    if (this.#search(running, false) || this.#input.length === 0) return;
    const quietMs = Math.max(silentIntervalMs(this.#config.serial), ADAPTER_LATENCY_MS);
    running.quiet = this.#clock.after(this.#rest(running) + quietMs, () => this.#search(running, true));
  }

  /** Looks away while what is missing of a reply that has begun cannot have come. Returns for how long. */
  #rest(running: Running): number {
    const missingBytes = (answerBytes(this.#input, running.expected, false) ?? 0) - this.#input.length;
    const restMs = transferMs(this.#config.serial, missingBytes) - REST_ENDS_EARLY_MS;
    if (running.rest !== undefined || restMs < REST_MIN_MS || !Number.isFinite(restMs)) return 0;
    this.#line.pause();
    running.rest = this.#clock.after(restMs, () => this.#line.resume());
    return restMs;
  }

  /** Looks for the answer and settles with it. */
  #search(running: Running, ended: boolean): boolean {
    for (;;) {
      const { frame, start, consumed, skipped } = scanFrames(this.#input, running.expected, ended);
      // What is incomplete after a silence may be an answer whose rest the adapter still holds.
      if (frame === undefined && ended) return false;
      const inTime = start < running.inTimeBytes;
      this.#consume(consumed);
      this.#tell(skipped);
      if (frame === undefined) return false;
      if (inTime) {
        this.#answer(running, frame);
        return true;
      }
      const { unitId, functionCode } = running.expected;
      // That this request is late is told by its own outcome.
      this.#tell({ echoes: 0, strays: [{ unitId, functionCode, byteCount: undefined }], crcErrors: 0, noiseBytes: 0 });
    }
  }

  #answer(running: Running, frame: Uint8Array): void {
    const atMs = this.#clock.monotonicMs();
    // Of a spoiled echo only noise is left, so a reply with noise before it tells nothing.
    if (running.crcErrors + running.noiseBytes === 0) this.#hearsItself ??= false;
    this.#finish(running);
    this.emit("data", Buffer.from(frame));
    running.settle({ kind: "frame", frame, atMs, tookMs: atMs - (running.sentAtMs ?? atMs) });
  }

  /** A reply that has begun may end; none may begin any more. */
  #responseTimeout(running: Running): void {
    if (this.#input.length === 0) {
      this.#giveUp(running);
      return;
    }
    running.inTimeBytes = this.#input.length;
    const replyMs = transferMaxMs(this.#config.serial, replyBytesMax(running.expected));
    running.timeout = this.#clock.after(replyMs + ADAPTER_LATENCY_MS, () => this.#giveUp(running));
  }

  #giveUp(running: Running): void {
    if (this.#search(running, true)) return;
    this.#discardInput();
    this.#finish(running);
    const cause = running.crcErrors > 0 ? "crc" : running.noiseBytes > 0 ? "framing" : "timeout";
    running.settle({ kind: "silence", cause, atMs: this.#clock.monotonicMs() });
  }

  #end(reason: string): void {
    this.#open = false;
    const running = this.#running;
    if (running === undefined) return;
    this.#finish(running);
    running.settle({ kind: "closed", reason, atMs: this.#clock.monotonicMs() });
  }

  #finish(running: Running): void {
    running.timeout?.cancel();
    running.quiet?.cancel();
    running.rest?.cancel();
    this.#running = undefined;
    this.#line.resume();
  }

  /** Throws away what is left, but counts what it was. */
  #discardInput(): void {
    const running = this.#running;
    const asked = running?.sentAtMs === undefined ? undefined : running.expected;
    const { skipped } = scanFrames(this.#input, asked, true);
    this.#consume(this.#input.length);
    this.#tell(skipped);
  }

  #consume(bytes: number): void {
    this.#input = this.#input.subarray(bytes);
    if (this.#running !== undefined) this.#running.inTimeBytes -= bytes;
  }

  #tell(skipped: Skipped): void {
    const { echoes, strays, crcErrors, noiseBytes } = skipped;
    const running = this.#running;
    if (running?.sentAtMs !== undefined) {
      running.crcErrors += crcErrors;
      running.noiseBytes += noiseBytes;
      if (echoes > 0) {
        running.expected = { ...running.expected, echoes: running.expected.echoes - echoes };
        this.#hearsItself = true;
      }
    }
    if (echoes + strays.length + crcErrors + noiseBytes > 0) this.onSkipped(skipped);
  }
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  if (head.length === 0) return tail;
  const both = new Uint8Array(head.length + tail.length);
  both.set(head);
  both.set(tail, head.length);
  return both;
}
