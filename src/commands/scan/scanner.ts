/** Searches a line: asks unit after unit at setting after setting, and tells what it finds as it finds it. */
import type { SerialSettings } from "../../config/config.ts";
import { serialText } from "../../config/values.ts";
import type { Clock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import type { Bus } from "../../sources/modbus/bus.ts";
import type { BusOutcome } from "../../sources/modbus/bus-request.ts";
import { promising, type ScanStep, scanMs } from "../../sources/modbus/scan-plan.ts";
import type { Identity } from "./identify.ts";

export interface FoundDevice {
  readonly unitId: number;
  readonly serial: SerialSettings;
  readonly identity: Identity;
}

/** Where something answers. */
export interface Place {
  readonly unitId: number;
  readonly serial: SerialSettings;
}

export interface Progress {
  readonly serial: SerialSettings;
  readonly unitId: number;
  readonly asked: number;
  readonly toAsk: number;
  readonly leftMs: number;
  readonly found: number;
}

export interface ScanOptions {
  readonly steps: readonly ScanStep[];
  readonly responseTimeoutMs: number;
  /** Rejects with the reason in words. */
  readonly openBus: (serial: SerialSettings) => Promise<Bus>;
  readonly identify: (bus: Bus, unitId: number, signal: AbortSignal) => Promise<Identity>;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** The port cannot be opened any more: the scan ends with what was found. */
  readonly onLost?: (reason: string) => void;
  readonly onProgress: (progress: Progress) => void;
  /** It answers; what it is takes some seconds to find out. */
  readonly onAnswer?: (place: Place) => void;
  readonly onFound: (device: FoundDevice) => void;
}

export interface ScanResult {
  readonly found: readonly FoundDevice[];
  /** What cannot be understood. */
  readonly unclear: readonly Place[];
  /** False where it was stopped before its end. */
  readonly complete: boolean;
}

/** The forecast is believed alone until so many probes have been timed. */
const TIMED_MIN = 10;

export function scanLine(options: ScanOptions): Promise<ScanResult> {
  return new Scanner(options).run();
}

class Scanner {
  readonly #o: ScanOptions;
  readonly #found: FoundDevice[] = [];
  readonly #unclear: Place[] = [];
  readonly #toAsk: number;
  #left: readonly ScanStep[];
  #asked = 0;
  /** Of the probes so far: what was foretold, and what they took. */
  #foretoldMs = 0;
  #tookMs = 0;

  constructor(options: ScanOptions) {
    this.#o = options;
    this.#left = options.steps;
    this.#toAsk = options.steps.reduce((sum, { units }) => sum + units.length, 0);
  }

  async run(): Promise<ScanResult> {
    const { signal } = this.#o;
    for (let step = this.#next(); step !== undefined && !signal.aborted; step = this.#next()) {
      const bus = await this.#open(step);
      if (bus === undefined) return this.#result(false);
      try {
        await this.#search(bus, step);
      } finally {
        await bus.close();
      }
    }
    return this.#result(!signal.aborted);
  }

  /** A port that is gone amid a scan ends it with what was found; one that never opened is a mistake. */
  async #open({ serial }: ScanStep): Promise<Bus | undefined> {
    try {
      return await this.#o.openBus(serial);
    } catch (error) {
      if (this.#asked === 0) throw error;
      this.#o.onLost?.(messageOf(error));
      return undefined;
    }
  }

  #result(complete: boolean): ScanResult {
    return { found: this.#found, unclear: this.#unclear, complete };
  }

  #next(): ScanStep | undefined {
    const [step, ...rest] = promising(
      this.#left,
      this.#found.map(({ serial }) => serial),
    );
    this.#left = rest;
    return step;
  }

  async #search(bus: Bus, { serial, units }: ScanStep): Promise<void> {
    const { signal, clock } = this.#o;
    for (const [index, unitId] of units.entries()) {
      if (signal.aborted) return;
      this.#tell({ serial, units: units.slice(index) }, unitId);
      const beginMs = clock.monotonicMs();
      const outcome = await probe(bus, unitId);
      this.#asked += 1;
      if (outcome.kind === "closed") return;
      if (outcome.kind === "silence") {
        if (outcome.cause !== "timeout" && !signal.aborted) this.#unclear.push({ unitId, serial });
        this.#foretoldMs +=
          scanMs([{ serial, units: [unitId] }], this.#o.responseTimeoutMs) - scanMs([{ serial, units: [] }], 0);
        this.#tookMs += clock.monotonicMs() - beginMs;
        continue;
      }
      this.#o.onAnswer?.({ unitId, serial });
      const identity = await this.#o.identify(bus, unitId, signal);
      const device = { unitId, serial, identity };
      this.#found.push(device);
      this.#o.onFound(device);
    }
  }

  #tell(now: ScanStep, unitId: number): void {
    const foretoldMs = scanMs([now, ...this.#left], this.#o.responseTimeoutMs);
    const pace = this.#asked < TIMED_MIN || this.#foretoldMs === 0 ? 1 : this.#tookMs / this.#foretoldMs;
    this.#o.onProgress({
      serial: now.serial,
      unitId,
      asked: this.#asked,
      toAsk: this.#toAsk,
      leftMs: foretoldMs * pace,
      found: this.#found.length,
    });
  }
}

/** Any reply is presence, a refusal too. What is damaged is asked for once more. */
async function probe(bus: Bus, unitId: number): Promise<BusOutcome> {
  const request = { kind: "read", unitId, table: "holdingRegister", address: 0, quantity: 1 } as const;
  const outcome = await bus.execute(request);
  return outcome.kind === "silence" && outcome.cause !== "timeout" ? bus.execute(request) : outcome;
}

/** `9600 8N1, unit 3` */
export function placeText({ serial, unitId }: Place): string {
  return `${serialText(serial)}, unit ${unitId}`;
}
