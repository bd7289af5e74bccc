/** Counters of a line and its devices, for the report. */
import type { DeviceReport } from "../../pipeline.ts";
import type { Silence } from "./modbus-port.ts";
import { ResponseTimes } from "./response-times.ts";

/** Utilisation is that of the last whole window. */
const WINDOW_MS = 10_000;

/** Weight of the newest response time in the average. */
const RESPONSE_TIME_WEIGHT = 1 / 8;

/** What arrives on a line and belongs to none of its devices. */
export class StrayMeter {
  /** Frames of units that are not configured here. */
  foreignFrames = 0;
  /** Bytes of no frame at all. */
  noiseBytes = 0;
}

export class DeviceMeter {
  requests = 0;
  replies = 0;
  timeouts = 0;
  crcErrors = 0;
  framingErrors = 0;
  foreignFrames = 0;
  lateFrames = 0;
  exceptions = 0;
  readonly #responseTimes = new ResponseTimes();
  #responseTimeMs: number | undefined;

  replied(responseTimeMs: number): void {
    this.replies += 1;
    this.#responseTimes.add(responseTimeMs);
    const averageMs = this.#responseTimeMs ?? responseTimeMs;
    this.#responseTimeMs = averageMs + (responseTimeMs - averageMs) * RESPONSE_TIME_WEIGHT;
  }

  silent(cause: Silence): void {
    if (cause === "timeout") this.timeouts += 1;
    else if (cause === "crc") this.crcErrors += 1;
    else this.framingErrors += 1;
  }

  /** Running average; 0 before the first reply. */
  get responseTimeMs(): number {
    return tenths(this.#responseTimeMs ?? 0);
  }

  report(name: string, lost: boolean): DeviceReport {
    const { requests, replies, timeouts, crcErrors, framingErrors, foreignFrames, lateFrames, exceptions } = this;
    return {
      name,
      requests,
      replies,
      timeouts,
      crcErrors,
      framingErrors,
      foreignFrames,
      lateFrames,
      exceptions,
      responseTimeMs: this.responseTimeMs,
      responseTimeP50Ms: tenths(this.#responseTimes.percentileMs(0.5)),
      responseTimeP99Ms: tenths(this.#responseTimes.percentileMs(0.99)),
      lost,
    };
  }
}

/** Share of the time in which the line is taken, the silence after each frame included. */
export class BusyMeter {
  readonly #pauseMs: number;
  #windowFromMs: number;
  #busyMs = 0;
  #takenUntilMs = Number.NEGATIVE_INFINITY;
  #lastPercent: number | undefined;

  /** @param pauseMs the line belongs to a transaction for so long after its end */
  constructor(pauseMs: number, nowMs: number) {
    this.#pauseMs = pauseMs;
    this.#windowFromMs = nowMs;
  }

  /** A transaction that was begun, with the wait for silence before it, and ended. */
  busy(beginMs: number, endMs: number): void {
    this.#roll(endMs);
    const untilMs = endMs + this.#pauseMs;
    this.#busyMs += untilMs - Math.max(beginMs, this.#takenUntilMs);
    this.#takenUntilMs = untilMs;
  }

  /** Percent of the last whole window, or of the first one so far. */
  percent(nowMs: number): number {
    this.#roll(nowMs);
    return this.#lastPercent ?? share(this.#busyMs, nowMs - this.#windowFromMs);
  }

  #roll(nowMs: number): void {
    const elapsedMs = nowMs - this.#windowFromMs;
    if (elapsedMs < WINDOW_MS) return;
    this.#lastPercent = share(this.#busyMs, elapsedMs);
    this.#windowFromMs = nowMs;
    this.#busyMs = 0;
  }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function share(busyMs: number, elapsedMs: number): number {
  return elapsedMs <= 0 ? 0 : Math.min(100, Math.round((busyMs / elapsedMs) * 1_000) / 10);
}
