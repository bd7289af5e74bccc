/**
 * Register numbers as manuals print them and addresses as the wire carries them.
 * A manual counts from 1 and puts the table's digit in front: 40101 or 400101 is holding register 100 on the wire.
 */
import type { RegisterRange, RegisterTable } from "./config.ts";
import { LIMITS } from "./defaults.ts";

export interface RegisterAddress {
  readonly table: RegisterTable;
  /** 0-based, as on the wire. */
  readonly address: number;
}

/** The table's digit in manuals. There is no 2. */
const TABLE_OF_DIGIT: Readonly<Record<string, RegisterTable>> = {
  "0": "coil",
  "1": "discreteInput",
  "3": "inputRegister",
  "4": "holdingRegister",
};

const DIGIT_OF_TABLE: Readonly<Record<RegisterTable, string>> = {
  coil: "0",
  discreteInput: "1",
  inputRegister: "3",
  holdingRegister: "4",
};

/** Tables of single bits; the others hold registers. */
export function isBitTable(table: RegisterTable): boolean {
  return table === "coil" || table === "discreteInput";
}

export const REGISTER_NUMBER = /^[0134](?:\d{4}|\d{5})$/;
export const UNREADABLE_RANGE = /^([0134]):(\d{1,5})(?:-(\d{1,5}))?$/;

/** `40101`, `400101`, `00001`: undefined unless it names one of the 65,536 addresses of a table. */
export function parseRegisterNumber(text: string): RegisterAddress | undefined {
  if (!REGISTER_NUMBER.test(text)) return undefined;
  const table = TABLE_OF_DIGIT[text.charAt(0)];
  const address = Number(text.slice(1)) - 1;
  if (table === undefined || address < 0 || address > LIMITS.address.max) return undefined;
  return { table, address };
}

/** The manual's form: five digits as far as they reach, then six. */
export function registerNumber({ table, address }: RegisterAddress): string {
  const number = address + 1;
  return `${DIGIT_OF_TABLE[table]}${String(number).padStart(number > 9_999 ? 5 : 4, "0")}`;
}

/** `4:200-219` or `4:200`: the digit is the manual's table digit, the addresses are 0-based as on the wire. */
export function parseUnreadable(text: string): RegisterRange | undefined {
  const [, digit = "", first = "", last = first] = UNREADABLE_RANGE.exec(text) ?? [];
  const table = TABLE_OF_DIGIT[digit];
  const from = Number(first);
  const to = Number(last);
  if (table === undefined || to < from || to > LIMITS.address.max) return undefined;
  return { table, from, to };
}

/** The wire form, `holdingRegister:100`, as the tools take it. */
export function wireAddress({ table, address }: RegisterAddress): string {
  return `${table}:${address}`;
}
