/** Keeps the record of events: looks at the gateway once a second, is told of the rest, numbers and passes on. */
import type { Clock, Timer } from "../core/clock.ts";
import type { ClockState, KnownTime } from "../core/known-time.ts";
import type { Log } from "../core/log.ts";
import type { Source, TagSink } from "../pipeline.ts";
import { EVENTS, type Event, eventText, type RecordedEvent } from "./event.ts";
import { type Allowances, allow } from "./event-allowance.ts";
import { EventFile, hashOfFile, readEvents } from "./event-file.ts";
import { happened, NOTHING_SEEN, type Seen } from "./happenings.ts";
import type { Reports } from "./self-tags.ts";

const LOOK_INTERVAL_MS = 1_000;
const TEXT_MAX_CHARACTERS = 400;

export interface EventRecordOptions {
  /** The state directory. Absent in a simulation: events are told, and no file keeps them. */
  readonly dir?: string;
  readonly sink: TagSink;
  readonly reports: Reports;
  readonly clock: Clock;
  readonly time: Pick<KnownTime, "trust" | "boot"> & { state(): ClockState };
  /** gateway.yaml: it is known by the sum of its bytes. */
  readonly configurationFile: () => string;
  readonly log: Log;
}

export interface EventRecord extends Source {
  note(event: Event): void;
  /** Another configuration is in force. */
  reloaded(): void;
}

export function createEventRecord(options: EventRecordOptions): EventRecord {
  return new Recorder(options);
}

class Recorder implements EventRecord {
  readonly #o: EventRecordOptions;
  readonly #file: EventFile | undefined;
  #number = 0;
  #seen: Seen = NOTHING_SEEN;
  #allowances: Allowances = new Map();
  #timer: Timer | undefined;

  constructor(options: EventRecordOptions) {
    this.#o = options;
    if (options.dir !== undefined) this.#file = new EventFile(options.dir, options.log);
  }

  start(): void {
    const { dir, time } = this.#o;
    const before = dir === undefined ? [] : readEvents(dir);
    this.#number = before.reduce((highest, { number }) => Math.max(highest, number), 0);
    this.#record({ kind: "start", text: startText(before, time.boot, this.#configuration()) }, time.boot);
    // The first look waits: lines and brokers are on their way at the start, which is no event.
    this.#await();
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    this.#look();
    this.note({ kind: "stop", text: "told to stop" });
    await this.#file?.flush();
  }

  note(event: Event): void {
    const [allowances, told] = allow(this.#allowances, event, this.#o.clock.monotonicMs());
    this.#allowances = allowances;
    if (told !== undefined) this.#record(told);
  }

  reloaded(): void {
    this.note({ kind: "configuration", text: `loaded${this.#configuration()}` });
  }

  /** As `sha256sum` tells it. */
  #configuration(): string {
    const hash = hashOfFile(this.#o.configurationFile());
    return hash === undefined ? "" : ` sha256 ${hash}`;
  }

  #await(): void {
    this.#timer = this.#o.clock.after(LOOK_INTERVAL_MS, () => {
      this.#look();
      // What the card did not take before.
      void this.#file?.flush();
      this.#await();
    });
  }

  #look(): void {
    const { reports, clock, time } = this.#o;
    const [seen, events] = happened(this.#seen, {
      uplinks: reports.uplinks(),
      lines: reports.lines(),
      outbox: reports.outbox(),
      clockState: time.state(),
      clockOffsetMs: clock.wallMs() - clock.monotonicMs(),
    });
    this.#seen = seen;
    for (const event of events) this.note(event);
  }

  #record({ kind, text }: Event, boot = ""): void {
    const { clock, time, sink } = this.#o;
    const event: RecordedEvent = {
      number: ++this.#number,
      ms: clock.wallMs(),
      kind,
      text: oneLine(text),
      ...(time.trust() === "none" && { unsynced: true }),
      ...(boot !== "" && { boot }),
    };
    this.#file?.add(event);
    sink.read([{ tag: EVENTS, value: eventText(event), status: "Good" }], clock.monotonicMs());
  }
}

/** Why it starts, as far as the record of before tells. */
function startText(before: readonly RecordedEvent[], boot: string, configuration: string): string {
  const lastStart = before.findLast(({ kind }) => kind === "start");
  const last = before.at(-1);
  const cause =
    lastStart === undefined
      ? "for the first time, as far as this record tells"
      : boot !== "" && lastStart.boot === boot
        ? "again, the machine runs on"
        : "with the machine";
  const end = last === undefined || last.kind === "stop" ? "" : "; the run before did not end in order";
  return `${cause}${end}${configuration === "" ? "" : `; configuration${configuration}`}`;
}

/** What others wrote (a broker's reason, a tool's note) must not make a line of its own. */
function oneLine(text: string): string {
  return text.replaceAll(/[\p{C}\p{Zl}\p{Zp}]+/gu, " ").slice(0, TEXT_MAX_CHARACTERS);
}
