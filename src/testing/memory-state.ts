import type { KeptCount } from "../core/kept-count.ts";
import type { StateStore } from "../pipeline.ts";

/** What state.db keeps, in memory: outlives an uplink, as the card outlives the process. */
export class MemoryState implements StateStore {
  #epoch = 1;
  readonly #sessions = new Map<string, number>();
  readonly #bdSeqs = new Map<string, number>();
  readonly #retained = new Map<string, readonly string[]>();
  readonly counts = new Map<string, KeptCount>();
  /** Writes of retained topics so far. */
  retainedWrites = 0;
  /** Every write fails with this reason. */
  fault: string | undefined;

  epoch(): number {
    return this.#epoch;
  }

  async clockSettled(): Promise<boolean> {
    return false;
  }

  raiseEpoch(): number {
    this.#epoch += 1;
    return this.#epoch;
  }

  async nextSession(uplink: string): Promise<number> {
    this.#check();
    const session = (this.#sessions.get(uplink) ?? 0) + 1;
    this.#sessions.set(uplink, session);
    return session;
  }

  async nextBdSeq(uplink: string): Promise<number> {
    const bdSeq = ((this.#bdSeqs.get(uplink) ?? -1) + 1) % 256;
    this.#bdSeqs.set(uplink, bdSeq);
    return bdSeq;
  }

  retained(uplink: string, server: string): readonly string[] {
    return this.#retained.get(`${uplink} ${server}`) ?? [];
  }

  async setRetained(uplink: string, server: string, topics: readonly string[]): Promise<void> {
    this.#check();
    this.retainedWrites += 1;
    this.#retained.set(`${uplink} ${server}`, topics);
  }

  count(input: string, start: number): KeptCount {
    return this.counts.get(input) ?? { start, edges: 0, certain: true };
  }

  keepCount(input: string, count: KeptCount): void {
    this.counts.set(input, count);
  }

  #check(): void {
    if (this.fault !== undefined) throw new Error(this.fault);
  }
}
