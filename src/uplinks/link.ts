/** One connection of an uplink from CONNACK to its end: announces what is true, then delivers what happens. */
import { type Clock, sleep } from "../core/clock.ts";
import { isOurBug, messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Batch, Connection, Message, Range, UplinkQueue } from "../pipeline.ts";
import { Alarm } from "./alarm.ts";
import {
  accrue,
  afterAck,
  afterSending,
  beginCut,
  endCut,
  type Flow,
  historyGate,
  historyRange,
  historySentTo,
  type LiveView,
  lags,
  liveRange,
  liveSentTo,
  startFlow,
  withoutLooseEnd,
} from "./flow.ts";
import type { Conversation, SessionFormat } from "./format.ts";
import { HistoryFeed } from "./history-feed.ts";
import { LiveFeed, READ_SAMPLES } from "./live-feed.ts";
import { type RetainedTopics, retainedBy } from "./retained-topics.ts";
import type { RollingWindow } from "./rolling-window.ts";
import { Sender } from "./sender.ts";

/** What was taken in right before the end gets this long to go out; then it keeps for the next start. */
const LAST_LIVE_LIMIT_MS = 1_000;
const LAST_LIVE_LOOK_MS = 10;

export interface LinkOptions {
  readonly connection: Connection;
  readonly format: SessionFormat;
  readonly retained: RetainedTopics;
  readonly queue: UplinkQueue;
  readonly history: { readonly enabled: boolean; readonly rateBytesPerS: number };
  readonly clock: Clock;
  readonly log: Log;
  /** The connection is of no more use, with the reason in words. */
  readonly onFailure: (reason: string) => void;
  readonly onDelivered: (kind: "live" | "replayed" | "dropped", samples: number) => void;
  readonly server: string;
  readonly onMoveOn: (reason: string) => void;
  readonly window?: RollingWindow | undefined;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #connection: Connection;
  readonly #conversation: Conversation | undefined;
  readonly #sender: Sender;
  readonly #live: LiveFeed;
  readonly #history: HistoryFeed;
  #flow: Flow;
  #delivering = false;
  #leaving = false;
  #readingLive = false;
  #readingHistory = false;
  #upkeepOnItsWay = false;
  #unsubscribe = () => {};
  readonly #alarm: Alarm;

