/** What the gateway's host takes for the time: it is right, or that of a board, which begins somewhere with each boot. */
import type { TimeSigns } from "../../clock/time-signs.ts";
import type { Clock } from "../../core/clock.ts";
import type { CurrentValues, UndatedSample } from "../../pipeline.ts";
import type { PinDriver } from "../../sources/gpio/pin-driver.ts";
import { BoardClock } from "../board-clock.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import type { Dark } from "./dark.ts";
import type { BoardPlan } from "./plan.ts";

/** The gateway looks whether its clock is good this often. */
const LOOK_MS = 1_000;

export class HostTime {
  readonly #truth: VirtualClock;
  readonly #plan: BoardPlan | undefined;
  #board: BoardClock | undefined;
  #boots = 0;
  #willBeGood = true;
  #isWaitedFor = false;
  #wasWaitedFor = false;
  #bootedMs = 0;
  #hostOffsetsMs: number[] = [];
  #dark: Dark | undefined;

  constructor(truth: VirtualClock, plan: BoardPlan | undefined) {
    this.#truth = truth;
    this.#plan = plan;
  }

  get clock(): Clock {
    return this.#board ?? this.#truth;
  }

  get signs(): TimeSigns | undefined {
    return this.#board;
  }

  get bootId(): string {
    return this.#board?.bootId() ?? "";
  }

  /** The time is right, and the host knows that. */
  get isGood(): boolean {
    return this.#board?.synchronised ?? true;
  }

  /** In some boot the gateway took the host's time for good enough. */
  get wasWaitedFor(): boolean {
    return this.#wasWaitedFor;
  }

  /** In this boot, sooner or later. */
  get willBeGood(): boolean {
    return this.#willBeGood;
  }

  /** The kernel starts. @param onGood called when somebody vouches for the time, if anybody does */
  boot(onGood: () => void): void {
    if (this.#plan === undefined) return;
    const { boots, notBeforeMs } = this.#plan;
    const plan = boots[this.#boots % boots.length] ?? { offMs: 0, goodAfterMs: 0 };
    this.#boots += 1;
    this.#bootedMs = this.#truth.monotonicMs();
    const wallMs = Math.max(0, this.#truth.wallMs() + plan.offMs);
    const board = new BoardClock(this.#truth, { bootId: `boot-${this.#boots}`, wallMs, notBeforeMs });
    this.#board = board;
    this.#hostOffsetsMs = [];
    this.#noteOffset(board);
    this.#willBeGood = plan.goodAfterMs !== "never";
    this.#isWaitedFor = plan.goodAfterMs === "never" || plan.goodAfterMs + LOOK_MS > this.#plan.waitAtMostMs;
    this.#wasWaitedFor ||= this.#isWaitedFor;
    if (plan.goodAfterMs === "never") return;
    this.#truth.after(plan.goodAfterMs, () => {
      if (this.#board !== board) return;
      board.synchronise();
      onGood();
    });
  }

  /** A gateway starts in this boot. */
  beginLife(): void {
    this.#dark = undefined;
  }

  /** Of a host that nobody vouches for it is another mistake; else the time itself is another one. */
  step(byMs: number): void {
    const board = this.#board;
    if (board === undefined || board.synchronised) this.#truth.stepWall(byMs);
    else {
      board.offMs += Math.max(byMs, -board.wallMs());
      this.#noteOffset(board);
    }
  }

  /** The dark in which the running life takes this in. */
  darkOf(sample: UndatedSample, values: CurrentValues | undefined): Dark {
    this.#dark ??= this.#newDark(sample, values);
    return this.#dark;
  }

  /** The kernel stamps edges, and its time begins with each boot. */
  pins(driver: PinDriver): PinDriver {
    const bootedMs = this.#bootedMs;
    return {
      open: (address, { edge, lost }) =>
        driver.open(address, { edge: (level, atMs) => edge(level, atMs - bootedMs), lost }),
    };
  }

  /** By what is shown as current one learns what the gateway takes for the time. */
  #newDark({ tag, bootMs }: UndatedSample, values: CurrentValues | undefined): Dark {
    const board = this.#board;
    const shown = values?.snapshot(tag.device).find((sample) => sample.tag.id === tag.id);
    return {
      bootId: this.bootId,
      knownOffsetMs: (shown?.sourceTimestampMs ?? bootMs) - bootMs,
      trueOffsetMs: this.#truth.wallMs() - Math.round(this.clock.monotonicMs()),
      hostOffsetsMs: this.#hostOffsetsMs,
      offsetMs: undefined,
      isCertain: undefined,
      mustBeCertain: () => this.#board === board && !this.#isWaitedFor,
    };
  }

  #noteOffset(board: BoardClock): void {
    this.#hostOffsetsMs.push(Math.round(board.wallMs() - board.monotonicMs()));
  }
}
