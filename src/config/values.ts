/** The kinds of values in gateway.yaml: durations, sizes, serial settings, register numbers, types. */
import * as v from "valibot";
import type { RegisterTable, RegisterType, SerialSettings } from "./config.ts";
import { type Bounds, LIMITS } from "./defaults.ts";
import { isBitTable, parseRegisterNumber, parseUnreadable, type RegisterAddress } from "./register-number.ts";
import { not, says, shown, wordsOf } from "./wording.ts";

const MS_OF_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const BYTES_OF_UNIT: Readonly<Record<string, number>> = { B: 1, kB: 1e3, MB: 1e6, GB: 1e9 };

const DURATION = /^(?:0|(\d{1,9}(?:\.\d{1,3})?)(ms|s|m|h|d))$/;
const DURATION_REMEDY = "write a number with ms, s, m, h or d behind it, as 15s";
const SIZE = /^(\d{1,9}(?:\.\d{1,3})?)(B|kB|MB|GB)$/;
const RATE = /^(?:unlimited|\d{1,9}(?:\.\d{1,3})?(?:B|kB|MB|GB)\/s)$/;
const SERIAL = /^(\d{1,8}) +([5-9])([A-Za-z])([12])$/;
const REGISTER_TYPE = /^(?:bool|u?int(?:16|32|64)|float(?:32|64)|bcd(?:16|32)|string\((\d{1,5})\))$/;
const PERCENT = /^(\d{1,3}(?:\.\d{1,6})?)%$/;

/** @throws Error with the remedy, where the text is no duration */
export function parseDuration(text: string): number {
  const match = DURATION.exec(text);
  if (match === null) throw new Error(`${shown(text)} is not a duration; ${DURATION_REMEDY}`);
  const [, amount = "0", unit = "ms"] = match;
  return Math.round(Number(amount) * (MS_OF_UNIT[unit] ?? 1));
}

/** In the largest unit that needs no fraction: `90d`, `1500ms`. */
export function durationText(ms: number): string {
  for (const unit of ["d", "h", "m", "s"]) {
    const unitMs = MS_OF_UNIT[unit] ?? 1;
    if (ms !== 0 && ms % unitMs === 0) return `${ms / unitMs}${unit}`;
  }
  return `${ms}ms`;
}

function sizeBytes(text: string): number {
  const [, amount = "0", unit = "B"] = SIZE.exec(text) ?? [];
  return Math.round(Number(amount) * (BYTES_OF_UNIT[unit] ?? 1));
}

/** In the largest unit that needs no fraction; kB is 1,000 bytes. */
export function sizeText(bytes: number): string {
  for (const unit of ["GB", "MB", "kB"]) {
    const unitBytes = BYTES_OF_UNIT[unit] ?? 1;
    if (bytes !== 0 && bytes % unitBytes === 0) return `${bytes / unitBytes}${unit}`;
  }
  return `${bytes}B`;
}

function within<Value extends number>({ min, max }: Bounds, text: (value: number) => string) {
  return v.check<Value, (issue: v.CheckIssue<Value>) => string>(
    (value) => value >= min && value <= max,
    (issue) => says(`${text(issue.input)} is out of range`, `write ${text(min)} to ${text(max)}`),
  );
}

const durationMessage = not("a duration", DURATION_REMEDY);
const anyDuration = v.pipe(
  v.union([v.string(), v.literal(0)], durationMessage),
  v.transform(String),
  v.regex(DURATION, durationMessage),
  v.transform(parseDuration),
);

/** `500ms`, `15s`, `10m`, `2h`, `90d` → milliseconds. A bare 0 needs no unit. */
export function duration(bounds: Bounds) {
  return v.pipe(anyDuration, within(bounds, durationText));
}

/** A duration, or 0 where that means something else than a very short one. */
export function durationOrZero({ min, max }: Bounds) {
  return v.pipe(
    anyDuration,
    v.check<number, (issue: v.CheckIssue<number>) => string>(
      (ms) => ms === 0 || (ms >= min && ms <= max),
      ({ input }) =>
        says(`${durationText(input)} is out of range`, `write 0, or ${durationText(min)} to ${durationText(max)}`),
    ),
  );
}

