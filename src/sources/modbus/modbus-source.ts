/**
 * One line with its devices as a source of readings: its port, and whose turn it is on it. The way of a read:
 *
 *     poll ──DueRead──► bus: how much to ask ──► port ──► line        poll: schedule, read-book, verdict, device-state
 *       ▲                    reply-guard, repeats   │                 bus: request-writer, write-guard
 *       └────ReadOutcome──────── bus ◄─────frame────┘                 port: expectation, frame-scanner
 *
 * Before the first read poll-plan and read-blocks lay out what is read together; readings and register-codec make values
 * of what came.
 */
import type { LineConfig } from "../../config/config.ts";
import { backoffMs } from "../../core/backoff.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Random } from "../../core/random.ts";
import type { LineReport, Source, TagSink } from "../../pipeline.ts";
import { Bus } from "./bus.ts";
import type { BusRequest } from "./bus-request.ts";
import { type Command, type CommandOutcome, CommandQueue, type Turn, takeTurn } from "./command-queue.ts";
import { BusyMeter, StrayMeter } from "./line-meter.ts";
import { type DueRead, Poll } from "./poll.ts";
import type { SerialLine } from "./serial-line.ts";
import { pauseMs } from "./wire-time.ts";

/** Pause before a port is opened again, after the first failure and at most. */
const REOPEN_FIRST_MS = 500;
const REOPEN_MAX_MS = 10_000;

const LENT = "lent to a tool";
const STOPPING = "the gateway stops";

export interface ModbusSource extends Source {
  /**
   * Any request to a device of the line, ahead of its reads: it waits for the transaction that runs, and for its turn
   * among other commands. One that is out of the limits of Modbus is a bug of the caller. Never rejects.
   */
  execute(request: BusRequest): Promise<CommandOutcome>;
  /** No earlier reply can be taken for that to this request: it need not wait for that. */
  isClear(request: BusRequest): boolean;
  /** Gives the port up for a tool. Resolves when its file is closed and all its tags are out of service. */
  lend(): Promise<void>;
  /** Opens it again at once and goes on. */
  takeBack(): void;
  report(): LineReport;
}

export interface ModbusSourceOptions {
  readonly line: LineConfig;
  readonly sink: TagSink;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly openLine: (line: LineConfig) => SerialLine;
}

export function createModbusSource(options: ModbusSourceOptions): ModbusSource {
  return new LineSource(options);
}

