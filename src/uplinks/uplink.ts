/** One broker, or a list of them to fall back on: runs the session and joins it to the transport. */
import type { UplinkConfig } from "../config/config.ts";
import type { Clock, Timer } from "../core/clock.ts";
import { isOurBug, messageOf, unreachable } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { Random } from "../core/random.ts";
import type {
  Connection,
  ConnectionEnd,
  CurrentValues,
  StateStore,
  Transport,
  UplinkQueue,
  UplinkReport,
} from "../pipeline.ts";
import type { CommandInlet, Format, Opening } from "./format.ts";
import { jsonFormatOf } from "./json/json-formats.ts";
import { Link } from "./link.ts";
import { RetainedTopics } from "./retained-topics.ts";
import { type Effect, INITIAL_SESSION, type SessionEvent, type SessionState, stepSession } from "./session.ts";
import type { HostMemory } from "./sparkplug/host-memory.ts";
import { createSparkplugFormat } from "./sparkplug/sparkplug-format.ts";

/** Every message stays below this, whatever more the broker would take. */
export const MESSAGE_MAX_BYTES = 100_000;

export interface Uplink {
  start(): void;
  /** Says goodbye where someone listens and resolves within seconds, in an outage too. */
  stop(): Promise<void>;
  report(): UplinkReport;
  /** For whoever goes on in its place. */
  readonly hostMemory?: HostMemory | undefined;
}

export interface UplinkOptions {
  readonly config: UplinkConfig;
  readonly values: CurrentValues;
  readonly queue: UplinkQueue;
  readonly transport: Transport & { certificateDays?(): number | undefined; certificates?(): string };
  readonly state: StateStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Absent: nothing remote can write. */
  readonly commands?: CommandInlet;
}

/**
 * @param former those that were there before a reload: this one may be one of them, and goes on with what that remembers.
 * Not an option, which would be kept: each would keep all before it.
 */
export function createUplink(options: UplinkOptions, former: readonly Uplink[] = []): Uplink {
  return new UplinkLoop(options, formatFor(options, former));
}

/** What a format is made of. */
type FormatParts = Pick<UplinkOptions, "config" | "values" | "clock" | "log" | "commands"> & {
  readonly state: Pick<StateStore, "nextBdSeq">;
};

/** The words of an uplink, as its configuration wants them. */
export function formatFor(parts: FormatParts, former: readonly Uplink[] = []): Format {
  const { config, values, state, clock, log, commands } = parts;
  const memory = former.find((one) => one.hostMemory?.isOf(config) === true)?.hostMemory;
  const options = { ...(memory && { memory }), ...(commands && { commands }) };
  return config.format === "sparkplug"
    ? createSparkplugFormat({ config, values, state, clock, log, ...options })
    : jsonFormatOf(config, values, clock, commands?.jsonConversation(config));
}

class UplinkLoop implements Uplink {
  readonly #options: UplinkOptions;
  readonly #format: Format;
  #session: SessionState = INITIAL_SESSION;
  #timer: Timer | undefined;
  #opening: Opening = { session: 0, connectMs: 0 };
  #server = "";
  #connection: Connection | undefined;
  #link: Link | undefined;
  readonly #counts = { live: 0, replayed: 0, dropped: 0 };
  readonly #stopped: Promise<void>;
  #resolveStopped = () => {};

