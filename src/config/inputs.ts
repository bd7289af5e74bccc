/** Inputs: what their keys must be to each other, and the inputs that come of them. */
import { tagId } from "../core/tag.ts";
import { claimNames, createClaims } from "./claims.ts";
import type { InputConfig } from "./config.ts";
import { DEFAULTS } from "./defaults.ts";
import type { Path } from "./document.ts";
import type { Draft, Inspection } from "./draft.ts";
import type { GatewayFile } from "./gateway-schema.ts";
import type { InputSection } from "./input-schema.ts";
import { buildReporting, deadbandOf } from "./register-tag.ts";
import { tagMistakes } from "./tag-rules.ts";

type InputDraft = Draft<InputSection>;

/** The name of the device whose tags the inputs are. */
const DEVICE = "inputs";

const COUNTER_KEYS = ["start", "scale", "units", "deadband", "min", "max"] as const;

/** Everything that is wrong with inputs beyond their single keys. */
export function checkInputs(inspection: Inspection<GatewayFile>): void {
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
    const pin = pinKey(input.pin);
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

function pinKey(pin: InputDraft["pin"]): string | undefined {
  if (pin === undefined || typeof pin === "string") return pin?.toLowerCase();
  return pin.chip === undefined || pin.line === undefined ? undefined : `${pin.chip} ${pin.line}`;
}

/** The inputs with every default filled in. */
export function buildInputs(file: GatewayFile): InputConfig[] {
  return Object.entries(file.inputs ?? {}).map(([name, input]) => ({
    ...buildReporting(input, DEFAULTS.scanRateMs),
    id: tagId(DEVICE, name),
    device: DEVICE,
    name,
    type: input.counter === undefined ? "bool" : "float64",
    deadband: deadbandOf(input.deadband, input.min, input.max),
    writable: false,
    enabled: true,
    pin: input.pin,
    activeLow: input.activeLow ?? false,
    debounceMs: input.debounce ?? DEFAULTS.debounceMs,
    ...(input.counter !== undefined && {
      counter: { edge: input.counter, start: input.start ?? 0, scale: input.scale ?? 1 },
    }),
  }));
}
