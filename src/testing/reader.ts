/**
 * The far end, as the cloud contract describes it: what a consumer of the JSON topics may believe, and why not more.
 *
 * The reader's rule: a device's values are current only if the status is online, the sessions match, and the reader has
 * all of that device since its snapshot: every data message since the `seq` of a status it received live, and no
 * `devices` entry of that status above the snapshot's `after` that it missed. Of two values of a tag the greater
 * (epoch, t) holds.
 */
import type { Value } from "../core/tag.ts";
import { type LossOnWire, parseWire, type SnapshotOnWire, type StatusOnWire, type ValuesOnWire } from "./wire.ts";

export interface ReaderTag {
  readonly id: string;
  readonly value: Value;
  readonly good: boolean;
  /** Name of the status; Good where `good`. */
  readonly status: string;
  readonly timestampMs: number;
  readonly epoch: number;
  /** Its time is only the best-known one, so it has no identity. */
  readonly unsynced: boolean;
}

export interface Currency {
  readonly current: boolean;
  /** Why not, in words; empty when current. */
  readonly reason: string;
}

interface ReaderDevice {
  /** Snapshot parts by their number. */
  readonly parts: Map<number, SnapshotOnWire>;
  /** Types of the tags by id. */
  readonly types: Map<string, string>;
  /** The reader has everything since the snapshot, and has had since. */
  complete: boolean;
}

/** Data messages of a session received without a gap. */
interface Run {
  readonly session: number;
  readonly from: number;
  to: number;
}

export class Reader {
  readonly #prefix: string;
  readonly #idTemplate: string;
  readonly #devices = new Map<string, ReaderDevice>();
  readonly #tags = new Map<string, ReaderTag>();
  readonly #counts = { live: 0, history: 0, losses: 0, gaps: 0, repeated: 0 };
  #status: StatusOnWire | undefined;
  /** The last status that came while listening; only such a one tells what has not been missed. */
  #liveStatus: StatusOnWire | undefined;
  #run: Run | undefined;
  #historySeq: { readonly session: number; readonly seq: number } | undefined;

  /** @param topic the uplink's prefix  @param idTemplate as in the uplink's configuration */
  constructor(topic: string, idTemplate = "{device}/{tag}") {
    this.#prefix = `${topic}/`;
    this.#idTemplate = idTemplate;
  }

