/** Remote writes, only where the configuration allows them: what uplinks, sources and store say to each other of them. */
import type { Value } from "./tag.ts";

/** What came of a write, as far as the device tells. The reason says whether it may have been carried out all the same. */
export type WriteOutcome =
  /** The device holds it: it was read back. */
  | { readonly kind: "confirmed" }
  /** The device has acknowledged it; what it holds is not known, or something else. */
  | { readonly kind: "unconfirmed"; readonly reason: string }
  | { readonly kind: "failed"; readonly reason: string };

/** Tags by their ids. */
export interface TagWriter {
  /** Why its device cannot be told this value, in words; undefined: it can. */
  obstacle(id: string, value: Value): string | undefined;
  /** Never rejects. @param onWritten the device has acknowledged it, and it is read back now */
  write(id: string, value: Value, onWritten: () => void): Promise<WriteOutcome>;
}

/** What must be remembered so that no signed command is carried out twice. */
export interface CommandMemoryState {
  /** What was issued then or before is refused; UTC ms. Undefined: the time was never known yet. */
  readonly horizonMs: number | undefined;
  /** Of commands that were issued later: when, by nonce. */
  readonly nonces: ReadonlyMap<string, number>;
  /** What was issued before this is refused: when the latest was that came in time; UTC ms. Kept in two files. */
  readonly latestMs: number | undefined;
}

export interface CommandMemory {
  state(): CommandMemoryState;
  /** This is the state from now on. On the card when it resolves; rejects where that does not take it. */
  keep(state: CommandMemoryState): Promise<void>;
}
