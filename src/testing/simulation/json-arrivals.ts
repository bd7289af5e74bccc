/** What arrives of one uplink on its JSON topics: order of sessions and of numbers; the rest is the book's. */
import type { Message } from "../../pipeline.ts";
import { SessionOrder } from "../session-order.ts";
import { isLoss, parseWire, type StatusOnWire, type ValueOnWire, type ValuesOnWire } from "../wire.ts";
import type { DeliveryBook, Way } from "./delivery-book.ts";
import { topicOf } from "./site.ts";
import type { Story } from "./story.ts";

export class JsonArrivals {
  readonly #uplink: string;
  readonly #book: DeliveryBook;
  readonly #story: Story;
  readonly #order: SessionOrder;
  readonly #lastSeq = new Map<string, number>();
  #onlineSession = 0;
  #orderBreaches = 0;

  constructor(uplink: string, book: DeliveryBook, story: Story) {
    this.#uplink = uplink;
    this.#book = book;
    this.#story = story;
    this.#order = new SessionOrder(topicOf(uplink));
  }

  arrived(message: Message, nowMs: number, way: Way): void {
    this.#order.arrived(message);
    for (const text of this.#order.violations().slice(this.#orderBreaches)) {
      this.#story.breach("P3 order of a session", `${this.#uplink}: ${text}`);
      this.#orderBreaches += 1;
    }
    const stage = message.topic.slice(topicOf(this.#uplink).length + 1);
    if (stage === "status") this.#status(parseWire(message.payload), nowMs);
    if (stage !== "data" && stage !== "history") return;
    if (stage === "history") this.#book.history(message.payload.length, nowMs);
    const values: ValuesOnWire = parseWire(message.payload);
    this.#checkSeq(stage, values);
    for (const value of values.values) {
      if (isLoss(value)) this.#book.lost({ ...value, epoch: value.e ?? values.epoch }, nowMs, true);
      else this.#value(stage, values, value, nowMs, way);
    }
  }

  #status({ online, session }: StatusOnWire, nowMs: number): void {
    if (!online || session === this.#onlineSession) return;
    this.#onlineSession = session;
    this.#book.online(nowMs);
  }

  #value(stage: "data" | "history", message: ValuesOnWire, value: ValueOnWire, nowMs: number, way: Way): void {
    const { id, t, v, s: status = "Good", e: epoch = message.epoch, h } = value;
    const told = {
      id,
      epoch,
      t,
      value: v,
      status,
      stage,
      isCopy: message.clock === "unsynced",
      isMarkedRight: (stage === "history") === (h === 1),
      stream: `${message.session}`,
      isHeard: true,
    };
    this.#book.value(told, nowMs, way);
  }

  #checkSeq(stage: string, { session, seq }: ValuesOnWire): void {
    const stream = `${stage} ${session}`;
    const last = this.#lastSeq.get(stream) ?? 0;
    if (seq !== last + 1)
      this.#story.breach("identity: seq without gaps", `${this.#uplink} ${stream}: ${seq} after ${last}`);
    this.#lastSeq.set(stream, seq);
  }
}
