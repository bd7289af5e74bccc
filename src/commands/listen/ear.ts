/** A port that only listens: bytes and silences in, what was overheard out. */
import type { SerialSettings } from "../../config/config.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import {
  gaveUp,
  type Hearing,
  heardBytes,
  heardSilence,
  NOTHING_PENDING,
  type Overheard,
} from "../../sources/modbus/overhearing.ts";
import type { SerialLine } from "../../sources/modbus/serial-line.ts";
import { silentIntervalMs } from "../../sources/modbus/wire-time.ts";

/** Adapters deliver in pieces, up to this far apart. */
const PIECES_APART_MS = 40;
/** Who has not answered by then does not. */
const REPLY_LIMIT_MS = 2_000;

export interface EarOptions {
  readonly line: SerialLine;
  readonly serial: SerialSettings;
  readonly clock: Clock;
}

export class Ear {
  onBytes: (bytes: Uint8Array, atMs: number) => void = () => undefined;
  onHeard: (event: Overheard) => void = () => undefined;
  onLost: (reason: string) => void = () => undefined;
  readonly #line: SerialLine;
  readonly #clock: Clock;
  readonly #silenceMs: number;
  #hearing: Hearing = NOTHING_PENDING;
  #quiet: Timer | undefined;
  #limit: Timer | undefined;

  constructor({ line, serial, clock }: EarOptions) {
    this.#line = line;
    this.#clock = clock;
    this.#silenceMs = Math.max(silentIntervalMs(serial), PIECES_APART_MS);
    line.onData = (bytes) => this.#hear(bytes);
    line.onLost = (reason) => this.onLost(reason);
  }

  /** Rejects with the reason in words. */
  open(): Promise<void> {
    return this.#line.open();
  }

  /** Resolves after that time, or when the signal is aborted; what is unanswered then is told as such. */
  async until(signal: AbortSignal, forMs: number): Promise<void> {
    await new Promise<void>((done) => {
      const timer = Number.isFinite(forMs) ? this.#clock.after(forMs, done) : undefined;
      const end = () => {
        timer?.cancel();
        done();
      };
      if (signal.aborted) end();
      else signal.addEventListener("abort", end, { once: true });
    });
    this.#tell(gaveUp(this.#hearing, this.#clock.monotonicMs()));
  }

  async close(): Promise<void> {
    this.#quiet?.cancel();
    this.#limit?.cancel();
    await this.#line.close();
  }

  #hear(bytes: Uint8Array): void {
    const atMs = this.#clock.monotonicMs();
    this.onBytes(bytes, atMs);
    this.#quiet?.cancel();
    this.#limit?.cancel();
    this.#tell(heardBytes(this.#hearing, bytes, atMs));
    this.#quiet = this.#clock.after(this.#silenceMs, () =>
      this.#tell(heardSilence(this.#hearing, this.#clock.monotonicMs())),
    );
    this.#limit = this.#clock.after(REPLY_LIMIT_MS, () => this.#tell(gaveUp(this.#hearing, this.#clock.monotonicMs())));
  }

  #tell([hearing, events]: readonly [Hearing, readonly Overheard[]]): void {
    this.#hearing = hearing;
    for (const event of events) this.onHeard(event);
  }
}
