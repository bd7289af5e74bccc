/**
 * What the storage thread can be asked: one table of synchronous calls, used by the worker and in-process alike, so
 * that both are the same code.
 */
import type {
  Block,
  Change,
  Facts,
  FailureKind,
  OldBlock,
  OldestRequest,
  OpenedBlocks,
  OpenRequest,
  PriorityRange,
  ReadBlocks,
  ReadRequest,
  Usage,
} from "./block-store.ts";
import type { SqliteWatch } from "./sqlite.ts";
import { SqliteBlockStore } from "./sqlite-block-store.ts";
import { type OpenedState, SqliteState } from "./sqlite-state.ts";

/** What each call is given and what it answers. */
interface CallTypes {
  openBlocks: { argument: OpenRequest; result: OpenedBlocks };
  renewBlocks: {
    argument: { readonly reason: string; readonly nowMs: number; readonly below: number };
    result: OpenedBlocks;
  };
  commitBlocks: { argument: Change; result: Usage };
  readBlocks: { argument: ReadRequest; result: ReadBlocks };
  oldestBlocks: { argument: OldestRequest; result: readonly OldBlock[] };
  sizeOfBlocks: { argument: readonly PriorityRange[]; result: number };
  reachingBlocks: { argument: number; result: readonly Block[] };
  loadBlocks: { argument: readonly number[]; result: readonly Block[] };
  closeBlocks: { argument: undefined; result: undefined };
  openState: { argument: OpenRequest; result: OpenedState };
  saveState: { argument: Facts; result: undefined };
  closeState: { argument: undefined; result: undefined };
}

export type CallName = keyof CallTypes;
export type Argument<K extends CallName> = CallTypes[K]["argument"];
export type Result<K extends CallName> = CallTypes[K]["result"];
/** Each call is one transaction, and throws a StorageFailure. */
export type StorageCalls = { readonly [K in CallName]: (argument: Argument<K>) => Result<K> };

export interface StorageRequest {
  readonly id: number;
  readonly name: CallName;
  readonly argument: unknown;
}

export type StorageReply =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: { readonly kind: FailureKind; readonly message: string } };

export function createStorageCalls(watch?: SqliteWatch): StorageCalls {
  const blocks = new SqliteBlockStore(watch);
  const state = new SqliteState(watch);
  return {
    openBlocks: (request) => blocks.open(request),
    renewBlocks: (request) => blocks.renew(request),
    commitBlocks: (change) => blocks.commit(change),
    readBlocks: (request) => blocks.read(request),
    oldestBlocks: (request) => blocks.oldest(request),
    sizeOfBlocks: (ranges) => blocks.sizeOf(ranges),
    reachingBlocks: (number) => blocks.reaching(number),
    loadBlocks: (firsts) => blocks.load(firsts),
    closeBlocks: () => {
      blocks.close();
    },
    openState: (request) => state.open(request),
    saveState: (facts) => {
      state.save(facts);
    },
    closeState: () => {
      state.close();
    },
  };
}

/**
 * The buffers of the blocks in an argument or a result: they move between the threads instead of being copied.
 * One that is shared with other bytes is left out, and copied.
 */
export function buffersOf(message: unknown): ArrayBuffer[] {
  const list = hasBlocks(message) ? message.blocks : message;
  if (!Array.isArray(list)) return [];
  const buffers: ArrayBuffer[] = [];
  for (const item of list) {
    const data: unknown = item?.data;
    if (!(data instanceof Uint8Array && data.buffer instanceof ArrayBuffer)) continue;
    if (data.buffer.byteLength === data.byteLength) buffers.push(data.buffer);
  }
  return buffers;
}

function hasBlocks(message: unknown): message is { readonly blocks: unknown } {
  return typeof message === "object" && message !== null && "blocks" in message;
}
