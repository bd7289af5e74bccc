import type { Random } from "../../core/random.ts";

const EDITS_MAX = 6;
const RUN_MAX_BYTES = 64;
/** Bytes at which lengths, signs and texts turn. */
const EDGES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x22, 0x5c, 0x7b, 0x7d] as const;

/** One of the pool with some edits, as a worn wire, a careless hand or an attacker would make them. */
export function mutated(
  pool: readonly Uint8Array[],
  tokens: readonly string[],
  maxBytes: number,
  random: Random,
): Uint8Array {
  let bytes = pick(pool, random) ?? new Uint8Array(0);
  for (let edits = 1 + below(EDITS_MAX, random); edits > 0; edits--) bytes = edited(bytes, pool, tokens, random);
  return bytes.subarray(0, maxBytes);
}

function edited(bytes: Uint8Array, pool: readonly Uint8Array[], tokens: readonly string[], random: Random): Uint8Array {
  const at = below(bytes.length + 1, random);
  const length = below(Math.min(RUN_MAX_BYTES, bytes.length - at + 1), random);
  switch (below(8, random)) {
    case 0:
      return changed(bytes, at, (byte) => byte ^ (1 << below(8, random)));
    case 1:
      return changed(bytes, at, () => pick(EDGES, random) ?? 0);
    case 2:
      return changed(bytes, at, () => below(256, random));
    case 3:
      return spliced(bytes, at, length, new Uint8Array(0));
    case 4:
      return spliced(bytes, at, 0, bytes.subarray(at, at + length));
    case 5:
      return spliced(bytes, at, length, Buffer.from(pick(tokens, random) ?? ""));
    case 6: {
      const other = pick(pool, random) ?? new Uint8Array(0);
      const from = below(other.length + 1, random);
      return spliced(bytes, at, length, other.subarray(from, from + RUN_MAX_BYTES));
    }
    default:
      return bytes.slice(0, at);
  }
}

function changed(bytes: Uint8Array, at: number, change: (byte: number) => number): Uint8Array {
  if (at >= bytes.length) return bytes;
  const copy = bytes.slice();
  copy[at] = change(copy[at] ?? 0);
  return copy;
}

function spliced(bytes: Uint8Array, at: number, removed: number, added: Uint8Array): Uint8Array {
  return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at + removed)]);
}

function pick<T>(items: readonly T[], random: Random): T | undefined {
  return items[below(items.length, random)];
}

function below(limit: number, random: Random): number {
  return Math.floor(random.next() * limit);
}
