import type { Arbitrary } from "fast-check";

/** One parser, and what must be true of it whatever it is given. */
export interface FuzzTarget {
  /** Also of its folder in `corpus/`. */
  readonly name: string;
  /**
   * Gives the parser these bytes. Throws what no input may bring about: an error that is not the parser's own, a result
   * that breaks a promise.
   *
   * @returns what came of it, in some words that are few over all inputs: an input with a new one is worth keeping
   */
  readonly run: (bytes: Uint8Array) => string;
  /** Inputs that are right in form, with hostile values. */
  readonly formed: Arbitrary<Uint8Array>;
  /** What the parser looks for: words and marks that mutation alone would not find. */
  readonly tokens?: readonly string[];
  /** Longer inputs say nothing more, and cost speed. Default: 600. */
  readonly maxBytes?: number;
  /** Ends what `run` has begun. */
  readonly close?: () => void;
}

/** What steers a terminal, or makes a line of its own. */
export const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u;

/** The words of an error without what differs in each: numbers, and what is quoted of the input. */
export function kindOf(message: string): string {
  return message
    .replace(/"[^"]*"?|'[^']*'?/g, "…")
    .replace(/\d+/g, "0")
    .slice(0, KIND_MAX_CHARS);
}

const KIND_MAX_CHARS = 60;
