/** A client on the broker's far side, which writes down everything that arrives there. */
import { readFile } from "node:fs/promises";
import mqtt from "mqtt";
import { hostClock } from "../core/clock.ts";
import type { Message } from "../pipeline.ts";
import type { Certificates, Identity } from "./certificates.ts";
import { Condition } from "./condition.ts";

export interface SubscribeOptions {
  readonly certificates: Certificates;
  readonly identity?: Identity;
  /** By default everything. */
  readonly topics?: readonly string[];
  readonly clientId?: string;
  /** Where it goes, in turn, when the one it was told of is away. */
  readonly others?: readonly string[];
  readonly login?: { readonly username: string; readonly password: string };
  /** By default MQTT 5. */
  readonly version?: 4 | 5;
  /** `retain` tells how a message was published, not whether it came from the broker's memory (MQTT 5). */
  readonly retainAsPublished?: boolean;
  /** Gets each message in place of `messages`, which then stays empty. */
  readonly onMessage?: (message: Received) => void;
}

export interface Received extends Message {
  /** The broker says that it may have delivered this before (MQTT 5.0, 3.3.1.1). */
  readonly again: boolean;
}

export interface Subscriber {
  /** In the order of arrival. `retain`: it came from the broker's memory. */
  readonly messages: readonly Received[];
  /** Rejects with `what` where it does not come true within the limit. */
  until(what: string, holds: (messages: readonly Message[]) => boolean, limitMs?: number): Promise<void>;
  /** The first message for which this holds, come or coming. */
  message(what: string, holds: (message: Message) => boolean, limitMs?: number): Promise<Message>;
  close(): Promise<void>;
}

const RECONNECT_MS = 100;
const SESSION_EXPIRY_S = 3600;
const SEEN_TOPICS = 20;

/** Resolves when the broker has confirmed the subscription. It comes back by itself, to the same session. */
export async function subscribe(url: string, options: SubscribeOptions): Promise<Subscriber> {
  const { certificates } = options;
  const identity = options.identity ?? certificates.client;
  const version = options.version ?? 5;
  const client = await mqtt.connectAsync(url, {
    ca: await readFile(certificates.ca),
    cert: await readFile(identity.certificate),
    key: await readFile(identity.key),
    protocolVersion: version,
    clientId: options.clientId ?? "subscriber",
    clean: false,
    ...(version === 5 && { properties: { sessionExpiryInterval: SESSION_EXPIRY_S } }),
    reconnectPeriod: RECONNECT_MS,
    ...(options.others !== undefined && { servers: [url, ...options.others].map(serverOf) }),
    ...options.login,
  });
  const messages: Received[] = [];
  const condition = new Condition(hostClock);
  client.on("message", (topic, payload, packet) => {
    const received = {
      topic,
      payload,
      qos: packet.qos === 0 ? 0 : 1,
      retain: packet.retain,
      again: packet.dup,
    } as const;
    if (options.onMessage === undefined) messages.push(received);
    else options.onMessage(received);
    condition.changed();
  });
  client.on("error", () => undefined);
  const rap = version === 5 && options.retainAsPublished === true;
  await client.subscribeAsync([...(options.topics ?? ["#"])], { qos: 1, ...(rap && { rap }) });

  const seen = () => `(${messages.length} messages, the last on ${lastTopics(messages)})`;
  return {
    messages,
    until: (what, holds, limitMs) => condition.until(what, () => holds(messages), limitMs, seen),
    async message(what, holds, limitMs) {
      let found: Message | undefined;
      const come = () => {
        found = messages.find(holds);
        return found !== undefined;
      };
      await condition.until(what, come, limitMs, seen);
      if (found === undefined) throw new Error(what);
      return found;
    },
    close: () => client.endAsync(true),
  };
}

function serverOf(url: string): { protocol: "mqtts"; host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { protocol: "mqtts", host: hostname, port: Number(port) };
}

function lastTopics(messages: readonly Message[]): string {
  return messages
    .slice(-SEEN_TOPICS)
    .map((message) => message.topic)
    .join(" ");
}
