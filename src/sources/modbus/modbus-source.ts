/** One line with its devices as a source of readings. The loop does the I/O; schedule, verdict and device state decide. */
import type { LineConfig, RegisterTag } from "../../config/config.ts";
import { backoffMs } from "../../core/backoff.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { assert, messageOf } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import { STATUSES, type Status } from "../../core/quality.ts";
import type { Random } from "../../core/random.ts";
import type { LineReport, Reading, Source, TagSink } from "../../pipeline.ts";
import { Bus } from "./bus.ts";
import type { BusRequest } from "./bus-request.ts";
import { type Command, type CommandOutcome, CommandQueue, type Turn, takeTurn } from "./command-queue.ts";
import { DeviceRoster, type LineDevice } from "./device-roster.ts";
import { type DeviceEvent, onDeviceEvent } from "./device-state.ts";
import { BusyMeter, StrayMeter } from "./line-meter.ts";
import { OverloadWatch } from "./overload.ts";
import { paddingRefused, paddingUnanswered, paddingWorked } from "./padding.ts";
import { defaultMaxGap, planReads } from "./poll-plan.ts";
import { type Entry, isTold, REFUSED_PERIOD_MS, ReadBook, scheduledRead } from "./read-book.ts";
import { readingsOf } from "./readings.ts";
import { paddingStep } from "./register-map.ts";
import { SUSPECT_MS } from "./reply-guard.ts";
import {
  deviceLost,
  deviceReturned,
  finished,
  held,
  type Job,
  joined,
  nextJob,
  probed,
  replaced,
  retried,
  type Schedule,
  slowed,
  startSchedule,
} from "./schedule.ts";
import type { SerialLine } from "./serial-line.ts";
import { judge, type ReadOutcome, type Verdict } from "./verdict.ts";
import { pauseMs } from "./wire-time.ts";

/** Pause before a port is opened again, after the first failure and at most. */
const REOPEN_FIRST_MS = 500;
const REOPEN_MAX_MS = 10_000;

export interface ModbusSource extends Source {
  /**
   * Any request to a device of the line, ahead of its reads: it waits for the transaction that runs, and for its turn
   * among other commands. One that is out of the limits of Modbus is a bug of the caller. Never rejects.
   */
  execute(request: BusRequest): Promise<CommandOutcome>;
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

type BusJob = Exclude<Job, { readonly kind: "idle" }>;

class LineSource implements ModbusSource {
  readonly #line: LineConfig;
  readonly #sink: TagSink;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #log: Log;
  readonly #bus: Bus;
  readonly #busy: BusyMeter;
  readonly #strays = new StrayMeter();
  readonly #devices: DeviceRoster;
  readonly #reads = new ReadBook();
  readonly #commands = new CommandQueue();
  #afterCommand = false;
  #schedule: Schedule;
  readonly #overload: OverloadWatch;
  #open = false;
  #fault = "not opened yet";
  /** Times the port could not be opened, or had no reply after it was. */
  #failedOpens = 0;
  #stopped = false;
  #wake: () => void = () => undefined;
  #loop: Promise<void> = Promise.resolve();

