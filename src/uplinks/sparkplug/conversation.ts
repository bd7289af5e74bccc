/** Runs the attendance of one session: subscribes, listens, and does what was decided. */
import type { UplinkConfig } from "../../config/config.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import { unreachable } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Connection, Message } from "../../pipeline.ts";
import type { CommandInlet, Conversation, ConversationHooks } from "../format.ts";
import {
  type AttendanceEffect,
  type AttendanceEvent,
  type AttendanceState,
  startAttendance,
  stepAttendance,
} from "./attendance.ts";
import { readCommand } from "./commands.ts";
import type { HostMemory } from "./host-memory.ts";
import { parseHostState } from "./host-state.ts";
import { SparkplugConnection } from "./sparkplug-connection.ts";
import type { SparkplugSession } from "./sparkplug-session.ts";
import type { SparkplugTopics } from "./sparkplug-topics.ts";

/** Between two lines of the log on what was heard. */
const NOTE_GAP_MS = 1_000;

export interface ConversationOptions {
  readonly config: Pick<UplinkConfig, "name" | "primaryHost" | "servers" | "sparkplug">;
  readonly topics: SparkplugTopics;
  readonly session: SparkplugSession;
  readonly connection: Connection;
  readonly hooks: ConversationHooks;
  readonly memory: HostMemory;
  readonly clock: Clock;
  readonly log: Log;
  /** Absent: this gateway takes no commands to its devices. */
  readonly commands?: CommandInlet;
}

export class SparkplugConversation implements Conversation {
  readonly connection: SparkplugConnection;
  readonly #options: ConversationOptions;
  readonly #probes: readonly string[];
  #attendance: AttendanceState;
  #timer: Timer | undefined;
  #noteFromMs = Number.NEGATIVE_INFINITY;
  #mayTell = () => {};
  #mayDeliver = () => {};
  #end = () => {};
  readonly #ended: Promise<false>;

