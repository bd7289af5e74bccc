/**
 * Requests that go ahead of reads: what people and the far end ask of a device. Bounded, and each ends with an outcome.
 * A read is made after each command, so that commands starve no read; and those to one unit keep their order.
 */
import type { BusOutcome, BusRequest } from "./bus-request.ts";
import type { Job } from "./schedule.ts";

/** More than a person or a sequence of a control system has under way at once. */
export const COMMANDS_WAITING_MAX = 16;

/** A command lets reads pass while a reply to an earlier request could be taken for its own; then the line waits for it. */
export const COMMAND_PATIENCE_MS = 2_000;

export type CommandOutcome =
  | BusOutcome
  /** Not taken: too many wait. It was not sent. */
  | { readonly kind: "crowded"; readonly reason: string };

export interface Command {
  readonly request: BusRequest;
  readonly askedAtMs: number;
  readonly settle: (outcome: CommandOutcome) => void;
}

/** What the line does next. */
export type Turn = Job | { readonly kind: "command"; readonly command: Command };

export class CommandQueue {
  #waiting: readonly Command[] = [];

  add(request: BusRequest, nowMs: number): Promise<CommandOutcome> {
    if (this.#waiting.length >= COMMANDS_WAITING_MAX) {
      const reason = `${COMMANDS_WAITING_MAX} commands wait for this line already: ask again later`;
      return Promise.resolve({ kind: "crowded", reason });
    }
    return new Promise((settle) => {
      this.#waiting = [...this.#waiting, { request, askedAtMs: nowMs, settle }];
    });
  }

  /** In the order of asking, but for those that must wait for their turn. */
  waiting(): readonly Command[] {
    return this.#waiting;
  }

  take(command: Command): void {
    this.#waiting = this.#waiting.filter((other) => other !== command);
  }

  endAll(outcome: CommandOutcome): void {
    const ended = this.#waiting;
    this.#waiting = [];
    for (const { settle } of ended) settle(outcome);
  }
}

/**
 * A command that can go, unless one went before and a read is due. Pure.
 *
 * @param clearAtMs from when on no other reply can be taken for that to the request
 */
export function takeTurn(
  waiting: readonly Command[],
  job: Job,
  afterCommand: boolean,
  clearAtMs: (request: BusRequest) => number,
  nowMs: number,
): Turn {
  if (waiting.length === 0 || (afterCommand && job.kind !== "idle")) return job;
  let untilMs = Number.POSITIVE_INFINITY;
  const units = new Set<number>();
  for (const command of waiting) {
    const { unitId } = command.request;
    if (units.has(unitId)) continue;
    units.add(unitId);
    const readyMs = Math.min(clearAtMs(command.request), command.askedAtMs + COMMAND_PATIENCE_MS);
    if (readyMs <= nowMs) return { kind: "command", command };
    untilMs = Math.min(untilMs, readyMs);
  }
  return job.kind === "idle" ? { kind: "idle", untilMs: Math.min(job.untilMs, untilMs) } : job;
}
