/** Both files behind one door: on a thread of their own in production, in-process in the simulation. */
import { Worker } from "node:worker_threads";
import { assert } from "../core/errors.ts";
import { type BlockStore, type Facts, type OpenRequest, StorageFailure } from "./block-store.ts";
import { storageFailure } from "./sqlite.ts";
import type { OpenedState } from "./sqlite-state.ts";
import {
  type Argument,
  buffersOf,
  type CallName,
  createStorageCalls,
  type Result,
  type StorageReply,
  type StorageRequest,
} from "./storage-calls.ts";

/** One commit, one save and a read an uplink are usual; more means that a caller does not wait for its answers. */
export const MAX_IN_FLIGHT = 64;

/** It passes blocks on and keeps nothing, so a young generation of the usual 48 MB would only hold what is garbage. */
const LIMITS = { maxYoungGenerationSizeMb: 3 };

/** state.db. Saved facts have reached the card when the promise resolves. */
export interface StateFile {
  open(request: OpenRequest): Promise<OpenedState>;
  save(facts: Facts): Promise<void>;
  close(): Promise<void>;
}

export interface Storage {
  readonly blocks: BlockStore;
  readonly state: StateFile;
  /** Ends the thread. Close both files first. */
  end(): Promise<void>;
}

/** Performs a call of the table, wherever the files are. */
export type StorageCall = <K extends CallName>(name: K, argument: Argument<K>) => Promise<Result<K>>;

export function inProcessStorage(): Storage {
  const calls = createStorageCalls();
  const call: StorageCall = async (name, argument) => {
    try {
      return calls[name](argument);
    } catch (thrown) {
      throw storageFailure(thrown);
    }
  };
  return storageOver(call, async () => undefined);
}

/** @param workerUrl of storage-worker, where it does not lie beside this file */
export function threadStorage(workerUrl: URL = new URL("./storage-worker.ts", import.meta.url)): Storage {
  const thread = new StorageThread(entryOf(workerUrl));
  return storageOver(
    (name, argument) => thread.call(name, argument),
    () => thread.end(),
  );
}

/** A worker of Node 20 does not inherit the loader that `--import tsx` registered: TypeScript registers its own. */
function entryOf(workerUrl: URL): URL {
  if (!workerUrl.pathname.endsWith(".ts")) return workerUrl;
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api"));
  const entry = `import { register } from ${loader}; register(); await import(${JSON.stringify(workerUrl.href)});`;
  return new URL(`data:text/javascript,${encodeURIComponent(entry)}`);
}

export function storageOver(call: StorageCall, end: () => Promise<void>): Storage {
  return {
    blocks: {
      open: (request) => call("openBlocks", request),
      renew: (reason, nowMs, below) => call("renewBlocks", { reason, nowMs, below }),
      commit: (change) => call("commitBlocks", change),
      read: (request) => call("readBlocks", request),
      oldest: (request) => call("oldestBlocks", request),
      sizeOf: (ranges) => call("sizeOfBlocks", ranges),
      reaching: (number) => call("reachingBlocks", number),
      load: (firsts) => call("loadBlocks", firsts),
      close: () => call("closeBlocks", undefined),
    },
    state: {
      open: (request) => call("openState", request),
      save: (facts) => call("saveState", facts),
      close: () => call("closeState", undefined),
    },
    end,
  };
}

const ENDED_ON_PURPOSE = "the storage was closed";

interface Pending {
  readonly resolve: (result: unknown) => void;
  readonly reject: (failure: StorageFailure) => void;
}

class StorageThread {
  readonly #worker: Worker;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  /** Why no more calls are answered; empty while they are. */
  #ended = "";

  constructor(entry: URL) {
    this.#worker = new Worker(entry, { name: "storage", resourceLimits: LIMITS });
    this.#worker.on("message", (reply: StorageReply) => this.#settle(reply));
    this.#worker.on("error", (error) => this.#fail(`the storage thread failed: ${error.message}`));
    this.#worker.on("exit", () => {
      const expected = this.#ended === ENDED_ON_PURPOSE;
      this.#fail("the storage thread has ended");
      // The card's faults come as replies. A thread that ends by itself is our bug, and without it nothing is stored
      // any more: the process must end and be started again while what memory holds is still young.
      assert(expected, this.#ended);
    });
  }

  async call<K extends CallName>(name: K, argument: Argument<K>): Promise<Result<K>> {
    if (this.#ended !== "") throw new StorageFailure("failing", this.#ended);
    if (this.#pending.size >= MAX_IN_FLIGHT) throw new StorageFailure("failing", "the card does not keep up");
    const request: StorageRequest = { id: this.#nextId++, name, argument };
    const result = await new Promise<unknown>((resolve, reject) => {
      this.#pending.set(request.id, { resolve, reject });
      this.#worker.postMessage(request, buffersOf(argument));
    });
    // The thread answers with what the table of calls gives for this name.
    return result as Result<K>;
  }

  async end(): Promise<void> {
    this.#ended = ENDED_ON_PURPOSE;
    await this.#worker.terminate();
  }

  #settle(reply: StorageReply): void {
    const pending = this.#pending.get(reply.id);
    this.#pending.delete(reply.id);
    if ("failure" in reply) pending?.reject(new StorageFailure(reply.failure.kind, reply.failure.message));
    else pending?.resolve(reply.result);
  }

  #fail(reason: string): void {
    if (this.#ended === "") this.#ended = reason;
    for (const { reject } of this.#pending.values()) reject(new StorageFailure("failing", this.#ended));
    this.#pending.clear();
  }
}