  constructor(options: ConversationOptions) {
    const { connection, clock, config, topics, session, memory, hooks } = options;
    this.#options = options;
    const device = session.firstDevice();
    this.#probes = [topics.nbirth, ...(device === undefined ? [] : [topics.dbirth(device)])];
    this.#attendance = startAttendance(this.#probes, memory.at(hooks.server));
    this.connection = new SparkplugConnection({
      connection,
      clock,
      echoTopics: this.#probes,
      ...(config.sparkplug.barrier === "publish" && { barrierTopic: topics.barrier }),
    });
    this.#ended = new Promise((resolve) => {
      this.#end = () => resolve(false);
    });
  }

  awaitsHost(): boolean {
    return this.#attendance.phase === "awaitingHost";
  }

  async begin(): Promise<boolean> {
    const mayTell = new Promise<true>((resolve) => {
      this.#mayTell = () => resolve(true);
    });
    this.connection.onMessage((message) => this.#heard(message));
    await this.#subscribe();
    this.#dispatch({ type: "subscribed" });
    return Promise.race([mayTell, this.#ended]);
  }

  async told(): Promise<boolean> {
    const mayDeliver = new Promise<true>((resolve) => {
      this.#mayDeliver = () => resolve(true);
    });
    // A device that was lost before it could be born has no birth to come back.
    for (const topic of this.#probes) if (!this.connection.hasWritten(topic)) this.#dispatch({ type: "echo", topic });
    this.#dispatch({ type: "told" });
    return Promise.race([mayDeliver, this.#ended]);
  }

  retold(): void {
    this.#dispatch({ type: "retold" });
  }

  end(): void {
    this.#timer?.cancel();
    // What is still heard of this connection concerns no session any more.
    this.#attendance = { ...this.#attendance, phase: "gone" };
    this.#end();
  }

  async #subscribe(): Promise<void> {
    const { topics, config } = this.#options;
    const { primaryHost, sparkplug } = config;
    const filters: Record<string, 0 | 1> = { [topics.ncmd]: 1, [topics.dcmd]: 1 };
    if (primaryHost !== undefined) filters[topics.state(primaryHost)] = 1;
    for (const probe of this.#probes) filters[probe] = 0;
    const refused = await this.connection.subscribe(filters);
    const unheard = refused.filter((filter) => !this.#probes.includes(filter));
    if (unheard.length > 0) throw new Error(`the broker refuses this gateway to listen to ${unheard.join(", ")}`);
    if (refused.length === 0) return;
    // What a PUBACK with a reason says of one message is the next best proof.
    if (sparkplug.barrier !== "publish" || !this.connection.limits.tellsReasons) {
      throw new Error(
        `the broker refuses this gateway to listen to its own ${refused.join(", ")}: it could not know whether its data arrive`,
      );
    }
    const echoesDue = this.#probes.filter((probe) => !refused.includes(probe));
    // What the host says of itself may have come before this answer.
    this.#attendance = { ...this.#attendance, echoesDue };
  }

  #heard(message: Message): void {
    const { topics, config } = this.#options;
    const { topic, payload, retain } = message;
    if (config.primaryHost !== undefined && topic === topics.state(config.primaryHost)) {
      const state = parseHostState(payload);
      if (state === undefined) this.#note("warning", `${topic} says something that is no STATE: ignored`);
      else this.#dispatch({ type: "state", state });
    } else if (retain) {
      // Commands are for now; a birth that was there before is none of ours.
      this.#note("warning", `${topic} is retained: ignored`);
    } else if (this.#probes.includes(topic)) {
      if (this.connection.isEcho(message)) this.#dispatch({ type: "echo", topic });
      else this.#note("warning", `another gateway publishes as this Sparkplug node: ${topic}`);
    } else if (topic === topics.ncmd || isBelow(topics.dcmd, topic)) {
      this.#command(topic, payload);
    } else {
      this.#note("warning", `${topic} was not asked for: ignored`);
    }
  }

  /** Who floods a gateway does not flood its log: what follows within the gap is not told. */
  #note(level: "notice" | "warning", words: string): void {
    const { clock, log } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs < this.#noteFromMs) return;
    this.#noteFromMs = nowMs + NOTE_GAP_MS;
    log[level](words);
  }

  #command(topic: string, payload: Uint8Array): void {
    const { topics, session, hooks, commands, config } = this.#options;
    const device = topic === topics.ncmd ? undefined : topic.slice(topic.lastIndexOf("/") + 1);
    if (device !== undefined && commands !== undefined) {
      commands.deviceCommand(config.name, device, payload);
      return;
    }
    const { rebirth, refusal } = readCommand(payload, device);
    if (refusal !== "") {
      this.#note("notice", `refused: ${refusal}`);
      session.refuse(refusal);
      hooks.onNews();
    }
    if (rebirth) this.#dispatch({ type: "rebirth" });
  }

  #dispatch(event: AttendanceEvent): void {
    if (this.#attendance.phase === "gone") return;
    const { config, clock, hooks, memory } = this.#options;
    const context = {
      nowMs: clock.monotonicMs(),
      server: hooks.server,
      primaryHost: config.primaryHost,
      hasOtherServers: config.servers.length > 1,
    };
    const [attendance, effects] = stepAttendance(this.#attendance, event, context);
    this.#attendance = attendance;
    for (const effect of effects) this.#perform(effect);
    memory.note(hooks.server, this.#attendance);
  }

  #perform(effect: AttendanceEffect): void {
    const { clock, hooks, memory, config } = this.#options;
    switch (effect.type) {
      case "tell":
        memory.begins(clock.monotonicMs());
        memory.tells(hooks.server, effect.missesFromMs, clock.monotonicMs());
        this.#mayTell();
        break;
      case "deliver":
        this.#timer?.cancel();
        void this.connection.unsubscribe(this.#probes).catch(() => undefined);
        this.#mayDeliver();
        break;
      case "retell":
        if (hooks.onRetell()) memory.tells(hooks.server, effect.missesFromMs, clock.monotonicMs());
        else this.#dispatch({ type: "busy", missesFromMs: effect.missesFromMs });
        break;
      case "doubt":
        this.#note("warning", `${config.primaryHost} is online by a time before its last STATE: not believed yet`);
        break;
      case "moveOn":
        hooks.onMoveOn(effect.reason);
        break;
      case "fail":
        hooks.onFailure(effect.reason);
        break;
      case "setTimer":
        this.#timer?.cancel();
        this.#timer = clock.after(effect.delayMs, () => this.#dispatch({ type: "timer" }));
        break;
      default:
        unreachable(effect);
    }
  }
}

/** Whether the topic fits a filter that ends in `+`. */
function isBelow(filter: string, topic: string): boolean {
  const prefix = filter.slice(0, -1);
  return topic.startsWith(prefix) && !topic.includes("/", prefix.length);
}
