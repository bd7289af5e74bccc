/** What an uplink says and in which words. The loop knows sessions, order and acknowledgement; a format knows the rest. */
import type { UplinkConfig } from "../config/config.ts";
import type { Connection, Loss, Message, NumberedSample, UnsyncedCopy } from "../pipeline.ts";
import type { HostMemory } from "./sparkplug/host-memory.ts";

/** Where an uplink hands in what the far end wants written. Absent without a `commands` section. */
export interface CommandInlet {
  /** What JSON sessions listen to; undefined: this format has no topic for it. */
  jsonConversation(
    config: Pick<UplinkConfig, "name" | "format" | "topic" | "id" | "node">,
  ): SessionFormat["converse"] | undefined;
  /** A DCMD. */
  deviceCommand(uplink: string, device: string, payload: Uint8Array): void;
}

/** What must be known before CONNECT, because the will tells it. */
export interface Opening {
  /** Stored before it is used; only rises. */
  readonly session: number;
  /** Wall time of CONNECT, UTC ms. */
  readonly connectMs: number;
}

export interface FormatLimits {
  /** A message, topic and header included, stays below this. */
  readonly messageMaxBytes: number;
  readonly retainAvailable: boolean;
}

/** Samples in the words of the format. The messages are numbered: they go out at once and in this order. */
export interface Encoded {
  readonly messages: readonly Message[];
  /** How many of the samples given are in them, from the first on; at least one. */
  readonly taken: number;
}

export interface Format {
  will(opening: Opening): Message;
  /** The will in place of that, made right before each CONNECT packet. */
  readonly willOfConnect?: () => Promise<Message>;
  /** What was acknowledged lately, for a far end that may miss it. */
  readonly hostMemory?: HostMemory;
  session(opening: Opening, limits: FormatLimits): SessionFormat;
}

/** One session's words. Everything is numbered when it is made, so what is made must be sent. */
export interface SessionFormat {
  /** Topics this session keeps retained for certain; whatever else was retained before belongs to nothing any more. */
  retainedTopics(): readonly string[];
  /** What there is, before what is true of it. */
  describe(): Iterable<Message>;
  /** The full current picture, made as it is taken. */
  picture(): Iterable<Message>;
  /** Tells that the picture is complete and live values follow. */
  online(): readonly Message[];
  /** Tells a planned end. */
  offline(): readonly Message[];
  /** Of one kind: samples, or copies with the best-known time, which it marks as such. */
  live(samples: readonly (NumberedSample | UnsyncedCopy)[], maxBytes: number): Encoded;
  history(samples: readonly NumberedSample[], maxBytes: number): Encoded;
  /** The samples as lost, for an uplink whose history is off. */
  forgone(samples: readonly NumberedSample[], maxBytes: number): Encoded;
  lost(loss: Loss, maxBytes: number): Iterable<Message>;
  /** What the far end must know before it is told of a loss of these tags. */
  beforeLost?(loss: Loss): readonly Message[];
  /** What is due beside samples, a little at a time; empty when nothing is. */
  upkeep(nowMs: number): readonly Message[];
  /** Monotonic time at which to look for `upkeep` next; it has passed only when there is something. Infinity for never. */
  upkeepDueMs(): number;
  /** Nothing else may go out between the messages of a picture. */
  readonly pictureIsWhole?: true;
  /** Whether anything of the past is still to be told; asked for before `upkeep`. */
  historyOwed?(owed: boolean): void;
  /** Absent: this session talks and hears nothing. */
  converse?(connection: Connection, hooks: ConversationHooks): Conversation;
}

/** What a far end that is heard may bring about. */
export interface ConversationHooks {
  readonly server: string;
  /** The picture anew. False: not now, another one is on its way. */
  onRetell(): boolean;
  /** This server is the wrong one. */
  onMoveOn(reason: string): void;
  /** The connection is of no more use. */
  onFailure(reason: string): void;
  /** There is something for `upkeep`. */
  onNews(): void;
  /** Sends a message of the conversation's own once there is room for it, and settles as the connection's does. */
  publish(message: Message): Promise<void>;
}

export interface Conversation {
  /** The connection as the format writes to it. */
  readonly connection: Connection;
  /** Subscribes. Resolves when the picture may be told, false when the connection ended before; rejects when refused. */
  begin(): Promise<boolean>;
  /** The picture is acknowledged. Resolves when data may follow, false when the connection ended before. */
  told(): Promise<boolean>;
  /** A picture that was asked for is acknowledged. */
  retold(): void;
  awaitsHost(): boolean;
  end(): void;
}
