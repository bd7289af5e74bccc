/** When the outbox writes: one commit at a time, samples as they come of age, retried with back-off. */
import type { Clock, Timer } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { OutboxHealth } from "../pipeline.ts";
import { type FailureKind, StorageFailure } from "./block-store.ts";

/** With nothing else to commit, progress is stored no more often than this. */
export const PROGRESS_INTERVAL_MS = 10_000;
/** Checks come every quarter of the commit interval, and no more seldom than this. */
const MAX_CHECK_MS = 2_500;
/** Where every append is a check, for what is no sample. */
const IDLE_CHECK_MS = 250;
const RETRY_BASE_MS = 1_000;
const RETRY_MAX_MS = 60_000;
/** A commit that takes longer than this makes the card slow in the report. */
const SLOW_COMMIT_MS = 2_000;

/** What the decision is made from; all times monotonic. */
export interface CommitState {
  /** When the oldest sample that is neither committed nor acknowledged by all was taken in. */
  readonly oldestMs: number | undefined;
  readonly intervalMs: number;
  readonly hasProgress: boolean;
  /** Something that a power cut must not hide; seldom. */
  readonly isUrgent: boolean;
  readonly lastCommitMs: number;
  readonly failures: number;
}

export function isDue(state: CommitState, nowMs: number): boolean {
  const sinceCommitMs = nowMs - state.lastCommitMs;
  if (state.failures > 0 && sinceCommitMs < retryDelayMs(state.failures)) return false;
  if (state.isUrgent) return true;
  if (state.oldestMs !== undefined && nowMs - state.oldestMs >= state.intervalMs) return true;
  return state.hasProgress && sinceCommitMs >= PROGRESS_INTERVAL_MS;
}

/** P4: a sample waits at most a quarter of its interval longer than that, whichever interval holds. */
export function checkMsOf(intervalsMs: readonly number[]): number {
  return Math.min(MAX_CHECK_MS, ...intervalsMs.map((ms) => (ms === 0 ? IDLE_CHECK_MS : ms / 4)));
}

/** One card: nothing gains from jitter. */
function retryDelayMs(failures: number): number {
  return Math.min(RETRY_BASE_MS * 2 ** Math.min(failures - 1, 16), RETRY_MAX_MS);
}

export interface CommitTask {
  state(): Omit<CommitState, "lastCommitMs" | "failures">;
  /** Rejects with a StorageFailure; then nothing is forgotten. */
  commit(): Promise<void>;
  /** Before each check. */
  tick(): void;
}

export class CommitLoop {
  readonly #task: CommitTask;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #checkMs: number;
  #timer: Timer | undefined;
  #running: Promise<void> | undefined;
  #startedMs = 0;
  #lastCommitMs: number;
  #lastDurationMs = 0;
  #failures = 0;
  #failure: StorageFailure | undefined;

  /** @param intervalsMs each that CommitTask.state() may name */
  constructor(task: CommitTask, clock: Clock, log: Log, intervalsMs: readonly number[]) {
    this.#task = task;
    this.#clock = clock;
    this.#log = log;
    this.#checkMs = checkMsOf(intervalsMs);
    this.#lastCommitMs = clock.monotonicMs();
  }

  start(): void {
    this.#timer = this.#clock.after(this.#checkMs, () => {
      this.start();
      this.#task.tick();
      this.checkNow();
    });
  }

  /** Commits if it is time and none is under way. */
  checkNow(): void {
    if (this.#running !== undefined) return;
    const state = { ...this.#task.state(), lastCommitMs: this.#lastCommitMs, failures: this.#failures };
    if (isDue(state, this.#clock.monotonicMs())) void this.#run();
  }

  /** Ends the checks, after the commit that is under way. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#timer = undefined;
    await this.#running;
  }

  /** Commits now, whatever the time. @returns whether it succeeded */
  async flush(): Promise<boolean> {
    while (this.#running !== undefined) await this.#running;
    await this.#run();
    return this.#failure === undefined;
  }

  health(): Health {
    if (this.#failure !== undefined) {
      return { health: HEALTH_OF[this.#failure.kind], healthReason: this.#failure.message };
    }
    const runningMs = this.#running === undefined ? 0 : this.#clock.monotonicMs() - this.#startedMs;
    const slowestMs = Math.max(runningMs, this.#lastDurationMs);
    if (slowestMs <= SLOW_COMMIT_MS) return { health: "ok", healthReason: "" };
    return { health: "slow", healthReason: `the card takes ${Math.round(slowestMs / 1_000)} s for a commit` };
  }

  async #run(): Promise<void> {
    this.#startedMs = this.#clock.monotonicMs();
    this.#running = this.#attempt();
    await this.#running;
    this.#running = undefined;
    this.#lastCommitMs = this.#clock.monotonicMs();
    this.#lastDurationMs = this.#lastCommitMs - this.#startedMs;
    if (this.#failures === 0 && this.#timer !== undefined) this.checkNow();
  }

  async #attempt(): Promise<void> {
    try {
      await this.#task.commit();
      if (this.#failure !== undefined) this.#log.notice("the outbox can be written again");
      this.#failure = undefined;
      this.#failures = 0;
    } catch (thrown) {
      if (!(thrown instanceof StorageFailure)) throw thrown;
      if (this.#failure?.message !== thrown.message) this.#log.error(`the outbox cannot be written: ${thrown.message}`);
      this.#failure = thrown;
      this.#failures++;
    }
  }
}

interface Health {
  readonly health: OutboxHealth;
  readonly healthReason: string;
}

/**
 * While all goes out at once only state.db is written: a card that refuses shows there first.
 *
 * @param failure why state.db cannot be written
 */
export function healthWith(own: Health, failure: StorageFailure | undefined): Health {
  if (own.health !== "ok" || failure === undefined) return own;
  return { health: HEALTH_OF[failure.kind], healthReason: `state.db: ${failure.message}` };
}

const HEALTH_OF: Record<FailureKind, OutboxHealth> = {
  full: "full",
  damaged: "failing",
  busy: "failing",
  failing: "failing",
};