class LineSource implements ModbusSource {
  readonly #line: LineConfig;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #bus: Bus;
  readonly #poll: Poll;
  readonly #busy: BusyMeter;
  readonly #strays = new StrayMeter();
  readonly #commands = new CommandQueue();
  #afterCommand = false;
  #open = false;
  #fault = "not opened yet";
  /** Times the port could not be opened, or had no reply after it was. */
  #failedOpens = 0;
  #stopped = false;
  #lent = false;
  /** Tells whoever borrows the line that it is free. */
  #given: () => void = () => undefined;
  #wake: () => void = () => undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor({ line, sink, clock, random, log, openLine }: ModbusSourceOptions) {
    this.#line = line;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#busy = new BusyMeter(pauseMs(line), clock.monotonicMs());
    this.#poll = new Poll({ line, sink, clock, log });
    this.#bus = new Bus({
      line: openLine(line),
      config: line,
      clock,
      meters: this.#poll.meters(),
      strayMeter: this.#strays,
      onLost: (reason) => this.#lineLost(reason),
      onSuspect: (unitId) => this.#poll.suspect(unitId),
    });
  }

  start(): void {
    this.#poll.start();
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#commands.endAll({ kind: "closed", reason: STOPPING, atMs: this.#clock.monotonicMs() });
    this.#wake();
    await this.#bus.close();
    await this.#loop;
  }

  report(): LineReport {
    return {
      name: this.#line.name,
      path: this.#line.path,
      fault: this.#open ? "" : this.#fault,
      ...(!this.#open && this.#fault === LENT && { lent: true as const }),
      utilisation: this.#busy.percent(this.#clock.monotonicMs()),
      missedPeriods: this.#poll.missedPeriods(),
      foreignFrames: this.#strays.foreignFrames,
      noiseBytes: this.#strays.noiseBytes,
      devices: this.#poll.devices(),
    };
  }

  execute(request: BusRequest): Promise<CommandOutcome> {
    const atMs = this.#clock.monotonicMs();
    if (this.#stopped) return Promise.resolve({ kind: "closed", reason: STOPPING, atMs });
    if (!this.#open) return Promise.resolve({ kind: "closed", reason: this.#fault, atMs });
    const outcome = this.#commands.add(request, atMs);
    this.#wake();
    return outcome;
  }

  isClear(request: BusRequest): boolean {
    const nowMs = this.#clock.monotonicMs();
    return this.#bus.clearAtMs(request, nowMs) <= nowMs;
  }

  lend(): Promise<void> {
    return new Promise((given) => {
      this.#lent = true;
      this.#given = given;
      this.#wake();
      if (this.#stopped) given();
    });
  }

  takeBack(): void {
    if (!this.#lent) return;
    this.#lent = false;
    this.#failedOpens = 0;
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (this.#lent) {
        await this.#giveUp();
        continue;
      }
      if (!this.#open) {
        await this.#openPort();
        continue;
      }
      const turn = this.#nextTurn();
      if (turn.kind === "idle") await this.#pauseUntil(turn.untilMs);
      else if (turn.kind === "command") await this.#command(turn.command);
      else await this.#serve(turn);
      this.#poll.lookForOverload(this.#clock.monotonicMs());
    }
    await this.#bus.close();
    this.#given();
  }

  /** Until it is taken back. */
  async #giveUp(): Promise<void> {
    await this.#bus.close();
    this.#open = false;
    this.#fault = LENT;
    this.#commands.endAll({ kind: "closed", reason: LENT, atMs: this.#clock.monotonicMs() });
    this.#poll.lineLent();
    this.#given();
    if (this.#lent) await this.#pauseUntil(Number.POSITIVE_INFINITY);
  }

  #nextTurn(): Turn {
    const nowMs = this.#clock.monotonicMs();
    // One moment for all: by a later one nothing would ever be clear by now.
    const clearAtMs = (request: BusRequest) => this.#bus.clearAtMs(request, nowMs);
    return takeTurn(this.#commands.waiting(), this.#poll.next(nowMs), this.#afterCommand, clearAtMs, nowMs);
  }

  async #command(command: Command): Promise<void> {
    this.#commands.take(command);
    this.#afterCommand = true;
    const beginMs = this.#clock.monotonicMs();
    const outcome = await this.#bus.execute(command.request);
    this.#busy.busy(beginMs, this.#clock.monotonicMs());
    command.settle(outcome);
    if (outcome.kind === "closed") this.#lineLost(outcome.reason);
    const isAnswer = outcome.kind === "data" || outcome.kind === "written" || outcome.kind === "identified";
    if (isAnswer && this.#open) this.#poll.answered(command.request.unitId);
  }

  async #openPort(): Promise<void> {
    await this.#bus.close();
    if (this.#failedOpens > 0) {
      const delayMs = backoffMs(this.#failedOpens, REOPEN_FIRST_MS, REOPEN_MAX_MS, this.#random);
      await this.#pauseUntil(this.#clock.monotonicMs() + delayMs);
      if (this.#stopped || this.#lent) return;
    }
    this.#failedOpens += 1;
    try {
      await this.#bus.open();
    } catch (thrown) {
      this.#lineLost(messageOf(thrown));
      return;
    }
    this.#open = true;
    this.#fault = "";
    this.#log.info(`${this.#line.path} is open`);
    this.#poll.lineBack();
  }

  #lineLost(reason: string): void {
    this.#open = false;
    this.#commands.endAll({ kind: "closed", reason, atMs: this.#clock.monotonicMs() });
    if (this.#stopped) return;
    if (this.#fault !== reason) this.#log.warning(reason);
    this.#fault = reason;
    this.#poll.lineLost();
    this.#wake();
  }

  async #serve(due: DueRead): Promise<void> {
    const entry = this.#poll.entry(due);
    const choice = this.#bus.choose(entry);
    if (choice.kind === "wait") {
      this.#poll.hold(due, choice.untilMs);
      return;
    }
    this.#afterCommand = false;
    const beginMs = this.#clock.monotonicMs();
    const outcome = await this.#bus.read(entry.read, choice);
    const endMs = this.#clock.monotonicMs();
    this.#busy.busy(beginMs, endMs);
    if (outcome.kind === "closed") {
      this.#lineLost(outcome.reason);
      return;
    }
    // The line may have gone in the very moment of the reply: what was told then must not be unsaid.
    if (!this.#open) return;
    if (outcome.kind !== "silence") this.#failedOpens = 0;
    this.#poll.settle(due, choice, outcome, endMs - beginMs);
  }

  /** Until that time, or a loss of the line, or the end. */
  #pauseUntil(untilMs: number): Promise<void> {
    return new Promise((resolve) => {
      const delayMs = untilMs - this.#clock.monotonicMs();
      let timer: Timer | undefined;
      this.#wake = () => {
        timer?.cancel();
        resolve();
      };
      if (Number.isFinite(delayMs)) timer = this.#clock.after(delayMs, this.#wake);
      if (this.#stopped) this.#wake();
    });
  }
}
