import type { RegisterRange, RegisterTable } from "../config/config.ts";
import { type ModbusRequest, word } from "./modbus-wire.ts";

const ADDRESSES = 65_536;
const BITS_MAX = 2_000;
const REGISTERS_MAX = 125;
const BITS_WRITE_MAX = 1_968;
const REGISTERS_WRITE_MAX = 123;
const REGISTERS_READ_WRITE_MAX = 121;
const MEI_IDENTIFICATION = 14;
/** What a device of all three categories says of itself, each object alone accessible, too. */
const CONFORMITY = 0x83;
const MORE_FOLLOWS = 0xff;
const RUN_INDICATOR_ON = 0xff;
/** Objects begun in one reply; what is left needs another one. */
const OBJECTS_MAX_BYTES = 120;

const EXCEPTION = { illegalFunction: 1, illegalDataAddress: 2, illegalDataValue: 3 } as const;

/** What goes wrong with a reply. All that is absent goes right. */
export interface Faults {
  /** No reply. */
  readonly silent?: boolean;
  /** From the end of the request to the begin of the reply. */
  readonly delayMs?: number;
  /** Refuses whatever is asked. */
  readonly exceptionCode?: number;
  /** The reply speaks for this unit. */
  readonly replyUnitId?: number;
  /** Another PDU in place of the right one, in a frame that is whole. */
  readonly alter?: (pdu: Uint8Array) => Uint8Array;
  /** Bytes missing at the begin of the frame, as where the direction is switched too late. */
  readonly lostBytes?: number;
  /** Bytes missing at the end of the frame. */
  readonly truncateBytes?: number;
  /** Index of a bit of the frame that arrives inverted, taken modulo its length. */
  readonly flipBit?: number;
  /** A burst: of the sixteen bits from `bit` on those arrive inverted that are set in `pattern`, the lowest first. */
  readonly burst?: { readonly bit: number; readonly pattern: number };
  /** The reply comes a second time, so long after the first. */
  readonly duplicateAfterMs?: number;
  /** The request comes back before the reply, as from an adapter that hears itself. */
  readonly echo?: boolean;
  /** Comes right before the reply. */
  readonly noise?: Uint8Array;
}

/** Any access that touches the range is answered with the exception. */
export interface Refusal extends RegisterRange {
  readonly exceptionCode: number;
}

class ModbusException {
  readonly code: number;
  constructor(code: number) {
    this.code = code;
  }
}

