/** What is owed as history, made ready to be sent: losses first, then samples by number. */
import type { Clock } from "../core/clock.ts";
import type { Batch, Loss, Message, NumberedSample, Range, UplinkQueue } from "../pipeline.ts";
import type { Encoded, SessionFormat } from "./format.ts";
import { HISTORY_MESSAGE_MIN_BYTES } from "./pace.ts";
import type { Acknowledged, RollingWindow } from "./rolling-window.ts";

/** Samples looked at for one message of what goes out again. */
const REPEAT_SAMPLES = 1_000;

/** Messages that are acknowledged together. */
export interface Parcel {
  readonly messages: readonly Message[];
  /** Numbers up to here are in it; absent for losses. */
  readonly upTo?: number;
  /** The broker has acknowledged all of its messages. */
  delivered(): void;
}

export interface HistoryFeedOptions {
  readonly queue: UplinkQueue;
  readonly format: SessionFormat;
  /** History is off: what is owed is told as lost. */
  readonly forgo: boolean;
  readonly onReplayed: (samples: number) => void;
  readonly onDropped: (samples: number) => void;
  /** Absent: nothing goes out again. */
  readonly window?: RollingWindow | undefined;
  readonly clock: Pick<Clock, "monotonicMs">;
}

interface DueLoss {
  readonly loss: Loss;
  readonly told: Acknowledged;
}

export class HistoryFeed {
  readonly #options: HistoryFeedOptions;
  /** Losses told in this session, or on their way. */
  readonly #told = new Set<number>();
  #loss: LossInParts | undefined;
  #covers: Range | undefined;
  #samples: readonly NumberedSample[] = [];
  /** Of what the window owes, those before these places are on their way. */
  #repeatFrom = 0;
  #lossRepeatFrom = 0;
  #repeatedLast = false;

  constructor(options: HistoryFeedOptions) {
    this.#options = options;
  }

  /** Takes samples that were read ahead; the last ones must have gone out. */
  load({ covers, samples }: Batch): void {
    this.#covers = covers;
    this.#samples = samples;
  }

  /** Some that were loaded have not gone out. */
  holdsSamples(): boolean {
    return this.#samples.length > 0;
  }

  isReady(): boolean {
    const { window } = this.#options;
    return (
      this.#samples.length > 0 ||
      this.#loss !== undefined ||
      this.#untold() !== undefined ||
      window?.losses.owes(this.#lossRepeatFrom) === true ||
      window?.samples.owes(this.#repeatFrom) === true
    );
  }

  next(maxBytes: number): Parcel | undefined {
    return this.#nextOfLosses() ?? this.#nextInTurn(maxBytes);
  }

  /** Samples that a host missed who comes and goes all the time hold up no history; losses, which are few, go first. */
  #nextInTurn(maxBytes: number): Parcel | undefined {
    this.#repeatedLast = !this.#repeatedLast;
    return this.#repeatedLast
      ? (this.#nextOfRepeats(maxBytes) ?? this.#nextOfSamples(maxBytes))
      : (this.#nextOfSamples(maxBytes) ?? this.#nextOfRepeats(maxBytes));
  }

  #nextOfLosses(): Parcel | undefined {
    const { format, clock } = this.#options;
    for (;;) {
      if (this.#loss === undefined) {
        const due = this.#firstLoss() ?? this.#missedLoss();
        if (due === undefined) return undefined;
        const { loss, told } = due;
        this.#loss = new LossInParts(format.lost(loss, HISTORY_MESSAGE_MIN_BYTES), () => told(clock.monotonicMs()));
        const first = format.beforeLost?.(loss) ?? [];
        if (first.length > 0) return { messages: first, delivered: () => undefined };
      }
      const parcel = this.#loss.next();
      if (parcel !== undefined) return parcel;
      this.#loss = undefined;
    }
  }

  #firstLoss(): DueLoss | undefined {
    const loss = this.#untold();
    if (loss === undefined) return undefined;
    this.#told.add(loss.id);
    const keep = this.#options.window?.losses.sending([loss]);
    return {
      loss,
      told: (nowMs) => {
        this.#lossDelivered(loss);
        keep?.(nowMs);
      },
    };
  }

  #missedLoss(): DueLoss | undefined {
    const losses = this.#options.window?.losses;
    const { from = 0, items: [loss] = [] } = losses?.owed(this.#lossRepeatFrom, 1) ?? {};
    if (losses === undefined || loss === undefined) return undefined;
    this.#lossRepeatFrom = from + 1;
    return { loss, told: losses.repeating(from + 1) };
  }

  #untold(): Loss | undefined {
    return this.#options.queue.losses().find(({ id }) => !this.#told.has(id));
  }

