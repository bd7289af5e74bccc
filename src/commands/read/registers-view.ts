/** Registers as a page for people: each register both ways, then what they may mean, in every byte order. */
import type { ByteOrder, RegisterTable } from "../../config/config.ts";
import { registerNumber, wireAddress } from "../../config/register-number.ts";
import {
  type Interpretation,
  interpret,
  type NumberType,
  ordersOf,
  TYPES_BY_WIDTH,
} from "../../sources/modbus/interpretations.ts";
import { bitOf, isBitTable } from "../../sources/modbus/register-map.ts";
import { decimalOfFloat32 } from "../../uplinks/json/json-value.ts";

export interface Reply {
  readonly table: RegisterTable;
  readonly address: number;
  readonly quantity: number;
  readonly data: Uint8Array;
}

export interface Choice {
  /** Absent: all. */
  readonly type?: NumberType;
  readonly byteOrder?: ByteOrder;
}

/** One line of a table; cells that changed since the last page are marked. */
export interface Row {
  readonly cells: readonly string[];
  /** What tells this row from all others of the page. */
  readonly key: string;
}

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly Row[];
}

/** Numbers beyond these are shown by their power of ten. */
const PLAIN_MIN = 0.0001;
const PLAIN_MAX = 1e10;
const EXPONENT_DIGITS = 3;
const LIKELY = "*";
const NO_NUMBER = "–";

export function tablesOf(reply: Reply, choice: Choice): readonly Table[] {
  if (isBitTable(reply.table)) return [bitTable(reply)];
  const found = chosen(interpret(reply.address, reply.data), choice);
  const wide = [...TYPES_BY_WIDTH.keys()].filter((width) => width > 1);
  const values = wide.flatMap((width) => valueTable(reply, found, width));
  return choice.type === undefined ? [wordTable(reply), ...values] : values.length > 0 ? values : [wordTable(reply)];
}

/** All that is known, for machines. */
export function contentOf(reply: Reply, choice: Choice): object {
  const { table, address, quantity, data } = reply;
  const head = { table, address, register: registerNumber(reply), quantity };
  const addresses = Array.from({ length: quantity }, (_, i) => address + i);
  if (isBitTable(table)) return { ...head, bits: addresses.map((at) => bitOf(data, address, at)) };
  return {
    ...head,
    hex: addresses.map((at) => hexOf(reply, at)),
    values: chosen(interpret(address, data), choice).map((each) => ({
      ...each,
      register: registerNumber({ table, address: each.address }),
      value: each.type === "float32" ? decimalOfFloat32(Number(each.value)) : each.value,
    })),
  };
}

function chosen(all: readonly Interpretation[], { type, byteOrder }: Choice): readonly Interpretation[] {
  return all.filter(
    (each) => (type === undefined || each.type === type) && (byteOrder === undefined || each.byteOrder === byteOrder),
  );
}

function bitTable({ table, address, quantity, data }: Reply): Table {
  const rows = Array.from({ length: quantity }, (_, i) => {
    const at = { table, address: address + i };
    return {
      key: String(at.address),
      cells: [registerNumber(at), wireAddress(at), bitOf(data, address, at.address) ? "on  (1)" : "off (0)"],
    };
  });
  return { title: "", head: ["manual", "on the wire", ""], rows };
}

function wordTable(reply: Reply): Table {
  const { table, address, quantity, data } = reply;
  const rows = Array.from({ length: quantity }, (_, i): Row => {
    const at = { table, address: address + i };
    const word = ((data[i * 2] ?? 0) << 8) | (data[i * 2 + 1] ?? 0);
    const swapped = ((word & 0xff) << 8) | (word >> 8);
    return {
      key: String(at.address),
      cells: [
        registerNumber(at),
        String(at.address),
        hexOf(reply, at.address),
        String(word),
        String((word << 16) >> 16),
        String(swapped),
        bitsText(word),
        textOf(word),
      ],
    };
  });
  const head = ["manual", `${table}:`, "hex", "uint16", "int16", "swapped", "bits 15…0", "text"];
  return { title: "", head, rows };
}

function valueTable({ table, address }: Reply, found: readonly Interpretation[], width: number): readonly Table[] {
  const types = (TYPES_BY_WIDTH.get(width) ?? []).filter((type) => found.some((each) => each.type === type));
  const addresses = [...new Set(found.filter(({ type }) => types.includes(type)).map((each) => each.address))];
  return addresses.map((at) => {
    const first = registerNumber({ table, address: at });
    const last = registerNumber({ table, address: at + width - 1 });
    const rows = ordersOf(width).flatMap((byteOrder): Row[] => {
      const cells = types.map((type) => {
        const value = found.find((e) => e.address === at && e.type === type && e.byteOrder === byteOrder);
        return value === undefined ? "" : valueText(value);
      });
      return cells.every((cell) => cell === "") ? [] : [{ key: `${at} ${byteOrder}`, cells: [byteOrder, ...cells] }];
    });
    const offset = at === address ? "" : `, from the ${ordinal(at - address + 1)} on`;
    return { title: `${first} to ${last} as one value${offset}:`, head: ["byteOrder", ...types], rows };
  });
}

function valueText({ type, value, likely }: Interpretation): string {
  return `${likely ? LIKELY : " "}${value === null ? NO_NUMBER : numberText(type, value)}`;
}

function numberText(type: NumberType, value: number | bigint): string {
  if (typeof value === "bigint") return String(value);
  const decimal = type === "float32" ? decimalOfFloat32(value) : value;
  const size = Math.abs(decimal);
  const isPlain = Number.isInteger(decimal) ? size < PLAIN_MAX : size >= PLAIN_MIN && size < PLAIN_MAX;
  return isPlain ? String(decimal) : decimal.toExponential(EXPONENT_DIGITS);
}

function hexOf({ address, data }: Reply, at: number): string {
  const from = (at - address) * 2;
  return Buffer.from(data.subarray(from, from + 2))
    .toString("hex")
    .toUpperCase();
}

function bitsText(word: number): string {
  return word.toString(2).padStart(16, "0");
}

/** Two letters, a dot for what is none. */
function textOf(word: number): string {
  const letters = [word >> 8, word & 0xff].map((code) =>
    code > 0x20 && code < 0x7f ? String.fromCharCode(code) : ".",
  );
  return letters.join("");
}

function ordinal(number: number): string {
  const isTeen = Math.floor(number / 10) % 10 === 1;
  return `${number}${(isTeen ? undefined : ["st", "nd", "rd"][(number % 10) - 1]) ?? "th"}`;
}