/** `500kB`, `20MB`, `2GB` → bytes. */
export function size(bounds: Bounds) {
  const message = not("a size", "write a number with kB, MB or GB behind it, as 2GB");
  return v.pipe(v.string(message), v.regex(SIZE, message), v.transform(sizeBytes), within(bounds, sizeText));
}

const rateMessage = not("a rate", "write unlimited, or a size each second as 50kB/s");

/** `unlimited` or `50kB/s` → bytes each second. */
export const rateSchema = v.pipe(
  v.string(rateMessage),
  v.regex(RATE, rateMessage),
  v.transform((text) => (text === "unlimited" ? Number.POSITIVE_INFINITY : sizeBytes(text.slice(0, -2)))),
  v.check<number, (issue: v.CheckIssue<number>) => string>(
    (rate) =>
      rate === Number.POSITIVE_INFINITY || (rate >= LIMITS.rateBytesPerS.min && rate <= LIMITS.rateBytesPerS.max),
    (issue) => says(`${sizeText(issue.input)}/s is out of range`, "write 1kB/s to 1GB/s, or unlimited"),
  ),
);

export function whole(what: string, bounds: Bounds) {
  return v.pipe(
    v.number(not(what, `write a whole number, ${bounds.min} to ${bounds.max}`)),
    v.integer(not(what, `write a whole number, ${bounds.min} to ${bounds.max}`)),
    // For json-schema.ts, which cannot look into a check.
    v.metadata({ minimum: bounds.min, maximum: bounds.max }),
    within(bounds, String),
  );
}

const numberMessage = not("a number", "write a number, with a point where it has decimals");
export const numberSchema = v.pipe(v.number(numberMessage), v.finite(numberMessage));

export const flagSchema = v.boolean(not("true or false", "write true or false"));

/** Any text of one line, as far as the key does not ask for more. */
export function text(what: string, maxChars: number) {
  return v.pipe(
    v.string(not(what, `write ${what}; put it into quotes`)),
    v.minLength(1, says("is empty", `write ${what}, or remove the key`)),
    v.maxLength(maxChars, says("this text is too long", `use at most ${maxChars} characters`)),
    v.check(isPrintable, says("holds a control character", "keep it on one line of printable text")),
  );
}

function isPrintable(value: string): boolean {
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return false;
  }
  return true;
}

export const pathSchema = text("the path of a file", LIMITS.textChars);

const serialMessage = not("a serial setting", 'write it as the device\'s menu shows it, as "19200 8E1"');
const PARITY_OF_LETTER: Readonly<Record<string, SerialSettings["parity"]>> = { N: "none", E: "even", O: "odd" };

/** `19200 8E1`: baud rate, data bits, parity, stop bits. RTU needs all 8 bits of a character. */
export const serialSchema = v.pipe(
  v.string(serialMessage),
  v.regex(SERIAL, serialMessage),
  v.rawTransform<string, SerialSettings>(({ dataset, addIssue, NEVER }) => {
    const [, baud = "", bits = "", letter = "", stop = ""] = SERIAL.exec(dataset.value) ?? [];
    const baudRate = Number(baud);
    const parity = PARITY_OF_LETTER[letter.toUpperCase()];
    const { min, max } = LIMITS.baudRate;
    if (bits !== "8") addIssue({ message: says(`Modbus RTU cannot use ${bits} data bits`, "write 8, as in 8E1") });
    if (parity === undefined) addIssue({ message: says(`there is no parity ${letter}`, "write N, E or O, as in 8E1") });
    if (baudRate < min || baudRate > max) {
      addIssue({ message: says(`${baudRate} baud is out of range`, `write ${min} to ${max}`) });
    }
    if (bits !== "8" || parity === undefined || baudRate < min || baudRate > max) return NEVER;
    return { baudRate, dataBits: 8, parity, stopBits: stop === "2" ? 2 : 1 };
  }),
);

