/** Inputs: what their keys must be to each other, and the inputs that come of them. */
import { assert } from "../core/errors.ts";
import { tagId } from "../core/tag.ts";
import type { Board, BoardPin } from "./board.ts";
import { claimNames, createClaims } from "./claims.ts";
import type { InputConfig } from "./config.ts";
import { DEFAULTS } from "./defaults.ts";
import type { Path } from "./document.ts";
import type { Draft, Inspection } from "./draft.ts";
import type { GatewayFile } from "./gateway-schema.ts";
import type { InputSection } from "./input-schema.ts";
import { buildReporting, deadbandOf } from "./register-tag.ts";
import { tagMistakes } from "./tag-rules.ts";
import { listed, shown, type Words } from "./wording.ts";

type InputDraft = Draft<InputSection>;

/** The name of the device whose tags the inputs are. */
const DEVICE = "inputs";

const COUNTER_KEYS = ["start", "scale", "units", "deadband", "min", "max"] as const;

/** Everything that is wrong with inputs beyond their single keys. */
export function checkInputs(inspection: Inspection<GatewayFile>, board: Board): void {
  const { draft, document, complain } = inspection;
  const inputs = Object.entries(draft.inputs ?? {});
  claimNames(
    inspection,
    inputs.map(([name]) => ["inputs", name]),
  );
  const claim = createClaims(inspection);
  for (const [name, input = {}] of inputs) {
    const path = ["inputs", name];
    if (!document.has([...path, "counter"])) {
      for (const key of COUNTER_KEYS) {
        if (input[key] === undefined) continue;
        complain(
          [...path, key],
          "means nothing for an input that is on or off",
          "add counter: rising, or remove it",
          "key",
        );
      }
    }
    checkNumbers(input, path, complain, (key) => document.has([...path, key]));
    if (typeof input.pin === "string" && boardPin(input.pin, board) === undefined) {
      const { wrong, remedy } = unknownLabel(input.pin, board);
      complain([...path, "pin"], wrong, remedy);
      continue;
    }
    const pin = pinKey(input.pin, board);
    if (pin === undefined) continue;
    claim(pin, { name, path: [...path, "pin"], wrong: "this pin is that of", remedy: "give each input its own pin" });
  }
}

/** An input counts or is on or off; where the keys are those of a tag, so are the rules. */
function checkNumbers(
  { scale, min, max, deadband, scanRate, stale }: InputDraft,
  path: Path,
  complain: Inspection<GatewayFile>["complain"],
  written: (key: string) => boolean,
): void {
  const tag = { register: COUNTED, type: { type: "uint32" }, scale, min, max, deadband, scanRate, stale } as const;
  const around = {
    written: (key: string) => key === "register" || written(key),
    scanRateMs: DEFAULTS.scanRateMs,
    maxQuantity: DEFAULTS.maxQuantity,
    unreadable: [],
  };
  for (const { key, wrong, remedy } of tagMistakes(tag, around)) complain([...path, key], wrong, remedy, "key");
}

/** Stands in for the address that an input does not have. */
const COUNTED = { table: "inputRegister", address: 0 } as const;

/** The same for a label and for the chip and line behind it. */
function pinKey(pin: InputDraft["pin"], board: Board): string | undefined {
  const { chip, line } = typeof pin === "string" ? (boardPin(pin, board) ?? {}) : (pin ?? {});
  return chip === undefined || line === undefined ? undefined : `${chip} ${line}`;
}

/** Labels are read off an enclosure: capitals do not matter. */
function boardPin(label: string, board: Board): BoardPin | undefined {
  return Object.entries(board.pins).find(([name]) => name.toLowerCase() === label.toLowerCase())?.[1];
}

function unknownLabel(label: string, board: Board): Words {
  const labels = Object.keys(board.pins);
  if (board.name === "") {
    const remedy = "give { chip: …, line: … }, or name the board with --board";
    return { wrong: `${shown(label)} is a label, and no board is named`, remedy };
  }
  return {
    wrong: `${board.name} has no pin ${shown(label)}`,
    remedy:
      labels.length === 0 ? "give { chip: …, line: … }" : `write one of ${listed(labels)}, or { chip: …, line: … }`,
  };
}

/** The inputs with every default filled in. */
export function buildInputs(file: GatewayFile, board: Board): InputConfig[] {
  return Object.entries(file.inputs ?? {}).map(([name, input]) => ({
    ...buildReporting(input, DEFAULTS.scanRateMs),
    id: tagId(DEVICE, name),
    device: DEVICE,
    name,
    type: input.counter === undefined ? "bool" : "float64",
    deadband: deadbandOf(input.deadband, input.min, input.max),
    writable: false,
    enabled: true,
    pin: { ...addressOf(input.pin, board), ...(input.bias !== undefined && { bias: input.bias }) },
    activeLow: input.activeLow ?? false,
    debounceMs: input.debounce ?? DEFAULTS.debounceMs,
    ...(input.counter !== undefined && {
      counter: { edge: input.counter, start: input.start ?? 0, scale: input.scale ?? 1 },
    }),
  }));
}

function addressOf(pin: InputSection["pin"], board: Board): BoardPin {
  const address = typeof pin === "string" ? boardPin(pin, board) : pin;
  assert(address !== undefined, "an input without a pin passed the check");
  return address;
}
