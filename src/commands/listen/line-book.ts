/** What was heard on a line, by unit. */
import type { Overheard } from "../../sources/modbus/overhearing.ts";
import { type Asked, askedOf } from "./frame-words.ts";

/** Different requests kept of one unit; a master that walks through all registers asks more. */
const REQUESTS_MAX = 200;

interface RequestRow {
  readonly asked: Asked;
  times: number;
  firstMs: number;
  lastMs: number;
}

export interface UnitRow {
  readonly unitId: number;
  asked: number;
  answered: number;
  refused: number;
  silent: number;
  damaged: number;
  /** Sum and greatest of the replies' times. */
  tookMs: number;
  tookMaxMs: number;
  readonly requests: Map<string, RequestRow>;
}

export class LineBook {
  readonly #units = new Map<number, UnitRow>();
  #frames = 0;
  #strays = 0;
  #noiseBytes = 0;
  #bytes = 0;
  #longestGapMs = 0;
  #lastByteMs: number | undefined;

  /**
   * Every byte, understood or not.
   * @returns the silence before
   */
  heard(bytes: number, atMs: number): number {
    const gapMs = atMs - (this.#lastByteMs ?? atMs);
    this.#bytes += bytes;
    this.#longestGapMs = Math.max(this.#longestGapMs, gapMs);
    this.#lastByteMs = atMs;
    return gapMs;
  }

  note(event: Overheard): void {
    if (event.kind === "noise") {
      this.#noiseBytes += event.bytes.length;
      return;
    }
    this.#frames += 1;
    if (event.kind === "stray") {
      this.#strays += 1;
      return;
    }
    const asked = askedOf(event.request);
    const unit = this.#unit(asked.unitId);
    unit.asked += 1;
    if (event.fate !== "broadcast") unit[event.fate] += 1;
    if (event.fate === "answered" || event.fate === "refused") {
      unit.tookMs += event.tookMs ?? 0;
      unit.tookMaxMs = Math.max(unit.tookMaxMs, event.tookMs ?? 0);
    }
    this.#request(unit, asked, event.atMs);
  }

  get frames(): number {
    return this.#frames;
  }

  /** By unit id. */
  units(): readonly UnitRow[] {
    return [...this.#units.values()].sort((a, b) => a.unitId - b.unitId);
  }

  totals(): {
    readonly bytes: number;
    readonly frames: number;
    readonly strays: number;
    readonly noiseBytes: number;
    readonly longestGapMs: number;
  } {
    return {
      bytes: this.#bytes,
      frames: this.#frames,
      strays: this.#strays,
      noiseBytes: this.#noiseBytes,
      longestGapMs: Math.round(this.#longestGapMs),
    };
  }

  #unit(unitId: number): UnitRow {
    const known = this.#units.get(unitId);
    if (known !== undefined) return known;
    const counts = { asked: 0, answered: 0, refused: 0, silent: 0, damaged: 0, tookMs: 0, tookMaxMs: 0 };
    const fresh: UnitRow = { unitId, ...counts, requests: new Map() };
    this.#units.set(unitId, fresh);
    return fresh;
  }

  #request({ requests }: UnitRow, asked: Asked, atMs: number): void {
    const key = `${asked.functionCode} ${asked.address} ${asked.quantity}`;
    const known = requests.get(key);
    if (known !== undefined) {
      known.times += 1;
      known.lastMs = atMs;
    } else if (requests.size < REQUESTS_MAX) {
      requests.set(key, { asked, times: 1, firstMs: atMs, lastMs: atMs });
    }
  }
}

/** How often it is asked; undefined after one time. */
export function periodMs({ times, firstMs, lastMs }: RequestRow): number | undefined {
  return times < 2 ? undefined : (lastMs - firstMs) / (times - 1);
}

/** Mean of its replies; undefined where there was none. */
export function meanMs({ answered, refused, tookMs }: UnitRow): number | undefined {
  return answered + refused === 0 ? undefined : tookMs / (answered + refused);
}
