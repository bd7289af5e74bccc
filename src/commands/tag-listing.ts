/** Tags as a table for people: every address as manuals print it and as it goes over the wire. */
import type { RegisterTag } from "../config/config.ts";
import { isBitTable, registerNumber, wireAddress } from "../config/register-number.ts";
import { durationText, quantityOf } from "../config/values.ts";
import { listing, wrapped } from "./listing.ts";

const NAME_COLUMN = 0;
const UNITS_COLUMN = 4;

/** A line a tag; below it what its numbers mean, where they have names. */
export function tagListing(tags: readonly RegisterTag[], columns: number, indent: number): string {
  const rows = listing(tags.map(tagRow), { columns, indent, yielding: [NAME_COLUMN, UNITS_COLUMN] }).split("\n");
  return tags.map((tag, index) => `${rows[index]}\n${namesText(tag, columns, indent + 2)}`).join("");
}

function namesText({ enum: names }: RegisterTag, columns: number, indent: number): string {
  if (names === undefined) return "";
  const meanings = Object.entries(names).map(([number, meaning]) => `${number} ${meaning}`);
  return wrapped(meanings.join(", "), columns, indent);
}

function tagRow(tag: RegisterTag): string[] {
  const { name, register, units = "", scanRateMs, writable } = tag;
  return [
    name,
    registerNumber(register),
    wireAddress(register),
    heldText(tag),
    units,
    durationText(scanRateMs),
    writable ? "writable" : "",
  ];
}

/** `int32 CDAB ×0.1`, or `×10^40076`: the exponent is what that register holds. */
function heldText({ register, scale, scaleFrom, writeFirst }: RegisterTag): string {
  const { type, lengthBytes, bit, byteOrder } = register;
  const sized = lengthBytes === undefined ? type : `${type}(${lengthBytes})`;
  return [
    bit === undefined ? sized : `bit ${bit}`,
    ...(orderMatters(register) ? [byteOrder] : []),
    ...(scale === undefined ? [] : [`×${scale}`]),
    ...(scaleFrom === undefined ? [] : [`×10^${registerNumber(scaleFrom)}`]),
    ...(writeFirst === undefined ? [] : [`after ${pageText(writeFirst)}`]),
  ].join(" ");
}

function pageText({ address, value }: NonNullable<RegisterTag["writeFirst"]>): string {
  return `${registerNumber({ table: "holdingRegister", address })}=${value}`;
}

/** One register has no words to exchange. */
function orderMatters({ table, type, lengthBytes, byteOrder }: RegisterTag["register"]): boolean {
  if (byteOrder === "ABCD" || isBitTable(table)) return false;
  const spec = lengthBytes === undefined ? { type } : { type, lengthBytes };
  return quantityOf(table, spec) > 1 || byteOrder !== "CDAB";
}
