import type { DeviceConfig, RegisterTable, RegisterTag } from "../config/config.ts";
import { quantityOf } from "../config/values.ts";
import { type Faults, ModbusDevice, type Refusal } from "./modbus-device.ts";
import type { ModbusRequest } from "./modbus-wire.ts";
import { rawLimits, registerWords } from "./register-words.ts";
import { highestOf, rawAfter } from "./tag-motion.ts";

const TABLES: readonly RegisterTable[] = ["coil", "discreteInput", "inputRegister", "holdingRegister"];
const ADDRESS_MAX = 65_535;
const ILLEGAL_DATA_ADDRESS = 2;
/** Decimal exponents that a scale register may come to hold: cents where there is room for them. */
const EXPONENT_MIN = -2;
const EXPONENT_MAX = 10;

/** A place in a device: where, and which tags are held there. */
interface Cell {
  readonly table: RegisterTable;
  readonly address: number;
  readonly words: (elapsedMs: number) => readonly number[];
  /** What was set last: if it is no longer there, somebody has written. */
  set: readonly number[];
}

/** Plays a configured device: its tags' registers with values that move, and nothing else. */
export class StandIn {
  readonly config: DeviceConfig;
  readonly device: ModbusDevice;
  readonly #cells: readonly Cell[];

  /** @param faults of each reply, beside what the configuration makes the device refuse */
  constructor(config: DeviceConfig, faults: Faults | ((request: ModbusRequest) => Faults) = {}) {
    this.config = config;
    this.device = new ModbusDevice(config.unitId);
    this.device.maxQuantity = config.maxQuantity;
    this.device.faults = faults;
    this.#cells = cellsOf(config.tags);
    this.move(0);
    this.device.refusals = [...refusedBeside(this.#cells), ...config.unreadable.map(refused)];
  }

  /** Moves every value to where it is so long after the start. What somebody wrote stays as it was written. */
  move(elapsedMs: number): void {
    for (const cell of this.#cells) {
      const isWritten = cell.set.some((word, i) => this.device.get(cell.table, cell.address + i) !== word);
      if (isWritten) continue;
      cell.set = cell.words(elapsedMs);
      this.device.set(cell.table, cell.address, ...cell.set);
    }
  }
}

/** One cell a tag, one a register of bits, one a scale register. Where two want the same registers, the first has them. */
function cellsOf(tags: readonly RegisterTag[]): readonly Cell[] {
  const taken = new Set<string>();
  const cells: Cell[] = [];
  const add = (table: RegisterTable, address: number, quantity: number, words: Cell["words"]) => {
    const places = Array.from({ length: quantity }, (_, i) => `${table}:${address + i}`);
    if (places.some((place) => taken.has(place))) return;
    for (const place of places) taken.add(place);
    cells.push({ table, address, words, set: [] });
  };
  const exponents = exponentsOf(tags);
  for (const tag of tags) {
    const { table, address, type, lengthBytes, bit } = tag.register;
    if (bit !== undefined) continue;
    const quantity = quantityOf(table, lengthBytes === undefined ? { type } : { type, lengthBytes });
    const exponent = tag.scaleFrom === undefined ? 0 : exponents.get(placeOf(tag.scaleFrom));
    const isBit = table === "coil" || table === "discreteInput";
    add(table, address, quantity, (elapsedMs) => {
      const raw = rawAfter(tag, elapsedMs, exponent);
      return isBit ? [Number(raw)] : registerWords(tag.register, raw);
    });
  }
  for (const { scaleFrom, register } of tags) {
    if (scaleFrom === undefined) continue;
    const words = registerWords({ ...register, type: "int16" }, exponents.get(placeOf(scaleFrom)) ?? 0);
    add(scaleFrom.table, scaleFrom.address, 1, () => words);
  }
  for (const { register } of tags) {
    if (register.bit !== undefined)
      add(register.table, register.address, 1, (elapsedMs) => bitsOf(tags, register, elapsedMs));
  }
  return cells;
}

function bitsOf(tags: readonly RegisterTag[], at: RegisterTag["register"], elapsedMs: number): readonly number[] {
  let word = 0;
  for (const tag of tags) {
    const { table, address, bit } = tag.register;
    if (bit !== undefined && table === at.table && address === at.address)
      word |= Number(rawAfter(tag, elapsedMs)) << bit;
  }
  return registerWords({ ...at, type: "uint16" }, word);
}

/** By scale register: the least exponent with which all that it scales fits into its registers. */
function exponentsOf(tags: readonly RegisterTag[]): ReadonlyMap<string, number> {
  const exponents = new Map<string, number>();
  for (const tag of tags) {
    if (tag.scaleFrom === undefined) continue;
    const place = placeOf(tag.scaleFrom);
    exponents.set(place, Math.max(exponents.get(place) ?? EXPONENT_MIN, exponentFor(tag)));
  }
  return exponents;
}

function exponentFor(tag: RegisterTag): number {
  const most = rawLimits(tag.register.type)?.[1] ?? Number.POSITIVE_INFINITY;
  for (let exponent = EXPONENT_MIN; exponent < EXPONENT_MAX; exponent++) {
    if (highestOf(tag) / ((tag.scale ?? 1) * 10 ** exponent) < most) return exponent;
  }
  return EXPONENT_MAX;
}

function placeOf({ table, address }: { readonly table: RegisterTable; readonly address: number }): string {
  return `${table}:${address}`;
}

/** Everything that no tag names, as a device refuses it. */
function refusedBeside(cells: readonly Cell[]): readonly Refusal[] {
  return TABLES.flatMap((table) => {
    const held = cells.filter((cell) => cell.table === table).sort((a, b) => a.address - b.address);
    const beside: Refusal[] = [];
    let from = 0;
    for (const { address, set } of held) {
      if (address > from) beside.push(refused({ table, from, to: address - 1 }));
      from = address + set.length;
    }
    return from > ADDRESS_MAX ? beside : [...beside, refused({ table, from, to: ADDRESS_MAX })];
  });
}

function refused(range: { readonly table: RegisterTable; readonly from: number; readonly to: number }): Refusal {
  return { ...range, exceptionCode: ILLEGAL_DATA_ADDRESS };
}
