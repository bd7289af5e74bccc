/** The CSV that KEPServerEX exports of a Modbus device's tags. It does not hold the port, the unit id, nor the byte order. */
import type { ByteOrder, RegisterTable, SerialSettings } from "../../config/config.ts";
import { isBitTable, parseRegisterNumber } from "../../config/register-number.ts";
import { ownEntry } from "../../core/own-entry.ts";
import { parseCsv } from "./csv.ts";
import { type Imported, type ImportedTag, type Left, Names, ODD_IN_TAGS } from "./imported.ts";

export interface KepwareTarget {
  readonly device: string;
  readonly unitId: number;
  readonly path: string;
  readonly serial: SerialSettings;
  /** KEPServerEX has the low word first unless its device says otherwise: CDAB. */
  readonly byteOrder: ByteOrder;
}

const TYPES: Readonly<Record<string, string>> = {
  boolean: "bool",
  short: "int16",
  word: "uint16",
  long: "int32",
  dword: "uint32",
  float: "float32",
  double: "float64",
  llong: "int64",
  qword: "uint64",
  bcd: "bcd16",
  lbcd: "bcd32",
};

/** `400101`, `40101.05` (a bit), `400101.20H` (a string of 20 bytes, high byte first). */
const ADDRESS = /^([0134]\d{4,5})(?:\.(\d{1,3})([HL])?)?$/i;

/** @throws Error where it is no such export */
export function importKepware(text: string, target: KepwareTarget): Imported {
  const [head = [], ...rows] = parseCsv(text);
  const columns = head.map((title) => title.trim().toLowerCase());
  for (const needed of ["tag name", "address"]) {
    if (!columns.includes(needed)) {
      throw new Error(`there is no column "${needed}": export the tags of one device from KEPServerEX as CSV`);
    }
  }
  const left: Left[] = [];
  const names = new Names(ODD_IN_TAGS);
  const tags = rows.flatMap((cells) => {
    const row = new Row(columns, cells);
    const found = tagOf(row, names);
    if ("why" in found) {
      left.push({ where: row.text("tag name"), what: found.why });
      return [];
    }
    left.push(...remarks(row, found));
    return [found];
  });
  if (tags.some(({ type = "" }) => /32|64/.test(type))) {
    const what = `KEPServerEX keeps the byte order with the device, not here: ${target.byteOrder} is its default; compare one value`;
    left.push({ where: target.device, what });
  }
  const { device, unitId, path, serial, byteOrder } = target;
  return { left, lines: [{ name: "line-1", path, serial, devices: [{ name: device, unitId, byteOrder, tags }] }] };
}

class Row {
  readonly #columns: readonly string[];
  readonly #cells: readonly string[];

  constructor(columns: readonly string[], cells: readonly string[]) {
    this.#columns = columns;
    this.#cells = cells;
  }

  text(column: string): string {
    return (this.#cells[this.#columns.indexOf(column)] ?? "").trim();
  }

  isSet(column: string): boolean {
    return /^(1|true|yes)$/i.test(this.text(column));
  }

  number(column: string): number {
    const text = this.text(column);
    return text === "" ? Number.NaN : Number(text);
  }
}

function tagOf(row: Row, names: Names): ImportedTag | { readonly why: string } {
  const written = row.text("address");
  const [, number = "", index, half] = ADDRESS.exec(written.replace(/\s/g, "")) ?? [];
  const place = parseRegisterNumber(number);
  if (place === undefined)
    return { why: `the address ${written} is none of a single register (arrays, hex and others)` };
  const kind = row.text("data type").toLowerCase() || "default";
  const held = heldAs(kind, place.table, index, half);
  if ("why" in held) return held;
  const comment = row.text("description");
  const units = row.text("eng units");
  const scanRateMs = row.number("scan rate");
  return {
    name: names.give(row.text("tag name"), "tag"),
    ...place,
    ...held,
    ...scaling(row),
    ...(units !== "" && { units }),
    ...(scanRateMs >= 10 && { scanRateMs }),
    ...(comment !== "" && { comment }),
  };
}

type Held = Pick<ImportedTag, "type" | "bit">;

function heldAs(kind: string, table: RegisterTable, index = "", half = ""): Held | { readonly why: string } {
  if (isBitTable(table)) return {};
  if (half !== "" || kind === "string") {
    if (half.toUpperCase() === "L") return { why: "a string with the low byte first" };
    return Number(index) > 0 ? { type: `string(${index})` } : { why: "a string of unknown length" };
  }
  if (index !== "") return { bit: Number(index) };
  if (kind === "default") return { type: "uint16" };
  const type = ownEntry(TYPES, kind);
  return type === undefined || type === "bool" ? { why: `the data type ${kind} of a register` } : { type };
}

/** A straight line through two points; `Negate Value` turns it over. */
function scaling(row: Row): Pick<ImportedTag, "scale" | "offset"> {
  const sign = row.isSet("negate value") ? -1 : 1;
  if (row.text("scaling").toLowerCase() !== "linear") return sign === -1 ? { scale: -1 } : {};
  const [rawLow, rawHigh] = [row.number("raw low"), row.number("raw high")];
  const [low, high] = [row.number("scaled low"), row.number("scaled high")];
  const slope = (high - low) / (rawHigh - rawLow);
  if (!Number.isFinite(slope)) return {};
  const scale = rounded(sign * slope);
  const offset = rounded(sign * (low - rawLow * slope));
  return { scale, ...(offset !== 0 && { offset }) };
}

/** 0.1, not 0.09999999999999999. */
function rounded(value: number): number {
  return Number(value.toPrecision(12)) + 0;
}

function remarks(row: Row, tag: ImportedTag): Left[] {
  const where = row.text("tag name");
  const remark = (what: string) => ({ where, what });
  const way = row.text("scaling").toLowerCase();
  return [
    ...(tag.name === where ? [] : [remark(`is called ${tag.name} now`)]),
    ...(/w/i.test(row.text("client access")) && !["discreteInput", "inputRegister"].includes(tag.table)
      ? [remark("could be written; it is read only now: add writable with its limits where it must be")]
      : []),
    ...(way === "" || way === "none" || way === "linear" ? [] : [remark(`its scaling (${way}) is left out`)]),
    ...(way === "linear" && tag.scale === undefined ? [remark("its scaling has no range and is left out")] : []),
    ...(row.isSet("clamp low") || row.isSet("clamp high")
      ? [remark("was clamped; min and max do not clamp here, they tell of values out of range")]
      : []),
  ];
}
