/** The JSON topics as a consumer parses them. */

export interface StatusOnWire {
  readonly online: boolean;
  readonly timestamp: number;
  readonly session: number;
  readonly epoch: number;
  /** Absent in the will and when offline. */
  readonly seq?: number;
  readonly clock?: "unsynced";
  readonly devices?: Readonly<Record<string, number>>;
}

export interface ValueOnWire {
  readonly id: string;
  readonly v: boolean | number | string | null;
  readonly q: boolean;
  readonly s?: string;
  readonly t: number;
  readonly e?: number;
  readonly h?: 1;
}

export interface LossOnWire extends ValueOnWire {
  readonly from: number;
  readonly to: number;
  /** The epoch of `to`, where it is not that of `from`. */
  readonly toE?: number;
  readonly count: number | null;
  readonly reason: string;
}

export interface ValuesOnWire {
  readonly timestamp: number;
  readonly session: number;
  readonly epoch: number;
  readonly seq: number;
  readonly clock?: "unsynced";
  readonly values: readonly (ValueOnWire | LossOnWire)[];
}

export interface SnapshotOnWire {
  readonly timestamp: number;
  readonly session: number;
  readonly epoch: number;
  readonly after: number;
  readonly part?: number;
  readonly parts?: number;
  readonly clock?: "unsynced";
  readonly values: readonly ValueOnWire[];
}

export function isLoss(value: object): value is LossOnWire {
  return "reason" in value;
}

/** Many look at one message; nobody writes into it. */
const parsed = new WeakMap<Uint8Array, unknown>();

/** Believes the sender as to the form: for tests and the demo, which know him. */
export function parseWire<T>(payload: Uint8Array): T;
export function parseWire(payload: Uint8Array): unknown {
  const known = parsed.get(payload);
  if (known !== undefined) return known;
  const content: unknown = JSON.parse(Buffer.from(payload).toString("utf8"));
  parsed.set(payload, content);
  return content;
}
