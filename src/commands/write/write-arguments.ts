import { parseArgs } from "node:util";
import type { ByteOrder } from "../../config/config.ts";
import type { RegisterAddress } from "../../config/register-number.ts";
import { ownEntry } from "../../core/own-entry.ts";
import { type NumberType, TYPES_BY_WIDTH } from "../../sources/modbus/interpretations.ts";
import { encodeRegisters } from "../../sources/modbus/register-encoder.ts";
import { ADDRESS_MAX } from "../../sources/modbus/register-map.ts";
import { readArguments } from "../arguments.ts";
import type { BenchSettings } from "../bench-line.ts";
import { LINE_OPTIONS, parseRegister, parseSettings, parseUnit, SETTINGS_HELP } from "../line-arguments.ts";

const USAGE = "usage: sallyport write PORT --unit N REGISTER=VALUE [--type TYPE] [options]";

export const HELP = `${USAGE}

Writes one value to a device, at the bench: shows what the register holds, asks,
writes, reads it again, and leaves a line in the log. It works at a terminal of
this machine only, not over SSH and not in a script.

  PORT               the serial port, as /dev/ttyUSB0
  REGISTER=VALUE     as 40101=1500, holdingRegister:100=-3, coil:0=on. Input
                     registers and discrete inputs cannot be written
  --unit N           the device's address: its menu says Address, ID or Slave
  --type TYPE        how the value is held: uint16 (default; int16 where it is
                     negative), int16, bcd16, float32, int32, uint32, bcd32,
                     float64, int64, uint64
  --order ORDER      of more than one register: ABCD (default), CDAB, BADC, DCBA
  --log FILE         where it is noted while no gateway runs; default:
                     sallyport-write.log in $STATE_DIRECTORY, else here
${SETTINGS_HELP}  --json             the result for machines

Where the running gateway uses the port, it is asked for it, and goes without
it meanwhile: its values say "switched off", 10 minutes at most. Its own
configuration says nothing of such a write, and does not hold it back.

exit code   0 written and read back, or left as it was, 1 the device holds
            something else now, 64 wrong usage, 69 no answer or refused
`;

const ORDERS: readonly ByteOrder[] = ["ABCD", "CDAB", "BADC", "DCBA"];
const ON_OFF: Readonly<Record<string, boolean>> = {
  on: true,
  "1": true,
  true: true,
  off: false,
  "0": false,
  false: false,
};

export type NewValue =
  | { readonly kind: "coil"; readonly value: boolean }
  | {
      readonly kind: "registers";
      readonly type: NumberType;
      readonly byteOrder: ByteOrder;
      readonly words: readonly number[];
    };

export interface WriteArguments {
  readonly settings: BenchSettings;
  readonly unitId: number;
  readonly at: RegisterAddress;
  readonly next: NewValue;
  readonly logFile: string | undefined;
  readonly json: boolean;
}

/** @throws UserError with the usage */
export function parse(args: string[]): WriteArguments | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        ...LINE_OPTIONS,
        unit: { type: "string" },
        type: { type: "string" },
        order: { type: "string" },
        log: { type: "string" },
      },
    });
    if (values.help) return "help";
    const [path, change, ...more] = positionals;
    if (more.length > 0) throw new Error("write one value at a time");
    const [, register, text = ""] = /^([^=]+)=(.+)$/.exec(change ?? "") ?? [];
    if (register === undefined) throw new Error("say what to write, as 40101=1500");
    const at = parseRegister(register);
    return {
      settings: parseSettings(path, values),
      unitId: parseUnit(values.unit),
      at,
      next: newValue(at, text, values.type, values.order ?? "ABCD"),
      logFile: values.log,
      json: values.json,
    };
  });
}

function newValue(
  { table, address }: RegisterAddress,
  text: string,
  typeName: string | undefined,
  order: string,
): NewValue {
  if (table === "coil") {
    const value = ownEntry(ON_OFF, text.toLowerCase());
    if (value === undefined) throw new Error(`a coil is on or off, not ${text}`);
    return { kind: "coil", value };
  }
  if (table !== "holdingRegister") throw new Error(`a device cannot be written there: ${table} is for reading only`);
  const types = [...TYPES_BY_WIDTH.values()].flat();
  const wanted = typeName ?? (text.startsWith("-") ? "int16" : "uint16");
  const type = types.find((each) => each === wanted);
  if (type === undefined) throw new Error(`--type ${wanted}: write one of ${types.join(", ")}`);
  const byteOrder = ORDERS.find((each) => each === order.toUpperCase());
  if (byteOrder === undefined) throw new Error(`--order is one of ${ORDERS.join(", ")}`);
  const encoded = encodeRegisters(text, type, byteOrder);
  if ("wrong" in encoded) throw new Error(`${encoded.wrong}; give the right --type`);
  if (address + encoded.words.length - 1 > ADDRESS_MAX) throw new Error("the value goes beyond the last register");
  return { kind: "registers", type, byteOrder, words: encoded.words };
}
