/** A planted mistake: what the simulation must see if it is worth anything. */
export interface Mutation {
  /** What the mutated gateway does wrong. */
  readonly name: string;
  /** The promise that it breaks. */
  readonly breaks: "P3" | "P4" | "P5" | "P6" | "P7" | "P8" | "P9" | "P11" | "identity";
  readonly edits: readonly Edit[];
}

export interface Edit {
  /** Below src/. */
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
}

/** @throws where the text does not stand in the file exactly once: the mutation has to be brought up to date */
export function edited(text: string, { file, find, replace }: Edit): string {
  const pieces = text.split(find);
  if (pieces.length !== 2) {
    throw new Error(`src/${file} holds ${pieces.length - 1} times: ${find}`);
  }
  return pieces.join(replace);
}
