/** `sallyport write`: one value to one device, by a person at this machine who sees what happens. */
import { isDeepStrictEqual } from "node:util";
import { registerNumber, wireAddress } from "../../config/register-number.ts";
import { serialText } from "../../config/values.ts";
import { EXIT, UserError } from "../../core/errors.ts";
import type { Value } from "../../core/tag.ts";
import type { Bus } from "../../sources/modbus/bus.ts";
import type { BusOutcome, BusRequest } from "../../sources/modbus/bus-request.ts";
import { decodeRegisters } from "../../sources/modbus/register-codec.ts";
import { bitOf } from "../../sources/modbus/register-map.ts";
import { decimalOfFloat32 } from "../../uplinks/json/json-value.ts";
import { failureOf } from "../answer-words.ts";
import { openBus, stopReason, takeLine } from "../bench-line.ts";
import type { CommandIo } from "../io.ts";
import { HELP, type NewValue, parse, type WriteArguments } from "./write-arguments.ts";
import { openWriteLog, type WriteLog } from "./write-log.ts";

const ILLEGAL_FUNCTION = 1;

export async function write(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args);
  if (options === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  refuseFromAfar(io);
  const log = openWriteLog(options.logFile, io);
  const line = await takeLine(options.settings.path, io);
  try {
    const bus = await openBus(options.settings, line.end);
    try {
      return await change(bus, options, log, line.signal, io);
    } finally {
      await bus.close();
    }
  } finally {
    await line.release();
  }
}

function refuseFromAfar({ isTerminal, hasKeyboard, env }: CommandIo): void {
  const why = "it asks before it writes";
  if (!isTerminal || hasKeyboard !== true) {
    throw new UserError(`works at a terminal only, because ${why}; nothing was written`, EXIT.unavailable);
  }
  if (env.SSH_CONNECTION || env.SSH_TTY) {
    throw new UserError("works at this machine only, not from afar; nothing was written", EXIT.unavailable);
  }
}

async function change(
  bus: Bus,
  options: WriteArguments,
  log: WriteLog,
  signal: AbortSignal,
  io: CommandIo,
): Promise<number> {
  const { settings, unitId, next } = options;
  const place = `${registerNumber(options.at)} (${wireAddress(options.at)})`;
  // What was pressed before the question was shown is no answer to it.
  const stopIgnoring = io.onKey(() => undefined);
  const before = await held(bus, options).finally(stopIgnoring);
  if (before.kind === "none") throw new UserError(before.text, EXIT.unavailable);
  const wanted = textOf(next);
  io.err(`${settings.path}, ${serialText(settings.serial)}, unit ${unitId}, ${place}\n`);
  io.err(`  now   ${before.text}\n  then  ${wanted}\n`);
  if (!(await isAgreed(signal, io))) {
    const reason = stopReason(signal);
    if (reason !== undefined) throw new UserError(`${reason}; nothing was written`, EXIT.unavailable);
    io.err("left as it was\n");
    return EXIT.ok;
  }
  const outcome = await send(bus, options);
  const after = await held(bus, options);
  const who = io.env.SUDO_USER ?? io.env.USER ?? io.env.LOGNAME ?? "somebody";
  const result = resultText(outcome, options);
  const noted = await log.note(
    `${who} wrote to unit ${unitId} on ${settings.path}, ${place}: before ${before.text}, asked for ${wanted}, ${result}, after ${after.text}`,
  );
  if (options.json) {
    const at = { path: settings.path, unitId, ...options.at, register: registerNumber(options.at) };
    io.out(`${JSON.stringify({ ...at, before: before.text, wanted, result, after: after.text })}\n`);
  } else {
    io.out(`  after ${after.text}\n${result}\n`);
  }
  io.err(`noted in ${noted}\n`);
  if (outcome.kind !== "written") return EXIT.unavailable;
  return after.kind === "value" && isDeepStrictEqual(after.raw, next) ? EXIT.ok : tellOther(io);
}

function tellOther(io: CommandIo): number {
  io.err("the device holds something else than what was written: it may limit it, or change it itself\n");
  return EXIT.failed;
}