/** @throws Error with the remedy, where the text is no serial setting */
export function parseSerial(text: string): SerialSettings {
  const parsed = v.safeParse(serialSchema, text);
  if (parsed.success) return parsed.output;
  const { wrong, remedy } = wordsOf(parsed.issues[0].message);
  throw new Error(`${wrong}; ${remedy}`);
}

export function serialText(serial: SerialSettings): string {
  return `${serial.baudRate} ${serial.dataBits}${serial.parity.charAt(0).toUpperCase()}${serial.stopBits}`;
}

/** The number printed in manuals: 1-based, the table's digit in front. */
export const registerNumberSchema = v.pipe(
  v.union([v.string(), v.number()], not("a register number", "write it as the manual prints it, as 40101")),
  v.transform(String),
  v.rawTransform<string, RegisterAddress>(({ dataset, addIssue, NEVER }) => {
    const address = parseRegisterNumber(dataset.value);
    if (address !== undefined) return address;
    addIssue({
      message: says(
        `${shown(dataset.value)} is not a register number`,
        "write 5 or 6 digits that begin with 0, 1, 3 or 4 and count from 1, as 40101; or the wire's address, as holdingRegister: 100",
      ),
    });
    return NEVER;
  }),
);

/** The address on the wire. */
export const addressSchema = whole("an address", LIMITS.address);

export const unreadableSchema = v.pipe(
  v.string(not("a range of registers", 'write "4:200-219": the table\'s digit, then 0-based addresses')),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const range = parseUnreadable(dataset.value);
    if (range !== undefined) return range;
    addIssue({
      message: says(
        `${shown(dataset.value)} is not a range of registers`,
        'write "4:200-219": the table\'s digit 0, 1, 3 or 4, then 0-based addresses up to 65535, the lower first',
      ),
    });
    return NEVER;
  }),
);

export interface TypeSpec {
  readonly type: RegisterType;
  readonly lengthBytes?: number;
}

const typeMessage = not(
  "a type",
  "write bool, int16/32/64, uint16/32/64, float32/64, bcd16/32 or string(bytes), as string(16)",
);

export const registerTypeSchema = v.pipe(
  v.string(typeMessage),
  v.regex(REGISTER_TYPE, typeMessage),
  v.check(
    (type) => {
      const bytes = REGISTER_TYPE.exec(type)?.[1];
      const { min, max } = LIMITS.stringBytes;
      return bytes === undefined || (Number(bytes) >= min && Number(bytes) <= max && Number(bytes) % 2 === 0);
    },
    (issue) =>
      says(
        `${issue.input} cannot be read`,
        `write an even number of bytes, ${LIMITS.stringBytes.min} to ${LIMITS.stringBytes.max}: a register holds two`,
      ),
  ),
  v.transform(typeSpec),
);

function typeSpec(type: string): TypeSpec {
  const bytes = REGISTER_TYPE.exec(type)?.[1];
  return bytes === undefined ? { type: type as RegisterType } : { type: "string", lengthBytes: Number(bytes) };
}

/** An absolute deadband, or a share of max − min. */
export type DeadbandSpec = { readonly absolute: number } | { readonly percent: number };

const deadbandMessage = not("a deadband", "write a number in the tag's units, or a share of its range as 1%");

export const deadbandSchema = v.pipe(
  v.union([v.string(), v.number()], deadbandMessage),
  v.rawTransform<string | number, DeadbandSpec>(({ dataset, addIssue, NEVER }) => {
    const given = dataset.value;
    const percent = typeof given === "string" ? Number(PERCENT.exec(given)?.[1] ?? Number.NaN) : undefined;
    if (typeof given === "number" && Number.isFinite(given) && given >= 0) return { absolute: given };
    if (percent !== undefined && percent <= 100) return { percent };
    addIssue({ message: deadbandMessage({ input: given }) });
    return NEVER;
  }),
);

/** How many addresses of its table a value takes. */
export function quantityOf(table: RegisterTable, { type, lengthBytes }: TypeSpec): number {
  if (isBitTable(table)) return 1;
  if (type === "string") return (lengthBytes ?? 0) / 2;
  if (type.endsWith("64")) return 4;
  return type.endsWith("32") ? 2 : 1;
}