  constructor({ line, sink, clock, random, log, openLine }: ModbusSourceOptions) {
    this.#line = line;
    this.#sink = sink;
    this.#clock = clock;
    this.#random = random;
    this.#log = log;
    this.#busy = new BusyMeter(pauseMs(line), clock.monotonicMs());
    this.#devices = new DeviceRoster(line);
    const maxGap = defaultMaxGap(line.serial, line.turnaroundDelayMs);
    for (const { config } of this.#devices.all()) {
      for (const read of planReads(config, maxGap)) this.#reads.add(read);
    }
    this.#schedule = startSchedule(this.#reads.all().map(scheduledRead), clock.monotonicMs());
    this.#overload = new OverloadWatch(line, log, clock.monotonicMs());
    this.#bus = new Bus({
      line: openLine(line),
      config: line,
      clock,
      meters: this.#devices.meters(),
      strayMeter: this.#strays,
      onLost: (reason) => this.#lineLost(reason),
      onSuspect: (unitId) => this.#suspect(unitId),
    });
  }

  start(): void {
    this.#overload.foretell();
    this.#loop = this.#run();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#commands.endAll({ kind: "closed", reason: "the gateway stops", atMs: this.#clock.monotonicMs() });
    this.#wake();
    await this.#bus.close();
    await this.#loop;
  }

  report(): LineReport {
    return {
      name: this.#line.name,
      path: this.#line.path,
      fault: this.#open ? "" : this.#fault,
      utilisation: this.#busy.percent(this.#clock.monotonicMs()),
      missedPeriods: Math.floor(this.#schedule.missedPeriods),
      foreignFrames: this.#strays.foreignFrames,
      noiseBytes: this.#strays.noiseBytes,
      devices: this.#devices.report(),
    };
  }

  execute(request: BusRequest): Promise<CommandOutcome> {
    const atMs = this.#clock.monotonicMs();
    if (!this.#open) return Promise.resolve({ kind: "closed", reason: this.#fault, atMs });
    const outcome = this.#commands.add(request, atMs);
    this.#wake();
    return outcome;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      if (!this.#open) {
        await this.#openPort();
        continue;
      }
      const turn = this.#nextTurn();
      if (turn.kind === "idle") await this.#pauseUntil(turn.untilMs);
      else if (turn.kind === "command") await this.#command(turn.command);
      else await this.#serve(turn);
      this.#overload.look(this.#schedule, this.#devices, this.#clock.monotonicMs());
    }
    await this.#bus.close();
  }

  #nextTurn(): Turn {
    const nowMs = this.#clock.monotonicMs();
    const job = nextJob(this.#schedule, nowMs);
    const clearAtMs = (request: BusRequest) => this.#bus.clearAtMs(request);
    return takeTurn(this.#commands.waiting(), job, this.#afterCommand, clearAtMs, nowMs);
  }

  async #command(command: Command): Promise<void> {
    this.#commands.take(command);
    this.#afterCommand = true;
    const beginMs = this.#clock.monotonicMs();
    const outcome = await this.#bus.execute(command.request);
    this.#busy.busy(beginMs, this.#clock.monotonicMs());
    command.settle(outcome);
    if (outcome.kind === "closed") this.#lineLost(outcome.reason);
    const device = this.#devices.ofUnit(command.request.unitId);
    const isAnswer = outcome.kind === "data" || outcome.kind === "written" || outcome.kind === "identified";
    if (device !== undefined && isAnswer && this.#open) this.#deviceEvent(device, "answered");
  }

  async #openPort(): Promise<void> {
    await this.#bus.close();
    if (this.#failedOpens > 0) {
      const delayMs = backoffMs(this.#failedOpens, REOPEN_FIRST_MS, REOPEN_MAX_MS, this.#random);
      await this.#pauseUntil(this.#clock.monotonicMs() + delayMs);
      if (this.#stopped) return;
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
    for (const device of this.#devices.all()) this.#deviceEvent(device, "lineBack");
  }

  #lineLost(reason: string): void {
    this.#open = false;
    this.#commands.endAll({ kind: "closed", reason, atMs: this.#clock.monotonicMs() });
    if (this.#stopped) return;
    if (this.#fault !== reason) this.#log.warning(reason);
    this.#fault = reason;
    for (const device of this.#devices.all()) this.#deviceEvent(device, "lineLost");
    this.#wake();
  }

  async #serve(job: BusJob): Promise<void> {
    const entry = this.#reads.get(job.key);
    const choice = this.#bus.choose(entry);
    if (choice.kind === "wait") {
      this.#schedule = held(this.#schedule, job.key, choice.untilMs);
      return;
    }
    this.#afterCommand = false;
    const beginMs = this.#clock.monotonicMs();
    const outcome = await this.#bus.read(entry.read, choice.quantity, choice.alone);
    const endMs = this.#clock.monotonicMs();
    this.#busy.busy(beginMs, endMs);
    if (outcome.kind === "closed") {
      this.#lineLost(outcome.reason);
      return;
    }
    // The line may have gone in the very moment of the reply: what was told then must not be unsaid.
    if (!this.#open) return;
    const { retries, maxLateMs } = entry.read.device;
    const paddedSteps = (choice.quantity - entry.read.quantity) / paddingStep(entry.read.table);
    const verdict = judge(
      {
        attempts: job.kind === "read" ? job.attempts : retries,
        retries,
        padded: paddedSteps > 0,
        trial: choice.trial === true,
        splittable: entry.splittable,
        proven: entry.proven,
        maxLateMs,
      },
      outcome,
    );
    if (verdict.kind === "good") entry.padding = paddingWorked(entry.padding, paddedSteps);
    if (verdict.kind === "unpadded") {
      const { padding } = entry;
      entry.padding = outcome.kind === "silence" ? paddingUnanswered(padding) : paddingRefused(padding, paddedSteps);
    }
    if (job.kind === "probe") this.#applyToProbe(entry, verdict, outcome, endMs - beginMs);
    else this.#apply(entry, verdict, outcome);
  }

  #apply(entry: Entry, verdict: Verdict, outcome: ReadOutcome): void {
    const { key } = entry;
    const { atMs } = outcome;
    const device = this.#devices.of(entry.read.device.name);
    if (verdict.kind !== "unpadded") entry.good = verdict.kind === "good";
    if (!entry.good) entry.goodInRow = 0;
    switch (verdict.kind) {
      case "good":
        this.#deviceEvent(device, "answered");
        this.#failedOpens = 0;
        this.#deliver(entry, outcome);
        this.#schedule = finished(this.#schedule, key, atMs);
        this.#join(entry, atMs);
        return;
      case "again":
        if (verdict.answered) this.#deviceEvent(device, "answered");
        this.#schedule = retried(this.#schedule, key, atMs + verdict.afterMs);
        return;
      case "unpadded":
        if (outcome.kind === "exception") this.#deviceEvent(device, "answered");
        return;
      case "split":
        this.#deviceEvent(device, "answered");
        this.#split(entry, atMs);
        return;
      case "refused":
        this.#deviceEvent(device, "answered");
        this.#refuse(entry, verdict.status, atMs);
        return;
      case "bad":
        this.#schedule = finished(this.#schedule, key, atMs);
        if (verdict.answered) this.#deviceEvent(device, "answered");
        this.#tell(entry.read.tags, verdict.status, atMs);
        if (!verdict.answered) this.#deviceEvent(device, "failed");
    }
  }

  /** A reply of any kind ends the probing; what it says is found out by the reads that follow at once. */
  #applyToProbe(entry: Entry, verdict: Verdict, outcome: ReadOutcome, costMs: number): void {
    if (verdict.kind === "unpadded") return;
    if (verdict.kind === "bad" && !verdict.answered) {
      this.#schedule = probed(this.#schedule, entry.read.device.name, outcome.atMs, costMs);
      return;
    }
    this.#deviceEvent(this.#devices.of(entry.read.device.name), "answered");
    this.#failedOpens = 0;
    if (verdict.kind !== "good") return;
    this.#deliver(entry, outcome);
    this.#schedule = finished(this.#schedule, entry.key, outcome.atMs);
  }

  #deliver(entry: Entry, outcome: ReadOutcome): void {
    assert(outcome.kind === "data", "a good verdict without data");
    entry.proven = true;
    if (entry.slow) {
      entry.slow = false;
      this.#schedule = slowed(this.#schedule, entry.key, entry.read.periodMs, outcome.atMs);
    }
    const readings = readingsOf(entry.read, outcome.data).filter(({ tag }) => isTold(tag, entry));
    entry.goodInRow += 1;
    this.#sink.read(readings, outcome.atMs);
  }

  #split(entry: Entry, atMs: number): void {
    const halves = this.#reads.split(entry, atMs).map(scheduledRead);
    this.#schedule = replaced(this.#schedule, entry.key, halves, atMs);
  }

  #join(entry: Entry, atMs: number): void {
    const block = this.#reads.joinable(entry, atMs);
    if (block === undefined) return;
    const { whole, pieces } = this.#reads.join(block);
    const keys = pieces.map((piece) => piece.key);
    this.#schedule = joined(this.#schedule, keys, scheduledRead(whole));
  }

  #refuse(entry: Entry, status: Status, atMs: number): void {
    if (!entry.slow) {
      const ids = entry.read.tags.map((tag) => tag.id).join(", ");
      this.#log.warning(`${ids}: ${STATUSES[status].words}; asked again every ${REFUSED_PERIOD_MS / 1_000} s`);
    }
    entry.slow = true;
    this.#schedule = slowed(this.#schedule, entry.key, REFUSED_PERIOD_MS, atMs);
    this.#tell(entry.read.tags, status, atMs);
  }

  #deviceEvent(device: LineDevice, event: DeviceEvent): void {
    const { name, lostAfter } = device.config;
    const [state, effects] = onDeviceEvent(device.state, event, lostAfter);
    device.state = state;
    const nowMs = this.#clock.monotonicMs();
    for (const effect of effects) {
      switch (effect) {
        case "tellLost":
          if (event !== "lineLost")
            this.#log.warning(`${name} is lost: no answer; asked now and then until it is back`);
          this.#sink.presence(name, "lost", nowMs);
          break;
        case "tellOnline":
          this.#log.notice(`${name} answers again`);
          this.#sink.presence(name, "online", nowMs);
          break;
        case "probe":
          this.#schedule = deviceLost(this.#schedule, name, this.#reads.cheapest(device.config).key, nowMs);
          break;
        case "serve":
          this.#reads.forgetPadding(device.config);
          this.#schedule = deviceReturned(this.#schedule, name, nowMs);
          break;
      }
    }
  }

  #suspect(unitId: number): void {
    const device = this.#devices.ofUnit(unitId);
    if (device === undefined) return;
    const minutes = SUSPECT_MS / 60_000;
    this.#log.warning(
      `${device.config.name}: replies come that were not asked for; for ${minutes} min it is asked less often, so that none is mistaken`,
    );
  }

  #tell(tags: readonly RegisterTag[], status: Status, atMs: number): void {
    const readings: readonly Reading[] = tags.map((tag) => ({ tag, value: undefined, status }));
    this.#sink.read(readings, atMs);
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
