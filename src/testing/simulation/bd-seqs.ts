/** bdSeq of one uplink, over all its servers and lives: one more with each CONNECT, never the last one again. */
import type { Story } from "./story.ts";

/** What the gateway can know of before. */
export interface Files {
  /** The card takes what is written, and the running life has read it. */
  areInOrder(): boolean;
  /** When one was damaged, the last time. */
  damagedMs(): number;
  /** How many lives began. */
  lives(): number;
}

interface Connect {
  readonly bdSeq: number;
  readonly atMs: number;
  readonly life: number;
  readonly isStored: boolean;
}

const BD_SEQS = 256;

export class BdSeqs {
  readonly #uplink: string;
  readonly #story: Story;
  readonly #files: Files;
  readonly #used = new Set<number>();
  #last: Connect | undefined;

  constructor({ uplink, story, files }: { readonly uplink: string; readonly story: Story; readonly files: Files }) {
    this.#uplink = uplink;
    this.#story = story;
    this.#files = files;
  }

  connects(bdSeq: number | undefined, atMs: number): void {
    if (bdSeq === undefined) {
      this.#breach("a will has none");
      return;
    }
    const [last, isStored, life] = [this.#last, this.#files.areInOrder(), this.#files.lives()];
    this.#last = { bdSeq, atMs, life, isStored };
    this.#used.add(bdSeq);
    if (last === undefined) return;
    // It is stored before CONNECT: each end of a life may leave one out. What no file took is not known to the next one.
    const isKnown = life === last.life || (last.isStored && isStored && this.#files.damagedMs() < last.atMs);
    const ahead = (bdSeq - last.bdSeq + BD_SEQS) % BD_SEQS;
    if (isKnown && (ahead < 1 || ahead > 1 + life - last.life)) this.#breach(`${bdSeq} after ${last.bdSeq}`);
  }

  dies(bdSeq: number | undefined): void {
    if (bdSeq === undefined || !this.#used.has(bdSeq)) this.#breach(`a death has ${bdSeq}, which no CONNECT had`);
  }

  #breach(what: string): void {
    this.#story.breach("identity: bdSeq of a session", `${this.#uplink}: ${what}`);
  }
}
