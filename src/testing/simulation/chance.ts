import { type Random, seededRandom } from "../../core/random.ts";

/** Draws by name. Each concern of a run has its own, so that more draws of one do not change another. */
export class Chance implements Random {
  readonly #random: Random;

  constructor(seed: number, concern: string) {
    this.#random = seededRandom(mix(seed, concern));
  }

  next(): number {
    return this.#random.next();
  }

  /** Whether it happens, with this probability. */
  happens(probability: number): boolean {
    return this.next() < probability;
  }

  /** A whole number from `min` to `max`, both inclusive. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** As `between`, but as likely between 1 and 10 as between 10 and 100. `min` is above 0. */
  spread(min: number, max: number): number {
    return Math.round(min * (max / min) ** this.next());
  }

  pick<T>(items: readonly [T, ...T[]]): T;
  pick<T>(items: readonly T[]): T | undefined;
  pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.next() * items.length)];
  }
}

/** FNV-1a over the name, from the seed. */
function mix(seed: number, concern: string): number {
  let hash = (0x811c9dc5 ^ Math.imul(seed, 0x9e3779b1)) >>> 0;
  for (let i = 0; i < concern.length; i++) hash = Math.imul(hash ^ concern.charCodeAt(i), 0x01000193) >>> 0;
  return hash;
}
