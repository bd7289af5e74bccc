/** What an import brings: lines with their devices and tags as gateway.yaml has them, and what could not be carried over. */
import type { ByteOrder, RegisterTable, SerialSettings } from "../../config/config.ts";
import { durationText, serialText } from "../../config/values.ts";

export interface ImportedTag {
  /** Already a name that gateway.yaml takes. */
  readonly name: string;
  readonly table: RegisterTable;
  readonly address: number;
  readonly type?: string;
  readonly bit?: number;
  readonly scale?: number;
  readonly offset?: number;
  readonly units?: string;
  readonly scanRateMs?: number;
  /** Of the other program, for whoever reads the file. */
  readonly comment?: string;
}

export interface ImportedDevice {
  readonly name: string;
  readonly unitId: number;
  readonly byteOrder?: ByteOrder;
  readonly tags: readonly ImportedTag[];
}

export interface ImportedLine {
  readonly name: string;
  readonly path: string;
  readonly serial: SerialSettings;
  readonly responseTimeoutMs?: number;
  readonly devices: readonly ImportedDevice[];
}

/** Something of the other program that gateway.yaml does not say, or says otherwise. */
export interface Left {
  /** The row, tag or node it stands at. */
  readonly where: string;
  readonly what: string;
}

export interface Imported {
  readonly lines: readonly ImportedLine[];
  readonly left: readonly Left[];
}

const NAME_MAX_CHARACTERS = 60;
const COMMENT_MAX_CHARACTERS = 80;

/** Names that gateway.yaml takes, each once. */
export class Names {
  readonly #taken = new Set<string>();
  readonly #odd: RegExp;

  /** @param odd characters that a name must not have */
  constructor(odd: RegExp) {
    this.#odd = odd;
  }

  give(wanted: string, otherwise: string): string {
    const plain = wanted.trim().replace(this.#odd, "-").slice(0, NAME_MAX_CHARACTERS) || otherwise;
    let name = plain;
    for (let n = 2; this.#taken.has(name.toLowerCase()); n++) name = `${plain}-${n}`;
    this.#taken.add(name.toLowerCase());
    return name;
  }
}

export const ODD_IN_TAGS = /[^A-Za-z0-9_.-]+/g;
export const ODD_IN_NAMES = /[^A-Za-z0-9_-]+/g;

/** The section `lines:` of gateway.yaml. */
export function linesText(lines: readonly ImportedLine[]): string {
  return `lines:\n${lines.map(lineText).join("")}`;
}

function lineText({ name, path, serial, responseTimeoutMs, devices }: ImportedLine): string {
  const timeout = responseTimeoutMs === undefined ? "" : `    responseTimeout: ${durationText(responseTimeoutMs)}\n`;
  const head = `  ${key(name)}:\n    path: ${JSON.stringify(path)}\n    serial: ${serialText(serial)}\n${timeout}`;
  return `${head}    devices:\n${devices.map(deviceText).join("")}`;
}

function deviceText({ name, unitId, byteOrder, tags }: ImportedDevice): string {
  const order = byteOrder === undefined ? "" : `        byteOrder: ${byteOrder}\n`;
  return `      ${key(name)}:\n        unitId: ${unitId}\n${order}        tags:\n${tags.map(tagText).join("")}`;
}

function tagText({ name, table, address, type, bit, scale, offset, units, scanRateMs, comment }: ImportedTag): string {
  const parts = [
    `${table}: ${address}`,
    ...(type === undefined ? [] : [`type: ${type}`]),
    ...(bit === undefined ? [] : [`bit: ${bit}`]),
    ...(scale === undefined ? [] : [`scale: ${scale}`]),
    ...(offset === undefined ? [] : [`offset: ${offset}`]),
    ...(units === undefined ? [] : [`units: ${JSON.stringify(units)}`]),
    ...(scanRateMs === undefined ? [] : [`scanRate: ${durationText(scanRateMs)}`]),
  ];
  const said = comment?.replace(/\s+/g, " ").trim().slice(0, COMMENT_MAX_CHARACTERS) ?? "";
  return `          ${key(name)}: { ${parts.join(", ")} }${said === "" ? "" : `   # ${said}`}\n`;
}

/** What YAML would take for a number or another word stands in quotes. */
function key(name: string): string {
  return /^[A-Za-z_]/.test(name) && !/^(true|false|null|yes|no|on|off)$/i.test(name) ? name : JSON.stringify(name);
}
