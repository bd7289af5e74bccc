/**
 * Which PINGRESP answers which PINGREQ (MQTT 5.0, section 3.12): responses carry no number, so they are matched in the
 * order of sending, those that mqtt.js sends by itself included.
 */
interface Ping {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** More than these unanswered say nothing that fewer would not. */
const PINGS_MAX = 1_000;

export class Pings {
  readonly #send: () => void;
  /** On their way, oldest first; undefined: not ours. */
  readonly #unanswered: (Ping | undefined)[] = [];
  #sending: Ping | undefined;

  /** @param send writes a PINGREQ, and has `sent` called before it returns */
  constructor(send: () => void) {
    this.#send = send;
  }

  /** Resolves when the other side has read all that was written before. */
  ping(): Promise<void> {
    if (this.#unanswered.length >= PINGS_MAX) return Promise.reject(new Error("too many unanswered pings"));
    return new Promise((resolve, reject) => {
      this.#sending = { resolve, reject };
      this.#send();
    });
  }

  /** A PINGREQ goes out now. */
  sent(): void {
    this.#unanswered.push(this.#sending);
    this.#sending = undefined;
  }

  /** A PINGRESP has come. */
  answered(): void {
    this.#unanswered.shift()?.resolve();
  }

  abandon(reason: string): void {
    for (const ping of this.#unanswered.splice(0)) ping?.reject(new Error(`not answered: ${reason}`));
  }
}
