/** Who reads at a cluster of brokers: one with a session that outlives the node he is at, and one who comes late. */
import { hostClock, sleep } from "../core/clock.ts";
import type { Message } from "../pipeline.ts";
import type { Certificates } from "./certificates.ts";
import { Condition } from "./condition.ts";
import { Counts } from "./fleet.ts";
import { RABBITMQ_ADMINISTRATOR, type Rabbitmq } from "./rabbitmq.ts";
import { type Subscriber, subscribe } from "./subscriber.ts";
import { parseWire, type StatusOnWire } from "./wire.ts";

export interface ObserverOptions {
  readonly certificates: Certificates;
  /** It begins at the first, and goes on to the next when that is away. */
  readonly nodes: readonly Rabbitmq[];
  readonly name: string;
}

/** What the broker's memory holds is sent right behind the confirmation of the subscription. */
const RETAINED_WAIT_MS = 2_000;

export class Observer {
  readonly counts = new Counts();
  /** Gateways of which something came since this was last cleared. */
  readonly heard = new Set<string>();
  /** Gateways that were said to be offline since this was last cleared. */
  readonly offline = new Set<string>();
  /** The highest session that a gateway's status told, by its topic. */
  readonly sessions = new Map<string, number>();
  readonly #changed = new Condition(hostClock);
  #subscriber: Subscriber | undefined;

  static async open({ certificates, nodes, name }: ObserverOptions): Promise<Observer> {
    const [first, ...others] = nodes.map(({ url }) => url);
    const observer = new Observer();
    observer.#subscriber = await subscribe(first ?? "", {
      certificates,
      others,
      clientId: name,
      version: 4,
      login: RABBITMQ_ADMINISTRATOR,
      topics: ["fleet/+/data", "fleet/+/history", "fleet/+/status"],
      onMessage: (message) => observer.#arrived(message),
    });
    return observer;
  }

  until(what: string, holds: () => boolean, limitMs: number, seen?: () => string): Promise<void> {
    return this.#changed.until(what, holds, limitMs, seen);
  }

  async close(): Promise<void> {
    await this.#subscriber?.close();
  }

  #arrived({ topic, payload }: Message): void {
    const [, name = "", stage] = topic.split("/");
    if (stage === "status") {
      const { online, session } = parseWire<StatusOnWire>(payload);
      if (!online) this.offline.add(name);
      this.sessions.set(topic, Math.max(session, this.sessions.get(topic) ?? 0));
    } else {
      this.heard.add(name);
      this.counts.arrived(topic, payload);
    }
    this.#changed.changed();
  }
}

/** Which of these statuses a node's memory tells a reader who comes now, with their sessions. */
export async function retainedAt(
  node: Rabbitmq,
  topics: readonly string[],
  certificates: Certificates,
): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  const reader = await subscribe(node.url, {
    certificates,
    clientId: `late-reader-${node.port}`,
    version: 4,
    login: RABBITMQ_ADMINISTRATOR,
    topics,
    onMessage: ({ topic, payload, retain }) => {
      if (retain) found.set(topic, parseWire<StatusOnWire>(payload).session);
    },
  });
  await sleep(hostClock, RETAINED_WAIT_MS);
  await reader.close();
  return found;
}
