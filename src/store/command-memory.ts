/**
 * What commands were here, in state.db; and in the outbox once more when the latest of them was issued, so that the loss
 * of one file lets nothing be carried out twice.
 *
 *     commands/horizon         what was issued then or before is refused
 *     commands/nonce/NONCE     when the command of this nonce was issued
 *     commands/latest          what was issued before is refused; in both files
 */
import type { CommandMemory, CommandMemoryState } from "../core/remote-write.ts";
import type { BlockStore, Facts } from "./block-store.ts";
import { numberIn } from "./fact-text.ts";
import type { StateFile } from "./storage-client.ts";

const HORIZON = "commands/horizon";
const NONCE = "commands/nonce/";
const LATEST = "commands/latest";

export interface CommandMemoryOptions {
  readonly file: Pick<StateFile, "save">;
  readonly blocks: Pick<BlockStore, "commit">;
}

/** @param facts of state.db; @param copies facts of the outbox */
export function createCommandMemory(options: CommandMemoryOptions, facts: Facts, copies: Facts): CommandMemory {
  return new Memory(options, facts, copies);
}

class Memory implements CommandMemory {
  readonly #options: CommandMemoryOptions;
  #state: CommandMemoryState;
  /** Not on the card yet. */
  #unsaved = new Map<string, string | null>();
  /** Saves what is unsaved when it begins. */
  #next: Promise<void> | undefined;
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: CommandMemoryOptions, facts: Facts, copies: Facts) {
    this.#options = options;
    const nonces = facts.flatMap(([name, text]) => {
      const issuedMs = name.startsWith(NONCE) ? numberIn(text) : undefined;
      return issuedMs === undefined ? [] : [[name.slice(NONCE.length), issuedMs] as const];
    });
    const textOf = (all: Facts, wanted: string) => all.find(([name]) => name === wanted)?.[1] ?? null;
    this.#state = {
      horizonMs: numberIn(textOf(facts, HORIZON)),
      nonces: new Map(nonces),
      latestMs: later(numberIn(textOf(facts, LATEST)), numberIn(textOf(copies, LATEST))),
    };
  }

  state(): CommandMemoryState {
    return this.#state;
  }

  keep(state: CommandMemoryState): Promise<void> {
    const before = this.#state;
    this.#state = state;
    if (state.horizonMs !== undefined && state.horizonMs !== before.horizonMs)
      this.#unsaved.set(HORIZON, `${state.horizonMs}`);
    if (state.latestMs !== undefined && state.latestMs !== before.latestMs)
      this.#unsaved.set(LATEST, `${state.latestMs}`);
    for (const [nonce, issuedMs] of state.nonces)
      if (!before.nonces.has(nonce)) this.#unsaved.set(NONCE + nonce, `${issuedMs}`);
    for (const nonce of before.nonces.keys()) if (!state.nonces.has(nonce)) this.#unsaved.set(NONCE + nonce, null);
    // One at a time: what comes meanwhile goes together with the next.
    this.#next ??= this.#running.then(() => this.#save());
    return this.#next;
  }

  #save(): Promise<void> {
    this.#next = undefined;
    const facts = [...this.#unsaved];
    this.#unsaved = new Map();
    const { file, blocks } = this.#options;
    const { latestMs } = this.#state;
    // A second copy is worth nothing before the first one is there, and a card that refuses it costs no command.
    const saving = file.save(facts).then(async () => {
      if (latestMs === undefined) return;
      await blocks.commit({ ...NO_CHANGE, facts: [[LATEST, `${latestMs}`]] }).catch(() => undefined);
    });
    this.#running = saving.catch(() => {
      // Goes with the next, unless that says something newer.
      this.#unsaved = new Map([...facts, ...this.#unsaved]);
    });
    return saving;
  }
}

function later(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}

const NO_CHANGE = { blocks: [], tags: [], released: [], dropped: [], forgotten: [], ages: [] } as const;
