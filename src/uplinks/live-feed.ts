/** What is told live, made ready to be sent; and when a new picture has to be told in its place. */
import type { Clock } from "../core/clock.ts";
import type { LiveBatch, Message, Range, UplinkQueue } from "../pipeline.ts";
import { LIVE_MESSAGE_MAX_BYTES, ofOneKind, withoutLooseEnd } from "./flow.ts";
import type { SessionFormat } from "./format.ts";
import type { RollingWindow } from "./rolling-window.ts";

/** Samples read at once: more than the largest message holds. What waits for longer costs memory for long. */
export const READ_SAMPLES = 1_000;

export interface LiveFeedOptions {
  readonly queue: UplinkQueue;
  readonly format: SessionFormat;
  readonly onDelivered: (samples: number) => void;
  /** Absent: nothing goes out again. */
  readonly window?: RollingWindow | undefined;
  readonly clock: Pick<Clock, "monotonicMs">;
}

/** Messages that are acknowledged together, with all numbers up to `upTo`. */
export interface LiveParcel {
  readonly messages: readonly Message[];
  readonly upTo: number;
  delivered(): void;
}

/** A picture that is on its way. */
export interface Picture {
  /** It tells all numbers up to here. */
  readonly cut: number;
  readonly beganMs: number;
  told(): void;
}

export class LiveFeed {
  readonly #options: LiveFeedOptions;
  /** Samples were given up before they were told: whoever reads takes older ones for current until the next picture. */
  #missesSome = false;
  #pictureAtMs = 0;
  /** The last number that was shown without its time; 0 for none, or none that still waits to be told as it is. */
  #shownTo = 0;

  constructor(options: LiveFeedOptions) {
    this.#options = options;
  }

  /** From now on the current values are being told: what was missed before is among them. */
  beginPicture(): Picture {
    const { queue, clock } = this.#options;
    const cut = queue.newest();
    const isDated = queue.dated() >= cut;
    this.#missesSome = false;
    this.#pictureAtMs = clock.monotonicMs();
    return {
      cut,
      beganMs: this.#pictureAtMs,
      told: () => {
        this.#shownTo = isDated ? 0 : cut;
      },
    };
  }

  /** Why the current values must be told anew now, in words. */
  needsPicture(liveLagMaxMs: number): string | undefined {
    const { queue, clock } = this.#options;
    // What was shown without its time is dated by now: it is owed as history, and the picture has other times.
    if (this.#shownTo > 0 && this.#shownTo <= queue.dated()) return "the clock is settled";
    if (clock.monotonicMs() >= this.pictureDueMs(liveLagMaxMs)) return "samples were given up before they were told";
    return undefined;
  }

  /** A full memory loses more all the time: pictures leave half of the link to what is not lost. */
  pictureDueMs(liveLagMaxMs: number): number {
    return this.#missesSome ? this.#pictureAtMs + liveLagMaxMs : Number.POSITIVE_INFINITY;
  }

  /** Undefined when the file could not be read: the outbox has waited and told of it, so it is asked again at once. */
  async read({ from, to }: Range): Promise<LiveBatch | undefined> {
    const batch = await this.#options.queue.readLive(from, to, READ_SAMPLES);
    return batch.covers.to < from ? undefined : withoutLooseEnd(batch);
  }

  /** What was read goes out, or is found to be gone. */
  take({ covers, samples }: LiveBatch): void {
    if (samples.length <= covers.to - covers.from) this.#missesSome = true;
    if (samples.length === 0) this.#options.queue.acknowledge(covers);
  }

  /** The first message of what was taken. */
  parcel({ covers, samples }: LiveBatch): LiveParcel {
    const { queue, format, onDelivered, window, clock } = this.#options;
    const alike = ofOneKind(samples);
    const { messages, taken } = format.live(alike, LIVE_MESSAGE_MAX_BYTES);
    const upTo = taken === samples.length ? covers.to : (alike[taken - 1]?.number ?? covers.to);
    if (alike[0]?.unsynced === true) {
      this.#shownTo = upTo;
      return { messages, upTo, delivered: () => undefined };
    }
    const keep = window?.sending(alike.slice(0, taken));
    return {
      messages,
      upTo,
      delivered() {
        queue.acknowledge({ from: covers.from, to: upTo });
        keep?.(clock.monotonicMs());
        onDelivered(taken);
      },
    };
  }
}