  constructor(options: UplinkOptions, format: Format) {
    this.#options = options;
    this.#format = format;
    this.#server = options.config.servers[0] ?? "";
    this.#stopped = new Promise((resolve) => {
      this.#resolveStopped = resolve;
    });
  }

  start(): void {
    this.#dispatch({ type: "start" });
  }

  stop(): Promise<void> {
    this.#dispatch({ type: "stop" });
    return this.#stopped;
  }

  get hostMemory(): HostMemory | undefined {
    return this.#format.hostMemory;
  }

  report(): UplinkReport {
    const { config, queue, transport } = this.#options;
    const { phase, session, failure } = this.#session;
    const unconnected = failure === "" ? "connecting" : `failed: ${failure}`;
    const notOnline = this.#link?.awaitsHost() ? "waiting-for-host" : unconnected;
    return {
      name: config.name,
      state: phase === "online" ? "connected" : notOnline,
      server: this.#server,
      session,
      depth: queue.depth(),
      oldestMs: queue.oldestMs(),
      ...this.#counts,
      certificateDays: transport.certificateDays?.(),
      certificates: transport.certificates?.() ?? "",
    };
  }

  #dispatch(event: SessionEvent): void {
    const { config, clock, random } = this.#options;
    const { servers, clientId, reconnect } = config;
    const before = this.#session.phase;
    const context = { servers, clientId, reconnect, random, nowMs: clock.monotonicMs() };
    const [session, effects] = stepSession(this.#session, event, context);
    this.#session = session;
    if (session.phase !== before) this.#timer?.cancel();
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: Effect): void {
    const { config, state, clock, log } = this.#options;
    switch (effect.type) {
      case "storeSession":
        state.nextSession(config.name).then(
          (session) => this.#dispatch({ type: "stored", session }),
          (error: unknown) => this.#dispatch({ type: "notStored", reason: worldly(error) }),
        );
        break;
      case "connect":
        this.#connect(effect.server, effect.session);
        break;
      case "announce":
        this.#announce();
        break;
      case "deliver":
        this.#link?.deliver();
        break;
      case "sayGoodbye":
        void this.#link?.sayGoodbye();
        break;
      case "leave":
        void this.#link?.leave();
        break;
      case "close":
        void this.#connection?.close();
        break;
      case "destroy":
        // The end of the connection may never be told, and what follows does not wait for it.
        this.#link?.end();
        this.#connection?.destroy();
        break;
      case "setTimer":
        this.#timer = clock.after(effect.delayMs, () => this.#dispatch({ type: "timer" }));
        break;
      case "tell":
        log[effect.level](effect.message);
        break;
      case "stopped":
        this.#resolveStopped();
        break;
      default:
        unreachable(effect);
    }
  }

  #connect(server: string, session: number): void {
    const { config, transport, clock } = this.#options;
    this.#server = server;
    this.#opening = { session, connectMs: clock.wallMs() };
    const { clientId, keepAliveMs } = config;
    const { willOfConnect } = this.#format;
    const late = willOfConnect && { willOfConnect };
    transport.connect({ server, clientId, keepAliveMs, will: this.#format.will(this.#opening), ...late }).then(
      (connection) => {
        this.#connection = connection;
        this.#dispatch({ type: "connected" });
        void connection.closed.then((end) => this.#closed(connection, end));
      },
      (error: unknown) => this.#dispatch({ type: "notConnected", reason: worldly(error) }),
    );
  }

  #announce(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    const link = this.#openLink(connection);
    this.#link = link;
    void link.announce().then((announced) => {
      if (announced) this.#dispatch({ type: "announced" });
    });
  }

  #openLink(connection: Connection): Link {
    const { config, queue, state, clock, log } = this.#options;
    const { maxPacketBytes, retainAvailable } = connection.limits;
    if (!retainAvailable && config.format !== "sparkplug")
      log.warning("the broker keeps no retained messages: whoever comes late learns nothing");
    const messageMaxBytes = Math.min(MESSAGE_MAX_BYTES, maxPacketBytes);
    const link: Link = new Link({
      connection,
      server: this.#server,
      window: this.#format.hostMemory?.window,
      format: this.#format.session(this.#opening, { messageMaxBytes, retainAvailable }),
      retained: new RetainedTopics(state, config.name, this.#server),
      queue,
      history: config.history,
      clock,
      log,
      onFailure: (reason) => {
        if (link === this.#link) this.#dispatch({ type: "failed", reason });
      },
      onMoveOn: (reason) => {
        if (link === this.#link) this.#dispatch({ type: "hostOffline", reason });
      },
      onDelivered: (kind, samples) => {
        this.#counts[kind] += samples;
      },
    });
    return link;
  }

  #closed(connection: Connection, end: ConnectionEnd): void {
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    this.#link?.end();
    this.#link = undefined;
    this.#dispatch({ type: "closed", ...end });
  }
}

/** What went wrong in the world, in words; a bug of ours is thrown on. */
function worldly(thrown: unknown): string {
  if (isOurBug(thrown)) throw thrown;
  return messageOf(thrown);
}