function isAgreed(signal: AbortSignal, io: CommandIo): Promise<boolean> {
  io.err("Write it? y for yes, any other key leaves it as it is: ");
  return new Promise((resolve) => {
    const decide = (isYes: boolean, answer: string) => {
      stop();
      signal.removeEventListener("abort", refuse);
      io.err(`${answer}\n`);
      resolve(isYes);
    };
    const refuse = () => decide(false, "no");
    const stop = io.onKey((key) => decide(/^[yY]$/.test(key), /^[\x21-\x7e]$/.test(key) ? key : "no"));
    if (signal.aborted) refuse();
    else signal.addEventListener("abort", refuse, { once: true });
  });
}

type Content =
  | { readonly kind: "value"; readonly text: string; readonly raw: NewValue }
  /** It can be written and not read, as some commands can. */
  | { readonly kind: "hidden"; readonly text: string }
  | { readonly kind: "none"; readonly text: string };

async function held(bus: Bus, { unitId, at, next, settings }: WriteArguments): Promise<Content> {
  const quantity = next.kind === "coil" ? 1 : next.words.length;
  let outcome = await bus.execute({ kind: "read", unitId, ...at, quantity });
  if (outcome.kind === "silence" || outcome.kind === "copy") {
    outcome = await bus.execute({ kind: "read", unitId, ...at, quantity });
  }
  if (outcome.kind === "data") {
    const raw = contentOf(outcome.data, next, at.address);
    return { kind: "value", text: textOf(raw), raw };
  }
  if (outcome.kind === "exception")
    return { kind: "hidden", text: `cannot be read (exception ${outcome.exceptionCode})` };
  if (outcome.kind === "written" || outcome.kind === "identified") return { kind: "none", text: "no reply to a read" };
  return { kind: "none", text: failureOf(outcome, unitId, settings).text };
}

function contentOf(data: Uint8Array, next: NewValue, address: number): NewValue {
  if (next.kind === "coil") return { kind: "coil", value: bitOf(data, address, address) };
  const words = next.words.map((_, i) => ((data[i * 2] ?? 0) << 8) | (data[i * 2 + 1] ?? 0));
  return { ...next, words };
}

async function send(bus: Bus, { unitId, at: { address }, next }: WriteArguments): Promise<BusOutcome> {
  if (next.kind === "coil") return bus.execute({ kind: "writeCoil", unitId, address, value: next.value });
  const [only = 0, ...more] = next.words;
  const several: BusRequest = { kind: "writeRegisters", unitId, address, values: next.words };
  if (more.length > 0) return bus.execute(several);
  const outcome = await bus.execute({ kind: "writeRegister", unitId, address, value: only });
  // Some devices know only the function for several.
  const isUnknown = outcome.kind === "exception" && outcome.certain && outcome.exceptionCode === ILLEGAL_FUNCTION;
  return isUnknown ? bus.execute(several) : outcome;
}

function resultText(outcome: BusOutcome, { unitId, settings }: WriteArguments): string {
  switch (outcome.kind) {
    case "written":
      return "written";
    case "silence":
      return "no answer: it may have been written all the same";
    case "data":
    case "identified":
      return "an answer to something else";
    default:
      return failureOf(outcome, unitId, settings).text;
  }
}

/** `1500 (05DC)`, `on` */
function textOf(value: NewValue): string {
  if (value.kind === "coil") return value.value ? "on" : "off";
  const { type, byteOrder, words } = value;
  const bytes = Uint8Array.from(words.flatMap((word) => [word >> 8, word & 0xff]));
  const decoded = decodeRegisters({ register: { table: "holdingRegister", address: 0, type, byteOrder } }, bytes);
  const hex = words.map((word) => word.toString(16).toUpperCase().padStart(4, "0")).join(" ");
  return `${numberText(decoded.value, type)} (${hex})`;
}

function numberText(value: Value, type: string): string {
  if (value === null) return `no ${type}`;
  return String(type === "float32" ? decimalOfFloat32(Number(value)) : value);
}
