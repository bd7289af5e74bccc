/**
 * What one counting device has served: each reply to a read of all its registers carries the next number in every one of
 * them. Memory is the same after hours: a register holds the number modulo 2^16, and only the last ones keep their time.
 */

/** How many replies are remembered. At one a second an outage may take two hours. */
export const REMEMBERED = 8_192;

const REGISTER_VALUES = 65_536;
const FORGIVEN_MAX = 1_000;

export class ServedNumbers {
  #newest = 0;
  readonly #wallMs = new Float64Array(REMEMBERED);
  readonly #forgiven = new Set<number>();

  /** The number of the last reply; 0 before the first. */
  get newest(): number {
    return this.#newest;
  }

  /** @returns what stands in the registers of this reply */
  serve(wallMs: number): number {
    this.#newest += 1;
    this.#wallMs[this.#newest % REMEMBERED] = wallMs;
    return this.#newest % REGISTER_VALUES;
  }

  /** The reply that had this in its registers; undefined where none that is remembered had. */
  numberOf(register: number): number | undefined {
    const behind = (this.#newest - register + REGISTER_VALUES) % REGISTER_VALUES;
    const number = this.#newest - (behind % REGISTER_VALUES);
    return number < 1 || behind >= REMEMBERED ? undefined : number;
  }

  /** Of a reply that is remembered. */
  servedMs(number: number): number {
    return this.#wallMs[number % REMEMBERED] ?? 0;
  }

  /**
   * The gateway could not hear this reply to its end: the terminal or the process was taken away meanwhile.
   * @returns whether it was not forgiven before, and is now
   */
  forgive(number: number): boolean {
    if (number < 1 || this.#forgiven.size >= FORGIVEN_MAX || this.#forgiven.has(number)) return false;
    this.#forgiven.add(number);
    return true;
  }

  isForgiven(number: number): boolean {
    return this.#forgiven.has(number);
  }
}
