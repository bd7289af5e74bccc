/** What arrives of one uplink in Sparkplug: order of sessions, their numbers, births; the rest is the book's. */
import type { Message } from "../../pipeline.ts";
import { wireFormOf } from "../ledger.ts";
import { BdSeqs, type Files } from "./bd-seqs.ts";
import type { DeliveryBook, Way } from "./delivery-book.ts";
import { type Heard, type HeardValue, NODE, NodeListener, nodeTopic } from "./node-listener.ts";
import type { Story } from "./story.ts";
import { isBefore, type Moment } from "./taken-in.ts";

/** Births of the node within a minute, asked for or not: Rebirths are coalesced. */
const BIRTHS_A_MINUTE_MAX = 24;
const MINUTE_MS = 60_000;
/** What was taken in so long before a birth is below the cut of its picture, and is told by number. */
const SURELY_PAST_MS = 15_000;

export interface NodeArrivalsOptions {
  readonly uplink: string;
  readonly book: DeliveryBook;
  readonly story: Story;
  readonly files: Files;
  /** Devices that have been there for long, and are. */
  readonly present: () => readonly string[];
}

interface Arrival {
  readonly broker: number;
  readonly message: Message;
  readonly nowMs: number;
  readonly way: Way;
  /** Since when the host that it is for is there; Infinity: it is not. */
  readonly heardFromMs: number;
}

/** At one broker. */
interface Seat {
  readonly listener: NodeListener;
  /** Told by the will of the last CONNECT. */
  willBdSeq: number | undefined;
  session: string;
  bornMs: number;
  birthsMs: readonly number[];
  /** Devices that must be born before data; undefined once data came. */
  awaited: ReadonlySet<string> | undefined;
  /** What the far end was shown last, by tag. */
  readonly shown: Map<string, Moment>;
}

export class NodeArrivals {
  readonly #options: NodeArrivalsOptions;
  readonly #bdSeqs: BdSeqs;
  readonly #seats = new Map<number, Seat>();
  #sessions = 0;

  constructor(options: NodeArrivalsOptions) {
    this.#options = options;
    this.#bdSeqs = new BdSeqs(options);
  }

  /** A CONNECT packet with this will. */
  connects(broker: number, bdSeq: number | undefined, nowMs: number): void {
    this.#seat(broker).willBdSeq = bdSeq;
    this.#bdSeqs.connects(bdSeq, nowMs);
  }

  arrived(arrival: Arrival): void {
    const { broker, message, nowMs } = arrival;
    const topic = nodeTopic(message.topic);
    if (topic === undefined) return;
    const seat = this.#seat(broker);
    const heard = seat.listener.hear(topic, message);
    for (const flaw of heard.flaws) this.#breach("P3 order of a session", flaw);
    if (heard.seqFlaw !== "") this.#breach("identity: seq without gaps", heard.seqFlaw);
    if (heard.type === "NBIRTH") this.#nodeBorn(seat, heard, nowMs);
    if (heard.type === "NDEATH") this.#bdSeqs.dies(heard.bdSeq);
    if (heard.type.endsWith("DATA")) this.#dataBegins(seat, heard, nowMs);
    const isPast = heard.losses.length > 0 || heard.values.some(({ isHistorical }) => isHistorical);
    if (isPast) this.#options.book.history(message.payload.length, nowMs);
    // Who came after the births understands nothing of what follows.
    const isHeard = arrival.heardFromMs <= seat.bornMs;
    for (const loss of heard.losses) this.#options.book.lost(loss, nowMs, isHeard);
    for (const value of heard.values) this.#value(seat, heard, { ...value, isHeard }, arrival);
  }

  #nodeBorn(seat: Seat, { bdSeq, isNewSession }: Heard, nowMs: number): void {
    if (bdSeq !== seat.willBdSeq)
      this.#breach("identity: bdSeq of a session", `NBIRTH has bdSeq ${bdSeq}, its will has ${seat.willBdSeq}`);
    seat.bornMs = nowMs;
    seat.awaited = new Set(this.#options.present().filter((device) => device !== NODE));
    seat.birthsMs = [...seat.birthsMs, nowMs].filter((ms) => ms > nowMs - MINUTE_MS);
    if (seat.birthsMs.length > BIRTHS_A_MINUTE_MAX)
      this.#breach("P7 bounded", `${seat.birthsMs.length} births of the node within a minute`);
    if (!isNewSession) return;
    this.#sessions += 1;
    seat.session = `${this.#sessions}`;
    seat.shown.clear();
    seat.birthsMs = [nowMs];
  }

  /** All births first, then data. */
  #dataBegins(seat: Seat, { type }: Heard, nowMs: number): void {
    if (seat.awaited === undefined || !seat.listener.isAlive) return;
    const born = new Set(seat.listener.devices());
    const present = new Set(this.#options.present());
    const unborn = [...seat.awaited].filter((device) => present.has(device) && !born.has(device));
    if (unborn.length > 0) this.#breach("P3 order of a session", `${type} before the birth of ${unborn.join(", ")}`);
    seat.awaited = undefined;
    this.#options.book.online(nowMs);
  }

  #value(seat: Seat, heard: Heard, value: HeardValue & { isHeard: boolean }, { nowMs, way }: Arrival): void {
    const { book } = this.#options;
    const { id, epoch, t, status, isHistorical, isTransient, isHeard } = value;
    const told = { id, epoch, t, status, value: wireFormOf(value.value, value.type) };
    if (!isHistorical) this.#checkShown(seat, value);
    if (heard.type.endsWith("BIRTH")) {
      if (!isTransient) book.shown(told);
      return;
    }
    const isLate = isHistorical && (book.newcomer(id, epoch, t)?.atMs ?? nowMs) < seat.bornMs - SURELY_PAST_MS;
    const stream = isLate || !isHistorical ? seat.session : undefined;
    const stage = isHistorical ? "history" : "data";
    book.value({ ...told, stage, isCopy: isTransient, isMarkedRight: true, stream, isHeard }, nowMs, way);
  }

  /** No value of a host steps back in time. */
  #checkShown({ shown }: Seat, { id, epoch, t, isTransient }: HeardValue): void {
    const key = isTransient ? `${id} as a copy` : id;
    const last = shown.get(key);
    if (last !== undefined && isBefore({ epoch, t }, last))
      this.#breach("identity: order", `${id} of epoch ${epoch} t ${t} is shown after ${last.epoch} ${last.t}`);
    shown.set(key, { epoch, t });
  }

  #seat(broker: number): Seat {
    let seat = this.#seats.get(broker);
    if (seat === undefined) {
      const nothing = { willBdSeq: undefined, session: "", bornMs: 0, birthsMs: [], awaited: undefined };
      seat = { ...nothing, listener: new NodeListener(), shown: new Map() };
      this.#seats.set(broker, seat);
    }
    return seat;
  }

  #breach(invariant: Parameters<Story["breach"]>[0], what: string): void {
    this.#options.story.breach(invariant, `${this.#options.uplink}: ${what}`);
  }
}
