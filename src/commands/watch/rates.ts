/** How fast things go, from pictures of the gateway one after the other. Pure but for its memory. */
import type { StatusContent } from "../../diagnostics/status-file.ts";

/** Rates are those of the last pictures, about so many seconds. */
const PICTURES_KEPT = 15;

export interface LineRates {
  /** Undefined: one picture tells no rate. */
  readonly requestsPerS: number | undefined;
  /** Of the requests in that time, in percent; undefined where there were none. */
  readonly failedPercent: number | undefined;
}

export interface UplinkRates {
  /** Samples acknowledged as history. */
  readonly replayedPerS: number;
  /** Until nothing waits, as long as it goes on like this; undefined: it does not get less. */
  readonly drainS: number | undefined;
}

export class Rates {
  readonly #pictures: StatusContent[] = [];

  note(picture: StatusContent): void {
    const last = this.#pictures.at(-1);
    if (last?.timestamp === picture.timestamp) return;
    // A clock that was stepped back, or a gateway that was started anew: what was before says nothing.
    if (last !== undefined && (picture.timestamp < last.timestamp || picture.epoch !== last.epoch)) {
      this.#pictures.length = 0;
    }
    this.#pictures.push(picture);
    if (this.#pictures.length > PICTURES_KEPT) this.#pictures.shift();
  }

  line(name: string): LineRates {
    const [before, now] = this.#ends().map((picture) => {
      const devices = picture.lines.find((line) => line.name === name)?.devices ?? [];
      const sum = (counter: "requests" | "replies" | "exceptions") =>
        devices.reduce((total, device) => total + device[counter], 0);
      return { requests: sum("requests"), answered: sum("replies") };
    });
    if (before === undefined || now === undefined) return { requestsPerS: undefined, failedPercent: undefined };
    const requests = now.requests - before.requests;
    const failed = requests - (now.answered - before.answered);
    const failedPercent = requests <= 0 ? undefined : Math.max(0, Math.min(100, (failed / requests) * 100));
    return { requestsPerS: this.#perSecond(requests), failedPercent };
  }

  uplink(name: string): UplinkRates {
    const [before, now] = this.#ends().map((picture) => picture.uplinks.find((uplink) => uplink.name === name));
    if (before === undefined || now === undefined) return { replayedPerS: 0, drainS: undefined };
    const gonePerS = this.#perSecond(before.depth - now.depth);
    const drainS = now.depth === 0 ? 0 : gonePerS > 0 ? now.depth / gonePerS : undefined;
    return { replayedPerS: this.#perSecond(now.replayed - before.replayed), drainS };
  }

  #ends(): readonly StatusContent[] {
    const [first, ...more] = this.#pictures;
    const last = more.at(-1);
    return first === undefined || last === undefined ? [] : [first, last];
  }

  #perSecond(count: number): number {
    const [first, last] = this.#ends();
    if (first === undefined || last === undefined) return 0;
    return Math.max(0, count / ((last.timestamp - first.timestamp) / 1_000));
  }
}