  constructor(options: LinkOptions) {
    const { clock, queue, format, onDelivered, server, onMoveOn, window } = options;
    this.#options = options;
    this.#conversation = format.converse?.(options.connection, {
      server,
      onRetell: () => this.#retell(),
      onMoveOn,
      onFailure: (reason) => this.#fail(reason),
      onNews: () => this.#pump(),
      publish: (message) => this.#sender.sendBeside(message),
    });
    this.#connection = this.#conversation?.connection ?? options.connection;
    this.#alarm = new Alarm(clock, () => this.#pump());
    this.#flow = startFlow(clock.monotonicMs());
    this.#sender = new Sender({
      connection: this.#connection,
      clock,
      onSent: (kind, load) => {
        this.#flow = afterSending(this.#flow, kind, load, clock.monotonicMs());
      },
      onAck: (kind, ack, messages) => {
        this.#flow = afterAck(this.#flow, kind, ack, messages);
        this.#pump();
      },
      onRoom: () => this.#pump(),
      onFailure: (reason) => this.#fail(reason),
    });
    this.#live = new LiveFeed({
      queue,
      format,
      onDelivered: (samples) => onDelivered("live", samples),
      window,
      clock,
    });
    this.#history = new HistoryFeed({
      queue,
      format,
      forgo: !options.history.enabled,
      onReplayed: (samples) => onDelivered("replayed", samples),
      onDropped: (samples) => onDelivered("dropped", samples),
      window,
      clock,
    });
  }

  awaitsHost(): boolean {
    return this.#conversation?.awaitsHost() ?? false;
  }

  /** Tags, then the current picture, then online; each acknowledged before the next. False when it came to nothing. */
  announce(): Promise<boolean> {
    return this.#safely(this.#announce());
  }

  /** Sends live values and history from now on. */
  deliver(): void {
    this.#delivering = true;
    this.#unsubscribe = this.#options.queue.onAppend(() => this.#pump());
    this.#pump();
  }

  /** Sends the live values that wait, says that the end is planned, then closes. History keeps for the next time. */
  async sayGoodbye(): Promise<void> {
    this.#leaving = true;
    await this.#lastLive();
    await this.leave();
  }

  /** Says that the end is planned, then closes. */
  async leave(): Promise<void> {
    this.#leaving = true;
    this.#stopDelivering();
    if (await this.#publish(this.#options.format.offline(), "last words")) await this.#connection.close();
  }

  async #lastLive(): Promise<void> {
    const { clock, queue } = this.#options;
    const untilMs = clock.monotonicMs() + LAST_LIVE_LIMIT_MS;
    while (this.#delivering && clock.monotonicMs() < untilMs) {
      if (this.#flow.liveNext > queue.newest() && this.#flow.messages.live === 0) return;
      await sleep(clock, LAST_LIVE_LOOK_MS);
    }
  }

  /** The connection is gone: what was not acknowledged will be sent again by the next one. */
  end(): void {
    this.#conversation?.end();
    this.#stopDelivering();
    this.#sender.end();
  }

  #fail(reason: string): void {
    this.end();
    this.#options.onFailure(reason);
  }

  #stopDelivering(): void {
    this.#delivering = false;
    this.#unsubscribe();
    this.#alarm.cancel();
  }

  async #announce(): Promise<boolean> {
    const conversation = this.#conversation;
    const { format, retained } = this.#options;
    const { maxQos, retainAvailable } = this.#connection.limits;
    if (maxQos < 1) throw new Error("the broker offers no QoS 1, so it would acknowledge nothing");
    if (conversation !== undefined && !(await conversation.begin())) return false;
    await retained.remember(format.retainedTopics());
    if (!(await this.#publish(format.describe())) || !(await this.#cut())) return false;
    if (retainAvailable) {
      if (!(await this.#publish(retained.farewells()))) return false;
      await retained.forgetRest();
    }
    if (!(await this.#publish(format.online()))) return false;
    return conversation === undefined || (await conversation.told());
  }

  #retell(): boolean {
    if (!this.#delivering || this.#flow.cutting) return false;
    void this.#cutAgain("the host asks for births").then(() => this.#conversation?.retold());
    return true;
  }

  /** Sends in order, as the window allows, and waits for all acknowledgements. */
  async #publish(messages: Iterable<Message>, words?: "last words"): Promise<boolean> {
    const sent: Promise<boolean>[] = [];
    for (const message of messages) {
      const remembered = this.#options.retained.remember(retainedBy([message]));
      if (remembered !== undefined) await remembered;
      // Without need to wait it goes out in this very turn, before anything else is decided.
      while (!this.#sender.hasRoom()) if (!(await this.#sender.room())) return false;
      if (this.#leaving && words === undefined) return false;
      sent.push(new Promise((settle) => this.#sender.send([message], "upkeep", settle)));
    }
    return (await Promise.all(sent)).every(Boolean);
  }

  /** The full current picture; what was taken in before it and is not acknowledged becomes history. */
  async #cut(): Promise<boolean> {
    const { clock, format } = this.#options;
    this.#flow = beginCut(this.#flow);
    const { cut, beganMs, told } = this.#live.beginPicture();
    if (!(await this.#publish(format.picture()))) return false;
    const tookMs = clock.monotonicMs() - beganMs;
    if (!(await this.#sender.none("live"))) return false;
    this.#flow = endCut(this.#flow, cut, tookMs);
    told();
    return true;
  }

  async #cutAgain(why: string): Promise<void> {
    this.#options.log.info(`${why}: telling the current values anew, what waited becomes history`);
    if (await this.#safely(this.#cut())) this.#pump();
  }

  /** A refusal of the broker or of the card ends the connection; a bug of ours ends the process. */
  async #safely(work: Promise<boolean>): Promise<boolean> {
    try {
      return await work;
    } catch (error) {
      if (isOurBug(error)) throw error;
      this.#fail(messageOf(error));
      return false;
    }
  }

  #pump(): void {
    if (!this.#delivering) return;
    this.#pumpUpkeep();
    this.#pumpLive();
    // Live values that are being read go first; history has its turn when they are sent.
    if (!this.#readingLive) this.#pumpHistory();
  }

  #pumpLive(): void {
    const why = this.#live.needsPicture(this.#flow.liveLagMaxMs);
    if (why !== undefined && !this.#flow.cutting && !this.#readingLive) void this.#cutAgain(why);
    const range = liveRange(this.#flow, this.#liveView(this.#options.queue.newest()));
    if (range === undefined || this.#readingLive) return;
    this.#readingLive = true;
    void this.#readLive(range).then(() => {
      this.#readingLive = false;
      this.#pump();
    });
  }

  #liveView(newest: number): LiveView {
    return { nowMs: this.#options.clock.monotonicMs(), newest, inFlight: this.#sender.inFlight() };
  }

  async #readLive(range: Range): Promise<void> {
    const batch = await this.#live.read(range);
    if (batch === undefined || !this.#delivering) return;
    // A picture of meanwhile tells what these are about, or leaves them to history; or others took the room.
    if (liveRange(this.#flow, this.#liveView(batch.covers.to))?.from !== range.from) return;
    this.#live.take(batch);
    const [first] = batch.samples;
    if (first === undefined) {
      this.#flow = liveSentTo(this.#flow, batch.covers.to);
    } else if (lags(this.#flow, first, this.#options.clock.monotonicMs())) {
      void this.#cutAgain("the link lags");
    } else {
      const parcel = this.#live.parcel(batch);
      this.#flow = liveSentTo(this.#flow, parcel.upTo);
      this.#deliverAll(parcel.messages, "live", () => parcel.delivered());
    }
  }

  #pumpHistory(): void {
    const { queue, format, history } = this.#options;
    const nowMs = this.#options.clock.monotonicMs();
    const upkeepDue = !this.#upkeepOnItsWay && nowMs >= format.upkeepDueMs();
    const view = {
      ...this.#liveView(queue.newest()),
      // Once for all that goes out now: a socket takes nothing before this turn ends.
      socketBytes: this.#connection.bufferedBytes(),
      upkeepDue: upkeepDue || this.#sender.isWaitedFor(),
      historyRateBytesPerS: history.rateBytesPerS,
    };
    this.#flow = accrue(this.#flow, history.rateBytesPerS, nowMs);
    // What is due already waits for history to arrive, not for a time.
    let wakeAtMs = this.#upkeepOnItsWay || upkeepDue ? Number.POSITIVE_INFINITY : format.upkeepDueMs();
    if (!this.#flow.cutting) wakeAtMs = Math.min(wakeAtMs, this.#live.pictureDueMs(this.#flow.liveLagMaxMs));
    while (!this.#leaving && !this.#mustNotInterrupt() && this.#historyWaits()) {
      const gate = historyGate(this.#flow, { ...view, inFlight: this.#sender.inFlight() });
      if (!gate.open) {
        wakeAtMs = Math.min(wakeAtMs, gate.untilMs);
        break;
      }
      const parcel = this.#history.next(gate.maxBytes);
      if (parcel === undefined) break;
      if (parcel.upTo !== undefined) this.#flow = historySentTo(this.#flow, parcel.upTo);
      this.#deliverAll(parcel.messages, "history", () => parcel.delivered());
    }
    this.#alarm.at(wakeAtMs);
  }

  /** Whether something is ready to be sent; begins to read where nothing is. */
  #historyWaits(): boolean {
    const range = this.#history.holdsSamples() ? undefined : historyRange(this.#flow, this.#options.queue.dated());
    if (range === undefined || this.#readingHistory) return this.#history.isReady();
    this.#readingHistory = true;
    void this.#readHistory(range).then(() => {
      this.#readingHistory = false;
      this.#pump();
    });
    return this.#history.isReady();
  }

  async #readHistory({ from, to }: Range): Promise<void> {
    const batch = this.#usable(await this.#options.queue.read(from, to, READ_SAMPLES), from);
    if (batch === undefined || !this.#delivering) return;
    if (batch.samples.length > 0) {
      this.#history.load(batch);
    } else {
      this.#options.queue.acknowledge(batch.covers);
      this.#flow = historySentTo(this.#flow, batch.covers.to);
    }
  }

  /** Status and snapshots go out when no history is on its way: they are the measure of the empty link. */
  #pumpUpkeep(): void {
    const { format, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    if (this.#upkeepOnItsWay || this.#flow.messages.history > 0 || this.#mustNotInterrupt()) return;
    format.historyOwed?.(this.#owesHistory());
    if (nowMs < format.upkeepDueMs()) return;
    const messages = format.upkeep(nowMs);
    if (messages.length === 0) return;
    this.#upkeepOnItsWay = true;
    void this.#safely(this.#publish(messages)).then((delivered) => {
      this.#upkeepOnItsWay = false;
      if (delivered) this.#pump();
    });
  }

  /** Messages of a whole picture wait for room, and nothing may come between them. */
  #mustNotInterrupt(): boolean {
    return this.#options.format.pictureIsWhole === true && (this.#flow.cutting || !this.#sender.hasRoom());
  }

  #owesHistory(): boolean {
    const isUnread = historyRange(this.#flow, this.#options.queue.dated()) !== undefined;
    return isUnread || this.#readingHistory || this.#history.isReady() || this.#flow.messages.history > 0;
  }

  /** Calls `delivered` in the turn of the last acknowledgement, before anything else is decided. */
  #deliverAll(messages: readonly Message[], kind: "live" | "history", delivered: () => void): void {
    this.#sender.send(messages, kind, (acknowledged) => {
      if (acknowledged) delivered();
    });
  }

  /** Undefined when the file could not be read: the outbox has waited and told of it, so it is asked again at once. */
  #usable(batch: Batch, from: number): Batch | undefined {
    return batch.covers.to < from ? undefined : withoutLooseEnd(batch);
  }
}
