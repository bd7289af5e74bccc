/** Entry of the storage thread: an fsync may take seconds, and the bus must not wait for it. */
import { parentPort } from "node:worker_threads";
import { assert } from "../core/errors.ts";
import { storageFailure } from "./sqlite.ts";
import {
  type Argument,
  buffersOf,
  type CallName,
  createStorageCalls,
  type Result,
  type StorageReply,
  type StorageRequest,
} from "./storage-calls.ts";

const port = parentPort;
assert(port !== null, "the storage thread was started as a process");
const calls = createStorageCalls();

function perform<K extends CallName>(name: K, argument: Argument<K>): Result<K> {
  return calls[name](argument);
}

port.on("message", ({ id, name, argument }: StorageRequest) => {
  try {
    const result: unknown = perform(name, argument as Argument<CallName>);
    port.postMessage({ id, result } satisfies StorageReply, buffersOf(result));
  } catch (thrown) {
    const { kind, message } = storageFailure(thrown);
    port.postMessage({ id, failure: { kind, message } } satisfies StorageReply);
  }
});
