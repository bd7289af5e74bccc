/** What the tools of a line are told on the command line: settings, unit, register. */
import type { LineConfig, RegisterTable } from "../config/config.ts";
import { DEFAULTS, LIMITS } from "../config/defaults.ts";
import { parseRegisterNumber, type RegisterAddress } from "../config/register-number.ts";
import { parseDuration, parseSerial } from "../config/values.ts";
import type { BenchSettings } from "./bench-line.ts";

/** For parseArgs. */
export const LINE_OPTIONS = {
  serial: { type: "string" },
  rs485: { type: "string" },
  timeout: { type: "string" },
  json: { type: "boolean", default: false },
  help: { type: "boolean", short: "h", default: false },
} as const;

export const SETTINGS_HELP = `  --serial SETTINGS  as the device's menu shows it, as "9600 8N1"; default:
                     "19200 8E1". \`sallyport scan PORT\` finds it
  --rs485 WHO        who switches direction: auto (default: the adapter or the
                     kernel) or rts
  --timeout TIME     how long to wait for a reply, as 300ms (default)
`;

const WHO = ["auto", "rts", "none"] as const;
const TABLES: readonly RegisterTable[] = ["coil", "discreteInput", "inputRegister", "holdingRegister"];
const WIRE_ADDRESS = /^([A-Za-z]+):(\d{1,5})$/;

interface Given {
  readonly serial?: string;
  readonly rs485?: string;
  readonly timeout?: string;
}

/** @throws Error with the remedy */
export function parseSettings(path: string | undefined, { serial, rs485, timeout }: Given): BenchSettings {
  if (path === undefined) throw new Error("name the port, as /dev/ttyUSB0");
  return {
    path,
    serial: serial === undefined ? DEFAULTS.serial : parseSerial(serial),
    rs485: parseRs485(rs485),
    responseTimeoutMs: timeout === undefined ? DEFAULTS.responseTimeoutMs : parseTimeout(timeout),
  };
}

export function parseRs485(text: string | undefined): LineConfig["rs485"] {
  const who = WHO.find((each) => each === (text ?? DEFAULTS.rs485));
  if (who === undefined) throw new Error(`--rs485 is one of ${WHO.join(", ")}`);
  return who;
}

export function parseTimeout(text: string): number {
  const ms = parseDuration(text);
  const { min, max } = LIMITS.responseTimeoutMs;
  if (ms < min || ms > max) throw new Error(`--timeout ${text} is out of range; write ${min}ms to ${max / 1_000}s`);
  return ms;
}

export function parseUnit(text: string | undefined): number {
  const { min, max } = LIMITS.unitId;
  const unitId = Number(text);
  if (text === undefined) throw new Error("--unit is missing: the device's menu says Address, ID or Slave");
  if (!/^\d{1,3}$/.test(text) || unitId < min || unitId > max) {
    throw new Error(`--unit ${text} is no unit id; write ${min} to ${max}`);
  }
  return unitId;
}

/** `holdingRegister:100` as on the wire, `register:40101` or `40101` as in manuals. */
export function parseRegister(text: string | undefined): RegisterAddress {
  if (text === undefined) throw new Error("name the register, as 40101 or holdingRegister:100");
  const [, word = "", number = ""] = WIRE_ADDRESS.exec(text) ?? ["", "register", text];
  const found = word === "register" ? parseRegisterNumber(number) : wireRegister(word, Number(number));
  if (found !== undefined) return found;
  const tables = TABLES.join(", ");
  throw new Error(
    `"${text}" is no register; write it as the manual has it (40101, 30001, 00001) or as on the wire, as holdingRegister:100 (${tables})`,
  );
}

function wireRegister(word: string, address: number): RegisterAddress | undefined {
  const table = TABLES.find((each) => each.toLowerCase() === word.toLowerCase());
  return table === undefined || address > LIMITS.address.max ? undefined : { table, address };
}
