/** What was asked of whom, and what was answered: counts, and both forms in which they are shown. */
import type { DeviceConfig } from "../../config/config.ts";
import { wireAddress } from "../../config/register-number.ts";
import { type ModbusRequest, word } from "../../testing/modbus-wire.ts";
import type { Exchange } from "../../testing/simulated-bus.ts";
import { listing, wrapped } from "../listing.ts";

export interface UnitCounts {
  readonly unitId: number;
  /** Name of the played device; null where nobody has this unit id. */
  readonly device: string | null;
  requests: number;
  replies: number;
  exceptions: number;
  /** As `holdingRegister:100 x4`; null before the first request. */
  lastAsked: string | null;
  /** Monotonic. */
  lastAtMs: number;
}

/** Units that nobody plays; a master that looks for devices asks for all 247. */
const STRANGERS_MAX = 10;
/** Bytes without one request in them, before speed and parity are doubted. */
const DOUBTFUL_BYTES = 24;
const TABLE_OF_FUNCTION = ["", "coil", "discreteInput", "holdingRegister", "inputRegister"] as const;
const WRITES: Readonly<Record<number, "coil" | "holdingRegister">> = {
  5: "coil",
  6: "holdingRegister",
  15: "coil",
  16: "holdingRegister",
};
const EXCEPTION_BIT = 0x80;

export class RequestBook {
  #bytes = 0;
  #requests = 0;
  readonly #units: UnitCounts[];

  constructor(devices: readonly DeviceConfig[]) {
    this.#units = devices.map(({ unitId, name }) => newCounts(unitId, name));
  }

  heard(bytes: number): void {
    this.#bytes += bytes;
  }

  note({ request, reply }: Exchange, nowMs: number): void {
    this.#requests += 1;
    const unit = this.#unit(request.unitId);
    if (unit === undefined) return;
    unit.requests += 1;
    if (reply !== undefined) unit.replies += 1;
    if (((reply?.[0] ?? 0) & EXCEPTION_BIT) !== 0) unit.exceptions += 1;
    unit.lastAsked = askedText(request);
    unit.lastAtMs = nowMs;
  }

  units(): readonly UnitCounts[] {
    return this.#units;
  }

  /** Changes with whatever was heard. */
  revision(): number {
    return this.#bytes;
  }

  table(columns: number, nowMs: number): string {
    const rows = this.#units.map((unit) => [
      `${unit.unitId}`,
      unit.device ?? "(nobody here)",
      `${unit.requests}`,
      `${unit.replies}`,
      `${unit.exceptions}`,
      unit.lastAsked ?? "never",
      unit.lastAsked === null ? "" : `${Math.floor((nowMs - unit.lastAtMs) / 1_000)} s`,
    ]);
    const head = ["unit", "device", "requests", "replies", "exceptions", "last asked", "ago"];
    const text = listing([head, ...rows], { columns, indent: 2, yielding: [1, 5] });
    return this.doubt() === "" ? text : text + wrapped(this.doubt(), columns, 2);
  }

  /** Why the other side may be set up wrongly; empty without a reason to think so. */
  doubt(): string {
    if (this.#requests > 0 || this.#bytes < DOUBTFUL_BYTES) return "";
    return `${this.#bytes} bytes came, and no whole request: do speed and parity agree?`;
  }

  #unit(unitId: number): UnitCounts | undefined {
    const known = this.#units.find((unit) => unit.unitId === unitId);
    const strangers = this.#units.filter(({ device }) => device === null).length;
    if (known !== undefined || strangers >= STRANGERS_MAX) return known;
    const unit = newCounts(unitId, null);
    this.#units.push(unit);
    return unit;
  }
}

function newCounts(unitId: number, device: string | null): UnitCounts {
  return { unitId, device, requests: 0, replies: 0, exceptions: 0, lastAsked: null, lastAtMs: 0 };
}

function askedText({ functionCode, pdu }: ModbusRequest): string {
  const address = word(pdu, 1);
  const read = TABLE_OF_FUNCTION[functionCode];
  if (read !== undefined && read !== "") return `${wireAddress({ table: read, address })} x${word(pdu, 3)}`;
  const written = WRITES[functionCode];
  return written === undefined ? `function ${functionCode}` : `write ${wireAddress({ table: written, address })}`;
}