  /** @param retained the message was there before the subscription */
  receive(topic: string, payload: Uint8Array, retained: boolean): void {
    if (!topic.startsWith(this.#prefix)) return;
    const [stage, device = "", part = "1"] = topic.slice(this.#prefix.length).split("/");
    const cleared = payload.length === 0;
    switch (stage) {
      case "status":
        if (!cleared) this.#receiveStatus(parseWire(payload), retained);
        break;
      case "tags":
        if (!cleared) this.#receiveTags(device, parseWire(payload));
        else if (part === "1") this.#devices.delete(device);
        break;
      case "snapshot":
        if (cleared) this.#clearPart(device, Number(part));
        else this.#receiveSnapshot(device, Number(part), parseWire(payload));
        break;
      case "data":
        this.#receiveData(parseWire(payload));
        break;
      case "history":
        this.#receiveHistory(parseWire(payload));
        break;
    }
  }

  /** The reader lost its own connection: what came meanwhile is missed. */
  disconnected(): void {
    this.#status = undefined;
    this.#liveStatus = undefined;
    this.#breakRun(undefined);
  }

  online(): boolean {
    return this.#status?.online === true;
  }

  devices(): readonly string[] {
    return [...this.#devices.keys()];
  }

  /** The rule. */
  currency(name: string): Currency {
    const reason = this.#doubt(name);
    return { current: reason === "", reason };
  }

  tag(id: string): ReaderTag | undefined {
    return this.#tags.get(id);
  }

  /** The tags of a device in the order of its snapshot. */
  tags(device: string): readonly ReaderTag[] {
    const parts = [...(this.#devices.get(device)?.parts ?? [])].sort(([a], [b]) => a - b);
    return parts.flatMap(([, { values }]) => values.flatMap(({ id }) => this.#tags.get(id) ?? []));
  }

  /** Values received live and as history, loss entries, gaps in `seq`, and messages that came twice. */
  counts(): Readonly<{ live: number; history: number; losses: number; gaps: number; repeated: number }> {
    return { ...this.#counts };
  }

  #doubt(name: string): string {
    const device = this.#devices.get(name);
    const status = this.#status;
    if (status === undefined) return "no status yet";
    if (!status.online) return "the gateway is offline";
    const parts = [...(device?.parts.values() ?? [])];
    const [first] = parts;
    if (device === undefined || first === undefined) return "no snapshot yet";
    if (parts.some(({ session }) => session !== status.session)) return "the snapshot is of another session";
    if (parts.length < (first.parts ?? 1)) return "parts of the snapshot are missing";
    if (this.#liveStatus?.session !== status.session || this.#run === undefined) return "no status since listening";
    return device.complete ? "" : "data was missed since the snapshot";
  }

  #receiveStatus(status: StatusOnWire, retained: boolean): void {
    if (this.#status !== undefined && status.session < this.#status.session) return;
    const sameSession = status.session === this.#status?.session;
    this.#status = status;
    if (!sameSession) this.#forgetCompleteness();
    if (!status.online || retained) return;
    this.#liveStatus = status;
    const seq = status.seq ?? 0;
    const run = this.#run;
    const unbroken = run?.session === status.session && run.from <= seq + 1 && seq <= run.to;
    if (!unbroken) {
      if (run?.session === status.session) this.#counts.gaps += 1;
      this.#breakRun({ session: status.session, from: seq + 1, to: seq });
    }
    for (const device of this.#devices.values()) this.#review(device);
  }

  #receiveTags(name: string, { tags }: { readonly tags: Readonly<Record<string, { readonly type: string }>> }): void {
    const { types } = this.#device(name);
    for (const [tag, { type }] of Object.entries(tags)) {
      types.set(this.#idTemplate.replaceAll("{device}", name).replaceAll("{tag}", tag), type);
    }
  }

  #receiveSnapshot(name: string, part: number, snapshot: SnapshotOnWire): void {
    const device = this.#device(name);
    device.parts.set(part, snapshot);
    for (const known of [...device.parts.keys()]) if (known > (snapshot.parts ?? 1)) device.parts.delete(known);
    this.#take(snapshot, device);
    this.#review(device);
  }

  #clearPart(name: string, part: number): void {
    const device = this.#devices.get(name);
    if (device === undefined) return;
    device.parts.delete(part);
    this.#review(device);
  }

  #receiveData(message: ValuesOnWire): void {
    const { session, seq, values } = message;
    const run = this.#run;
    if (run === undefined || session > run.session) {
      this.#breakRun({ session, from: seq, to: seq });
    } else if (session === run.session && seq === run.to + 1) {
      run.to = seq;
    } else if (session === run.session && seq > run.to) {
      this.#counts.gaps += 1;
      this.#liveStatus = undefined;
      this.#breakRun({ session, from: seq, to: seq });
    } else {
      this.#counts.repeated += 1;
      return;
    }
    this.#counts.live += values.length;
    this.#take(message);
  }

  #receiveHistory({ session, seq, values }: ValuesOnWire): void {
    const last = this.#historySeq;
    if (last !== undefined && session === last.session && seq <= last.seq) {
      this.#counts.repeated += 1;
      return;
    }
    if (last !== undefined && session === last.session && seq > last.seq + 1) this.#counts.gaps += 1;
    this.#historySeq = { session, seq };
    for (const value of values) {
      if (isLoss(value)) this.#counts.losses += 1;
      else this.#counts.history += 1;
    }
  }

  /** Of two values of a tag the greater (epoch, t) holds; one whose time is only the best-known one gives way to any that is not. */
  #take(message: Pick<ValuesOnWire, "epoch" | "clock" | "values">, device?: ReaderDevice): void {
    const { epoch: messageEpoch, clock, values } = message;
    const unsynced = clock === "unsynced";
    for (const { id, v, q, s, t, e } of values) {
      const epoch = e ?? messageEpoch;
      const known = this.#tags.get(id);
      const hasOrder = known !== undefined && !(known.unsynced && !unsynced);
      if (hasOrder && (epoch < known.epoch || (epoch === known.epoch && t <= known.timestampMs))) continue;
      const type = (device ?? this.#deviceOf(id))?.types.get(id);
      this.#tags.set(id, { id, value: typed(v, type), good: q, status: s ?? "Good", timestampMs: t, epoch, unsynced });
    }
  }

  /** Completeness is found out once and then kept by an unbroken run. */
  #review(device: ReaderDevice): void {
    const { session, devices } = this.#liveStatus ?? {};
    const run = this.#run;
    const [first] = device.parts.values();
    if (device.complete || run === undefined || session === undefined || run.session !== session) return;
    if (first === undefined || device.parts.size < (first.parts ?? 1)) return;
    const name = this.#nameOf(device);
    const carriedBy = devices?.[name] ?? 0;
    device.complete = [...device.parts.values()].every(
      (part) => part.session === session && (carriedBy <= part.after || run.from <= part.after + 1),
    );
  }

  #breakRun(run: Run | undefined): void {
    this.#run = run;
    this.#forgetCompleteness();
  }

  #forgetCompleteness(): void {
    for (const device of this.#devices.values()) device.complete = false;
  }

  #device(name: string): ReaderDevice {
    let device = this.#devices.get(name);
    if (device === undefined) {
      device = { parts: new Map(), types: new Map(), complete: false };
      this.#devices.set(name, device);
    }
    return device;
  }

  #nameOf(device: ReaderDevice): string {
    return [...this.#devices].find(([, known]) => known === device)?.[0] ?? "";
  }

  #deviceOf(id: string): ReaderDevice | undefined {
    return [...this.#devices.values()].find(({ types }) => types.has(id));
  }
}

function isLoss(value: object): value is LossOnWire {
  return "reason" in value;
}

/** 64-bit integers are told by their type: a string beyond 2^53. */
function typed(value: ValuesOnWire["values"][number]["v"], type: string | undefined): Value {
  const is64 = type === "int64" || type === "uint64";
  return is64 && (typeof value === "string" || typeof value === "number") ? BigInt(value) : value;
}
