/** Sparkplug B: the gateway as an edge node, its devices as devices, its self-tags as metrics of the node. */
import type { UplinkConfig } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import type { CurrentValues, Message, StateStore } from "../../pipeline.ts";
import type { CommandInlet, Format } from "../format.ts";
import { SparkplugConversation } from "./conversation.ts";
import { HostMemory } from "./host-memory.ts";
import { BD_SEQ, ownBirth } from "./metrics.ts";
import { encodePayload } from "./payload.ts";
import { SparkplugSession } from "./sparkplug-session.ts";
import { type SparkplugTopics, sparkplugTopics } from "./sparkplug-topics.ts";

export interface SparkplugFormatOptions {
  readonly config: Pick<UplinkConfig, "name" | "node" | "sparkplug" | "primaryHost" | "servers">;
  readonly values: CurrentValues;
  readonly state: Pick<StateStore, "nextBdSeq">;
  readonly clock: Clock;
  readonly log: Log;
  /** Of the uplink that this one goes on for. Absent: nothing is remembered. */
  readonly memory?: HostMemory;
  readonly commands?: CommandInlet;
}

export function createSparkplugFormat(options: SparkplugFormatOptions): Format {
  const { config, values, state, clock, log, commands } = options;
  const memory = options.memory ?? new HostMemory(config);
  const topics = sparkplugTopics(config.node);
  /** Of the last CONNECT. */
  let bdSeq = 0;
  return {
    hostMemory: memory,
    will: () => deathOf(topics, bdSeq, clock.wallMs()),
    async willOfConnect() {
      bdSeq = await state.nextBdSeq(config.name);
      return deathOf(topics, bdSeq, clock.wallMs());
    },
    session: (_opening, { messageMaxBytes }) => {
      const session: SparkplugSession = new SparkplugSession({
        topics,
        values,
        clock,
        bdSeq,
        messageMaxBytes,
        options: config.sparkplug,
        death: () => deathOf(topics, bdSeq, clock.wallMs()),
        converse: (connection, hooks) =>
          new SparkplugConversation({
            config,
            topics,
            session,
            connection,
            hooks,
            memory,
            clock,
            log,
            ...(commands && { commands }),
          }),
      });
      return session;
    },
  };
}

function deathOf({ ndeath }: SparkplugTopics, bdSeq: number, nowMs: number): Message {
  const metrics = [ownBirth(BD_SEQ, bdSeq, nowMs)];
  return { topic: ndeath, payload: encodePayload({ timestamp: nowMs, metrics }), qos: 1, retain: false };
}
