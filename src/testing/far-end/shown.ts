/** What a consumer holds of a tag, and what it says of it; the same for every format. */
import type { Value } from "../../core/tag.ts";

/** A tag as the gateway told of it last. */
export interface Shown {
  readonly value: Value;
  /** By its OPC UA name; Good where the gateway vouches for the value. */
  readonly status: string;
  /** UTC, by the gateway's clock. */
  readonly timestampMs: number;
}

/** A message as it comes from the broker. `retained`: it was there before the subscription. */
export interface Arrival {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
}
