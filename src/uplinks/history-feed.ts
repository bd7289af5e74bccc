/** What is owed as history, made ready to be sent: losses first, then samples by number. */
import type { Clock } from "../core/clock.ts";
import type { Batch, Loss, Message, NumberedSample, Range, UplinkQueue } from "../pipeline.ts";
import type { SessionFormat } from "./format.ts";
import { HISTORY_MESSAGE_MIN_BYTES } from "./pace.ts";
import type { RollingWindow } from "./rolling-window.ts";

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

export class HistoryFeed {
  readonly #options: HistoryFeedOptions;
  /** Losses told in this session, or on their way. */
  readonly #told = new Set<number>();
  #loss: LossInParts | undefined;
  #covers: Range | undefined;
  #samples: readonly NumberedSample[] = [];
  /** Of what the window owes, those before this place are on their way. */
  #repeatFrom = 0;

  constructor(options: HistoryFeedOptions) {
    this.#options = options;
  }

  /** Takes samples that were read ahead; the last ones must have gone out. */
  load({ covers, samples }: Batch): void {
    this.#covers = covers;
    this.#samples = samples;
  }

  isReady(): boolean {
    return (
      this.#samples.length > 0 ||
      this.#loss !== undefined ||
      this.#untold() !== undefined ||
      this.#repeats(1).samples.length > 0
    );
  }

  next(maxBytes: number): Parcel | undefined {
    return this.#nextOfLosses() ?? this.#nextOfRepeats(maxBytes) ?? this.#nextOfSamples(maxBytes);
  }

  #nextOfLosses(): Parcel | undefined {
    const { format } = this.#options;
    for (;;) {
      if (this.#loss === undefined) {
        const loss = this.#untold();
        if (loss === undefined) return undefined;
        this.#told.add(loss.id);
        this.#loss = new LossInParts(format.lost(loss, HISTORY_MESSAGE_MIN_BYTES), () => this.#lossDelivered(loss));
        const first = format.beforeLost?.(loss) ?? [];
        if (first.length > 0) return { messages: first, delivered: () => undefined };
      }
      const parcel = this.#loss.next();
      if (parcel !== undefined) return parcel;
      this.#loss = undefined;
    }
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

  #repeats(maxSamples: number): ReturnType<RollingWindow["owed"]> {
    return this.#options.window?.owed(this.#repeatFrom, maxSamples) ?? { from: 0, samples: [] };
  }

  /** It was acknowledged before: nothing is owed to the outbox. */
  #nextOfRepeats(maxBytes: number): Parcel | undefined {
    const { window, format } = this.#options;
    const { from, samples } = this.#repeats(REPEAT_SAMPLES);
    if (samples.length === 0) return undefined;
    const { messages, taken } = format.history(samples, maxBytes);
    const to = from + taken;
    this.#repeatFrom = to;
    return { messages, delivered: () => window?.delivered(to) };
  }

  #nextOfSamples(maxBytes: number): Parcel | undefined {
    const covers = this.#covers;
    if (covers === undefined || this.#samples.length === 0) return undefined;
    const { queue, format, forgo, onReplayed, onDropped, window, clock } = this.#options;
    const { messages, taken } = forgo
      ? format.forgone(this.#samples, maxBytes)
      : format.history(this.#samples, maxBytes);
    const sent = this.#samples.slice(0, taken);
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
        if (!forgo) window?.keep(sent, clock.monotonicMs());
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