  #lossDelivered(loss: Loss): void {
    const { queue, onDropped } = this.#options;
    queue.acknowledgeLoss(loss.id);
    const kept = new Set(queue.losses().map(({ id }) => id));
    for (const id of [...this.#told]) if (!kept.has(id)) this.#told.delete(id);
    onDropped(loss.tags.reduce((sum, { count }) => sum + (count ?? 0), 0));
  }

  /** It was acknowledged before: nothing is owed to the outbox. */
  #nextOfRepeats(maxBytes: number): Parcel | undefined {
    const { window, clock } = this.#options;
    const { from, items: samples } = window?.samples.owed(this.#repeatFrom, REPEAT_SAMPLES) ?? { from: 0, items: [] };
    if (window === undefined || samples.length === 0) return undefined;
    const { messages, taken } = this.#encoded(samples, maxBytes);
    this.#repeatFrom = from + taken;
    const acknowledged = window.samples.repeating(this.#repeatFrom);
    return { messages, delivered: () => acknowledged(clock.monotonicMs()) };
  }

  #encoded(samples: readonly NumberedSample[], maxBytes: number): Encoded {
    const { format, forgo } = this.#options;
    return forgo ? format.forgone(samples, maxBytes) : format.history(samples, maxBytes);
  }

  #nextOfSamples(maxBytes: number): Parcel | undefined {
    const covers = this.#covers;
    if (covers === undefined || this.#samples.length === 0) return undefined;
    const { queue, forgo, onReplayed, onDropped, window, clock } = this.#options;
    const { messages, taken } = this.#encoded(this.#samples, maxBytes);
    const keep = window?.sending(this.#samples.slice(0, taken));
    const rest = this.#samples.slice(taken);
    const upTo = rest.length === 0 ? covers.to : (this.#samples[taken - 1]?.number ?? covers.to);
    this.#samples = rest;
    this.#covers = { from: upTo + 1, to: covers.to };
    const range = { from: covers.from, to: upTo };
    return {
      messages,
      upTo,
      delivered() {
        queue.acknowledge(range);
        keep?.(clock.monotonicMs());
        (forgo ? onDropped : onReplayed)(taken);
      },
    };
  }
}

/** A loss goes out in as many messages as its tags need and is told when all of them are acknowledged. */
class LossInParts {
  readonly #messages: Iterator<Message>;
  readonly #onDelivered: () => void;
  #unacknowledged = 0;
  #complete = false;

  constructor(messages: Iterable<Message>, onDelivered: () => void) {
    this.#messages = messages[Symbol.iterator]();
    this.#onDelivered = onDelivered;
  }

  next(): Parcel | undefined {
    const step = this.#messages.next();
    if (step.done === true) {
      this.#complete = true;
      this.#settle();
      return undefined;
    }
    this.#unacknowledged += 1;
    return {
      messages: [step.value],
      delivered: () => {
        this.#unacknowledged -= 1;
        this.#settle();
      },
    };
  }

  #settle(): void {
    if (this.#complete && this.#unacknowledged === 0) this.#onDelivered();
  }
}
