/** Who a device is: by what it says of itself (function 43/14, then 17), else by which model its registers fit. */
import type { Bus } from "../../sources/modbus/bus.ts";
import type { Identification } from "../../sources/modbus/bus-request.ts";
import { fitModels } from "./model-fit.ts";
import type { ModelShelf } from "./model-shelf.ts";

export interface Identity {
  /** What it says of itself, or which models it may be; null: nothing is known. */
  readonly text: string | null;
  readonly by: "43/14" | "17" | "registers" | null;
  /** A model of ours, where one fits. */
  readonly model: string | null;
  /** Registers that answered while it was asked, for a device of no model. */
  readonly readable: readonly { readonly table: "holdingRegister" | "inputRegister"; readonly address: number }[];
}

/** Vendor, product code, revision, product, model: what is worth showing. */
const SHOWN_OBJECTS = [0, 1, 4, 5, 2];
const READABLE_TRIED = [
  { table: "holdingRegister", address: 0 },
  { table: "inputRegister", address: 0 },
  { table: "holdingRegister", address: 1 },
  { table: "inputRegister", address: 1 },
] as const;
const LETTERS_MIN = 3;

export async function identify(bus: Bus, unitId: number, shelf: ModelShelf, signal: AbortSignal): Promise<Identity> {
  const told = (await byIdentification(bus, unitId)) ?? (await byServerId(bus, unitId));
  const named = told === undefined ? undefined : shelf.named(told.text);
  if (told !== undefined && named !== undefined) return { ...told, model: named, readable: [] };
  // Who names its maker and product, and none of ours, is none of ours.
  const fitting = signal.aborted || told?.by === "43/14" ? [] : await fitModels(bus, unitId, shelf, signal);
  const [best] = fitting;
  if (best !== undefined) {
    const perhaps = `perhaps ${fitting.join(" or ")}`;
    const text = told === undefined ? perhaps : `${told.text}, ${perhaps}`;
    return { text, by: told?.by ?? "registers", model: best, readable: [] };
  }
  return { text: told?.text ?? null, by: told?.by ?? null, model: null, readable: await readable(bus, unitId) };
}

interface Told {
  readonly text: string;
  readonly by: "43/14" | "17";
}

async function byIdentification(bus: Bus, unitId: number): Promise<Told | undefined> {
  const outcome = await bus.execute({ kind: "identification", unitId, code: 1, objectId: 0 });
  const text = outcome.kind === "identified" ? objectsText(outcome.identification) : "";
  return text === "" ? undefined : { text, by: "43/14" };
}

export function objectsText({ objects }: Identification): string {
  return SHOWN_OBJECTS.flatMap((id) => lettersOf(objects.get(id) ?? "")).join(" ");
}

async function byServerId(bus: Bus, unitId: number): Promise<Told | undefined> {
  const outcome = await bus.execute({ kind: "serverId", unitId });
  if (outcome.kind !== "data") return undefined;
  const text = lettersOf(Buffer.from(outcome.data).toString("latin1")).join(" ");
  return text === "" ? undefined : { text, by: "17" };
}

/** Devices mix text with numbers of their own. */
function lettersOf(text: string): readonly string[] {
  return text
    .split(/[^\x20-\x7e]+/)
    .map((part) => part.trim())
    .filter((part) => part.length >= LETTERS_MIN || /^[\w.]+$/.test(part));
}

async function readable(bus: Bus, unitId: number): Promise<Identity["readable"]> {
  for (const place of READABLE_TRIED) {
    const outcome = await bus.execute({ kind: "read", unitId, ...place, quantity: 1 });
    if (outcome.kind === "data") return [place];
    if (outcome.kind === "closed") break;
  }
  return [];
}
