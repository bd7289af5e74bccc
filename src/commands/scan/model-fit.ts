/** Which model a device may be, judged by what its registers say. A guess, and told as one. */
import type { RegisterTag } from "../../config/config.ts";
import type { Bus } from "../../sources/modbus/bus.ts";
import { type PollRead, planReads } from "../../sources/modbus/poll-plan.ts";
import { type Decoded, decodeRegisters } from "../../sources/modbus/register-codec.ts";
import { isBitTable, quantityOf, registerBytes } from "../../sources/modbus/register-map.ts";
import type { ModelShelf, ShelvedModel } from "./model-shelf.ts";

/** Reads of one model. A drive that stands still tells little in each. */
const READS_MAX = 8;
/** Where so many reads, or one of many tags, tell nothing, the others will not either. */
const READS_WITHOUT_WORD_MAX = 4;
/** Registers that a model does not name may be refused by it. */
const NO_GAP = 0;
/** A device that leaves more reads unanswered costs a time-out each, and tells nothing. */
const SILENCES_MAX = 1;
/** Models that fit equally well, told together. */
const FITTING_MAX = 3;
/** Fewer values that make sense may do so by chance. */
const TELLING_MIN = 3;
const TELLING_SHARE_MIN = 0.5;

/** What a plant has, in either direction; a value beyond it was read wrongly. */
const SENSIBLE: Readonly<Record<string, readonly [number, number]>> = {
  V: [1, 50_000],
  A: [0.001, 10_000],
  Hz: [15, 500],
  kHz: [0.01, 500],
  "°C": [-80, 1_500],
  "%": [0.01, 1_000],
  rpm: [0.1, 100_000],
};
const ANYTHING: readonly [number, number] = [0.0001, 1e9];

/** The best first; none where no model makes sense of the registers. */
export async function fitModels(
  bus: Bus,
  unitId: number,
  shelf: ModelShelf,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const scores: { readonly id: string; readonly telling: number }[] = [];
  let silences = 0;
  for (const model of shelf.models()) {
    if (signal.aborted || silences > SILENCES_MAX) return [];
    const telling = await fit(bus, unitId, model);
    if (telling === "silent") silences += 1;
    else if (telling !== undefined) scores.push({ id: model.id, telling });
  }
  const best = Math.max(0, ...scores.map(({ telling }) => telling));
  return scores
    .filter(({ telling }) => telling === best)
    .map(({ id }) => id)
    .slice(0, FITTING_MAX);
}

/** How many of its values make sense; undefined: it is not this one. silent: it did not answer as a device should. */
async function fit(bus: Bus, unitId: number, { device }: ShelvedModel): Promise<number | "silent" | undefined> {
  const reads = planReads({ ...device, unitId, maxGap: NO_GAP }, NO_GAP)
    .filter((read) => read.writeFirst === undefined && tagsThatTell(read) > 0)
    .sort((a, b) => tagsThatTell(b) - tagsThatTell(a));
  let telling = 0;
  let seen = 0;
  for (const [index, read] of reads.slice(0, READS_MAX).entries()) {
    const { table, address, quantity } = read;
    const outcome = await bus.execute({ kind: "read", unitId, table, address, quantity });
    if (outcome.kind === "silence" || outcome.kind === "closed") return "silent";
    // Registers between a value and its scale need not be there.
    if (outcome.kind !== "data" && hasGap(read)) continue;
    if (outcome.kind !== "data") return undefined;
    for (const tag of read.tags) {
      const judged = judge(tag, decodedOf(tag, read, outcome.data));
      if (judged === "wrong") return undefined;
      if (judged === "sensible") telling += 1;
      seen += 1;
    }
    const isLong = tagsThatTell(read) >= TELLING_MIN;
    if (telling === 0 && (isLong || index + 1 >= READS_WITHOUT_WORD_MAX)) return undefined;
  }
  return telling >= TELLING_MIN && telling >= seen * TELLING_SHARE_MIN ? telling : undefined;
}

/** A bit, a text or a bare number may be anything. */
function tagsThatTell({ table, tags }: PollRead): number {
  if (isBitTable(table)) return 0;
  return tags.filter(({ register, units, enum: names }) => {
    return register.bit === undefined && (units !== undefined || names !== undefined);
  }).length;
}

function hasGap({ quantity, tags }: PollRead): boolean {
  const named = tags.flatMap(({ register, scaleFrom }) => [
    ...Array.from({ length: quantityOf(register) }, (_, i) => register.address + i),
    ...(scaleFrom === undefined ? [] : [scaleFrom.address]),
  ]);
  return new Set(named).size < quantity;
}

function decodedOf(tag: RegisterTag, { table, address }: PollRead, data: Uint8Array): Decoded | undefined {
  if (isBitTable(table)) return undefined;
  const bytes = (at: number, quantity: number) => registerBytes(data, address, at, quantity);
  const scale = tag.scaleFrom === undefined ? undefined : bytes(tag.scaleFrom.address, 1);
  return decodeRegisters(tag, bytes(tag.register.address, quantityOf(tag.register)), scale);
}

/** Zero tells nothing, and neither does a value that the device itself calls absent. */
export function judge(tag: RegisterTag, decoded: Decoded | undefined): "sensible" | "wrong" | "silent" {
  if (decoded === undefined) return "silent";
  const { value, status } = decoded;
  if (status === "BadOutOfRange") return "wrong";
  if (typeof value !== "number" && typeof value !== "bigint") return "silent";
  const number = Number(value);
  if (number === 0) return "silent";
  if (number < (tag.min ?? number) || number > (tag.max ?? number)) return "wrong";
  if (tag.enum !== undefined) return Object.hasOwn(tag.enum, String(value)) ? "sensible" : "wrong";
  const [least, most] = SENSIBLE[tag.units ?? ""] ?? ANYTHING;
  const size = least < 0 ? number : Math.abs(number);
  if (size > most || (tag.register.type.startsWith("float") && size < least / 1_000)) return "wrong";
  return size >= least && tag.units !== undefined ? "sensible" : "silent";
}
