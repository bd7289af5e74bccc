/** A scan as it is watched: what was found stays, the line below it says where the search is and how long it takes. */
import { serialText } from "../../config/values.ts";
import type { Clock } from "../../core/clock.ts";
import type { CommandIo } from "../io.ts";
import { pageColumns } from "../listing.ts";
import { type FoundDevice, type Place, type Progress, placeText } from "./scanner.ts";

const CLEAR_LINE = "\r\x1b[K";
const REFRESH_MS = 200;
/** Where the line cannot be rewritten, as in a log. */
const REFRESH_PLAIN_MS = 10_000;

export class ScanScreen {
  readonly #io: CommandIo;
  readonly #json: boolean;
  readonly #clock: Clock;
  #shownAtMs = Number.NEGATIVE_INFINITY;
  #isLineOpen = false;

  constructor(io: CommandIo, json: boolean, clock: Clock) {
    this.#io = io;
    this.#json = json;
    this.#clock = clock;
  }

  /** What stays. */
  say(text: string): void {
    this.#clear();
    this.#io.err(`${text}\n`);
  }

  found({ unitId, serial, identity }: FoundDevice): void {
    this.#clear();
    const model = identity.model === null || identity.text?.includes(identity.model) ? "" : `, model ${identity.model}`;
    const text = `found  unit ${String(unitId).padEnd(3)} at ${serialText(serial)}: ${identity.text ?? "it does not say what it is"}${model}\n`;
    if (this.#json) this.#io.err(text);
    else this.#io.out(text);
  }

  answered(place: Place): void {
    this.#shownAtMs = Number.NEGATIVE_INFINITY;
    this.progress(`${placeText(place)} answers; finding out what it is …`);
  }

  searching({ serial, unitId, asked, toAsk, leftMs, found }: Progress): void {
    const percent = toAsk === 0 ? 100 : Math.floor((asked / toAsk) * 100);
    this.progress(`${percent} %  ${serialText(serial)}, unit ${unitId}; ${found} found; ${timeText(leftMs)} left`);
  }

  /** What is replaced by the next. */
  progress(text: string): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#shownAtMs < (this.#io.isTerminal ? REFRESH_MS : REFRESH_PLAIN_MS)) return;
    this.#shownAtMs = nowMs;
    const line = text.slice(0, pageColumns(this.#io.columns) - 1);
    this.#io.err(this.#io.isTerminal ? `${CLEAR_LINE}${line}` : `${line}\n`);
    this.#isLineOpen = this.#io.isTerminal;
  }

  end(): void {
    this.#clear();
  }

  #clear(): void {
    if (!this.#isLineOpen) return;
    this.#io.err(CLEAR_LINE);
    this.#isLineOpen = false;
    this.#shownAtMs = Number.NEGATIVE_INFINITY;
  }
}

/** `40 s`, `2 min 05 s` */
export function timeText(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds < 60) return `${seconds} s`;
  return `${Math.floor(seconds / 60)} min ${String(seconds % 60).padStart(2, "0")} s`;
}
