/**
 * Whether the broker lets this gateway do what it needs, tried on an open connection without changing anything.
 * What is published says what holds already, offline, in a session below all: readers ignore it, and nobody keeps it.
 */
import type { UplinkConfig } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import type { Connection, CurrentValues } from "../../pipeline.ts";
import { jsonFormatOf } from "../../uplinks/json/json-formats.ts";
import { sparkplugTopics } from "../../uplinks/sparkplug/sparkplug-topics.ts";

export interface Rights {
  /** Topics that were refused; empty where all was granted. */
  readonly refused: readonly string[];
  /** What was tried, and what came of it. */
  readonly words: string;
}

const NOTHING_READ: CurrentValues = {
  epoch: () => 0,
  devices: () => [],
  snapshot: () => [],
  revision: () => 0,
  isLost: () => false,
  isUnsynced: () => false,
};
const BELOW_ALL_SESSIONS = 0;

export type Writer = Pick<UplinkConfig, "format" | "topic" | "id" | "node" | "primaryHost">;

/** Never rejects: a broker that hangs up at a topic refuses it, too. */
export function tryRights(connection: Connection, uplink: Writer, clock: Clock): Promise<Rights> {
  return uplink.format === "sparkplug" ? tryReading(connection, uplink) : tryWriting(connection, uplink, clock);
}

async function tryWriting(connection: Connection, uplink: Writer, clock: Clock): Promise<Rights> {
  const opening = { session: BELOW_ALL_SESSIONS, connectMs: clock.wallMs() };
  const offline = { ...jsonFormatOf(uplink, NOTHING_READ, clock).will(opening), retain: false };
  const { topic } = offline;
  try {
    await connection.publish(offline);
  } catch (error) {
    return { refused: [topic], words: messageOf(error) };
  }
  return {
    refused: [],
    words: connection.limits.tellsReasons
      ? `may write ${topic}`
      : `took a message to ${topic}, which with MQTT 3.1.1 does not say that it may`,
  };
}

/** Nothing that a node says of itself is without effect on a host, so what it may write is left to its session. */
async function tryReading(connection: Connection, { node, primaryHost }: Writer): Promise<Rights> {
  const topics = sparkplugTopics(node);
  const wanted = [topics.ncmd, topics.dcmd, ...(primaryHost === undefined ? [] : [topics.state(primaryHost)])];
  try {
    const refused = await connection.subscribe(Object.fromEntries(wanted.map((topic) => [topic, 1 as const])));
    const words =
      refused.length === 0 ? "may read its commands; what it may write, `run` finds out" : "refused by SUBACK";
    return { refused, words };
  } catch (error) {
    return { refused: wanted, words: messageOf(error) };
  }
}
