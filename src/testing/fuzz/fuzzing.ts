/**
 * Gives a parser its corpus, then inputs that are right in form, and mutations of both. What brings about something new
 * joins the pool: not coverage as a compiler's instruments tell it, and most of what that is good for.
 */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { seededRandom } from "../../core/random.ts";
import type { FuzzTarget } from "./fuzz-target.ts";
import { mutated } from "./mutation.ts";

const CORPUS = fileURLToPath(new URL("./corpus/", import.meta.url));
const FOUND = "found-";
/** Of every so many inputs one is made by form, the others by mutation. */
const FORMED_EVERY = 4;
const FORMED_BATCH = 500;
const POOL_MAX = 500;
const INPUT_MAX_BYTES = 600;
const PROGRESS_EVERY = 10_000;

export interface Fuzzed {
  readonly runs: number;
  /** How many different things came of them. */
  readonly kinds: number;
}

/** An input that no parser of ours may be brought to its knees by, and was. */
export class FuzzFinding extends Error {
  readonly input: Uint8Array;

  constructor(target: string, input: Uint8Array, cause: unknown) {
    const text = cause instanceof Error ? (cause.stack ?? cause.message) : String(cause);
    super(`${target} with ${input.length} bytes ${Buffer.from(input).toString("base64")}: ${text}`);
    this.name = "FuzzFinding";
    this.input = input;
  }
}

/**
 * @param onProgress called now and then with the runs so far
 * @throws FuzzFinding
 */
export function fuzz(
  target: FuzzTarget,
  { runs, seed, onProgress }: { runs: number; seed: number; onProgress?: (fuzzed: Fuzzed) => void },
): Fuzzed {
  const random = seededRandom(seed);
  const pool = [...corpusOf(target.name)];
  const kinds = new Set<string>();
  let formed: Uint8Array[] = [];
  let done = 0;
  const give = (input: Uint8Array): void => {
    const kind = outcome(target, input);
    done += 1;
    if (!kinds.has(kind)) {
      kinds.add(kind);
      if (pool.length < POOL_MAX) pool.push(input);
    }
    if (done % PROGRESS_EVERY === 0) onProgress?.({ runs: done, kinds: kinds.size });
  };
  for (const input of [...pool]) give(input);
  while (done < runs) {
    if (formed.length === 0)
      formed = fc.sample(target.formed, { numRuns: Math.min(FORMED_BATCH, runs), seed: seed + done });
    const made = done % FORMED_EVERY === 0 ? formed.pop() : undefined;
    give(made ?? mutated(pool, target.tokens ?? [], target.maxBytes ?? INPUT_MAX_BYTES, random));
  }
  return { runs: done, kinds: kinds.size };
}

/** Inputs of the corpus that found a mistake once: their files begin with `found-`, and say in words what it was. */
export function foundBefore(name: string): readonly { readonly words: string; readonly input: Uint8Array }[] {
  return filesOf(name)
    .filter(({ file }) => file.startsWith(FOUND))
    .map(({ file, input }) => ({
      words: file
        .slice(FOUND.length)
        .replace(/\.\w+$/, "")
        .replaceAll("-", " "),
      input,
    }));
}

function corpusOf(name: string): readonly Uint8Array[] {
  return filesOf(name).map(({ input }) => input);
}

function filesOf(name: string): readonly { readonly file: string; readonly input: Uint8Array }[] {
  const folder = `${CORPUS}${name}/`;
  return readdirSync(folder)
    .sort()
    .map((file) => ({ file, input: readFileSync(folder + file) }));
}

function outcome(target: FuzzTarget, input: Uint8Array): string {
  try {
    return target.run(input);
  } catch (thrown) {
    throw new FuzzFinding(target.name, input, thrown);
  }
}