/** A Modbus server behind one unit id: four tables to be set from outside, and what is wrong with it. */
export class ModbusDevice {
  readonly unitId: number;
  /** Switch at any time; a function decides for each request anew. */
  faults: Faults | ((request: ModbusRequest) => Faults) = {};
  refusals: readonly Refusal[] = [];
  /** Registers it gives in one reply; more is refused with exception 3. */
  maxQuantity = REGISTERS_MAX;
  /** A device whose registers hang on what was written to one of them: told of every write to a holding register. */
  onWrite: (address: number, value: number) => void = () => undefined;
  /** What it says of itself to function 17. */
  serverId = "simulated";
  /** By object id, for function 43/14; none: it does not know that function. */
  identification: ReadonlyMap<number, string> = new Map();
  /** Requests that reached it, answered or not. */
  requests = 0;
  readonly #tables: Readonly<Record<RegisterTable, Uint16Array>> = {
    coil: new Uint16Array(ADDRESSES),
    discreteInput: new Uint16Array(ADDRESSES),
    inputRegister: new Uint16Array(ADDRESSES),
    holdingRegister: new Uint16Array(ADDRESSES),
  };

  constructor(unitId: number) {
    this.unitId = unitId;
  }

  /** Sets consecutive registers; coils and discrete inputs are 0 or 1. */
  set(table: RegisterTable, address: number, ...values: readonly number[]): void {
    this.#tables[table].set(values, address);
  }

  get(table: RegisterTable, address: number): number {
    return this.#tables[table][address] ?? 0;
  }

  faultsFor(request: ModbusRequest): Faults {
    return typeof this.faults === "function" ? this.faults(request) : this.faults;
  }

  /** The reply's PDU to the request's PDU, as the standard has it. Writes change the tables. */
  answer(pdu: Uint8Array): Uint8Array {
    try {
      return this.#answer(pdu);
    } catch (thrown) {
      if (thrown instanceof ModbusException) return exceptionPdu(pdu[0] ?? 0, thrown.code);
      throw thrown;
    }
  }

  #answer(pdu: Uint8Array): Uint8Array {
    const functionCode = pdu[0] ?? 0;
    const address = word(pdu, 1);
    const operand = word(pdu, 3);
    switch (functionCode) {
      case 1:
        return readReply(functionCode, packBits(this.#read("coil", address, operand, BITS_MAX)));
      case 2:
        return readReply(functionCode, packBits(this.#read("discreteInput", address, operand, BITS_MAX)));
      case 3:
        return readReply(functionCode, packWords(this.#read("holdingRegister", address, operand, this.maxQuantity)));
      case 4:
        return readReply(functionCode, packWords(this.#read("inputRegister", address, operand, this.maxQuantity)));
      case 5:
        if (operand !== 0 && operand !== 0xff00) throw new ModbusException(EXCEPTION.illegalDataValue);
        this.#write("coil", address, [operand === 0 ? 0 : 1]);
        return pdu.slice(0, 5);
      case 6:
        this.#write("holdingRegister", address, [operand]);
        return pdu.slice(0, 5);
      case 15:
        checkQuantity(operand, BITS_WRITE_MAX, pdu, Math.ceil(operand / 8));
        this.#write("coil", address, unpackBits(pdu.subarray(6), operand));
        return pdu.slice(0, 5);
      case 16:
        checkQuantity(operand, REGISTERS_WRITE_MAX, pdu, operand * 2);
        this.#write("holdingRegister", address, unpackWords(pdu.subarray(6), operand));
        return pdu.slice(0, 5);
      case 17:
        return readReply(functionCode, Uint8Array.of(...Buffer.from(this.serverId, "latin1"), RUN_INDICATOR_ON));
      case 22:
        this.#mask(address, operand, word(pdu, 5));
        return pdu.slice(0, 7);
      case 23:
        return this.#writeThenRead(pdu);
      case 43:
        return this.#identify(pdu);
      default:
        throw new ModbusException(EXCEPTION.illegalFunction);
    }
  }

  #mask(address: number, andMask: number, orMask: number): void {
    this.#check("holdingRegister", address, 1);
    const old = this.get("holdingRegister", address);
    this.set("holdingRegister", address, (old & andMask) | (orMask & ~andMask));
  }

  #writeThenRead(pdu: Uint8Array): Uint8Array {
    const [readFrom, quantity, writeTo, count] = [word(pdu, 1), word(pdu, 3), word(pdu, 5), word(pdu, 7)];
    const whole = pdu[9] === count * 2 && pdu.length === 10 + count * 2;
    if (count < 1 || count > REGISTERS_READ_WRITE_MAX || !whole) throw new ModbusException(EXCEPTION.illegalDataValue);
    this.#check("holdingRegister", readFrom, quantity);
    this.#write("holdingRegister", writeTo, unpackWords(pdu.subarray(10), count));
    return readReply(23, packWords(this.#read("holdingRegister", readFrom, quantity, this.maxQuantity)));
  }

  #identify([, mei, code = 0, from = 0]: Uint8Array): Uint8Array {
    if (mei !== MEI_IDENTIFICATION || this.identification.size === 0)
      throw new ModbusException(EXCEPTION.illegalFunction);
    if (code === 4 && !this.identification.has(from)) throw new ModbusException(EXCEPTION.illegalDataAddress);
    const all = [...this.identification].filter(([id]) => (code === 4 ? id === from : id >= from));
    const objects: number[] = [];
    let count = 0;
    for (const [id, text] of all) {
      if (objects.length > OBJECTS_MAX_BYTES) break;
      objects.push(id, text.length, ...Buffer.from(text, "latin1"));
      count += 1;
    }
    const next = all[count]?.[0];
    const more = next === undefined ? 0 : MORE_FOLLOWS;
    return Uint8Array.of(43, MEI_IDENTIFICATION, code, CONFORMITY, more, next ?? 0, count, ...objects);
  }

  #read(table: RegisterTable, address: number, quantity: number, max: number): Uint16Array {
    if (quantity < 1 || quantity > max) throw new ModbusException(EXCEPTION.illegalDataValue);
    this.#check(table, address, quantity);
    return this.#tables[table].slice(address, address + quantity);
  }

  #write(table: RegisterTable, address: number, values: readonly number[]): void {
    this.#check(table, address, values.length);
    this.set(table, address, ...values);
    if (table === "holdingRegister") for (const [i, value] of values.entries()) this.onWrite(address + i, value);
  }

  #check(table: RegisterTable, address: number, quantity: number): void {
    const last = address + quantity - 1;
    if (last >= ADDRESSES) throw new ModbusException(EXCEPTION.illegalDataAddress);
    const refusal = this.refusals.find((r) => r.table === table && r.from <= last && r.to >= address);
    if (refusal !== undefined) throw new ModbusException(refusal.exceptionCode);
  }
}

export function exceptionPdu(functionCode: number, exceptionCode: number): Uint8Array {
  return Uint8Array.of(functionCode | 0x80, exceptionCode);
}

function checkQuantity(quantity: number, max: number, pdu: Uint8Array, bytes: number): void {
  const whole = pdu[5] === bytes && pdu.length === 6 + bytes;
  if (quantity < 1 || quantity > max || !whole) throw new ModbusException(EXCEPTION.illegalDataValue);
}

function readReply(functionCode: number, data: Uint8Array): Uint8Array {
  return Uint8Array.of(functionCode, data.length, ...data);
}

function packBits(bits: Uint16Array): Uint8Array {
  const packed = new Uint8Array(Math.ceil(bits.length / 8));
  for (const [i, bit] of bits.entries()) if (bit !== 0) packed[i >> 3] = (packed[i >> 3] ?? 0) | (1 << (i & 7));
  return packed;
}

function unpackBits(packed: Uint8Array, quantity: number): number[] {
  return Array.from({ length: quantity }, (_, i) => ((packed[i >> 3] ?? 0) >> (i & 7)) & 1);
}

function packWords(words: Uint16Array): Uint8Array {
  return Uint8Array.from([...words].flatMap((w) => [w >>> 8, w & 0xff]));
}

function unpackWords(packed: Uint8Array, quantity: number): number[] {
  return Array.from({ length: quantity }, (_, i) => word(packed, i * 2));
}
