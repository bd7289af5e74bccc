/** What must not be: how often, by kind, and the first of each in words. */

const WORDS_PER_KIND_MAX = 10;
const KINDS_MAX = 50;

export class FaultList {
  readonly #kinds = new Map<string, { count: number; readonly words: string[] }>();

  get count(): number {
    return [...this.#kinds.values()].reduce((sum, { count }) => sum + count, 0);
  }

  add(kind: string, words: string): void {
    const known = this.#kinds.get(kind) ?? { count: 0, words: [] };
    known.count += 1;
    if (known.words.length < WORDS_PER_KIND_MAX) known.words.push(words);
    if (this.#kinds.has(kind) || this.#kinds.size < KINDS_MAX) this.#kinds.set(kind, known);
  }

  lines(): readonly string[] {
    return [...this.#kinds].flatMap(([kind, { count, words }]) => [
      `${kind}: ${count}`,
      ...words.map((each) => `  ${each}`),
    ]);
  }
}
