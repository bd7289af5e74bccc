/** The JSON formats' ear: `<topic>/write`, and `<topic>/write/result` for what came of it. */
import type { RegisterTag, UplinkConfig } from "../../config/config.ts";
import { isOurBug, messageOf } from "../../core/errors.ts";
import type { Log } from "../../core/log.ts";
import type { Connection, Message } from "../../pipeline.ts";
import type { Conversation, ConversationHooks, SessionFormat } from "../format.ts";
import type { Arrival } from "./arrival.ts";
import { parseJsonCommand } from "./json-command.ts";

export type CommandUplink = Pick<UplinkConfig, "name" | "format" | "topic" | "id" | "node">;

/** Results that wait for their acknowledgement, over all sessions; beyond, the oldest goes: it stands among the data, too. */
export const RESULTS_WAITING_MAX = 1_000;

export interface JsonConversationOptions {
  readonly config: CommandUplink;
  readonly tags: readonly RegisterTag[];
  readonly log: Log;
  readonly take: (read: () => Arrival, answer: (text: string) => void) => void;
}

/** Undefined: a format that has no topic for it. */
export function jsonConversations(options: JsonConversationOptions): SessionFormat["converse"] {
  const { config, tags } = options;
  const topics = writeTopics(config);
  if (topics === undefined) return undefined;
  const ids = new Map(tags.map((tag) => [nameBy(config.id, tag), tag.id]));
  const results = new ResultQueue(topics.result, options.log);
  return (connection, hooks) => new JsonConversation(connection, hooks, topics.write, results, ids, options);
}

/** Kepware's clients know one topic for all gateways; what came of it is told by each below its own. */
export function writeTopics({
  format,
  topic,
  node,
}: CommandUplink): { readonly write: string; readonly result: string } | undefined {
  if (format === "azure-iot-hub" || format === "sparkplug") return undefined;
  const own = format === "kepware" ? `${topic}/${node.group}/${node.name}` : topic;
  return { write: `${topic}/write`, result: `${own}/write/result` };
}

/** As the values of this uplink are called. */
function nameBy(template: string, { device, name }: RegisterTag): string {
  return template.replaceAll("{device}", () => device).replaceAll("{tag}", () => name);
}

/** Where results go out in their turn. */
type Outlet = Pick<ConversationHooks, "publish">;

class JsonConversation implements Conversation {
  readonly connection: Connection;
  readonly #outlet: Outlet;
  readonly #topic: string;
  readonly #results: ResultQueue;
  readonly #ids: ReadonlyMap<string, string>;
  readonly #options: JsonConversationOptions;

  constructor(
    connection: Connection,
    outlet: Outlet,
    topic: string,
    results: ResultQueue,
    ids: ReadonlyMap<string, string>,
    options: JsonConversationOptions,
  ) {
    this.connection = connection;
    this.#outlet = outlet;
    this.#topic = topic;
    this.#results = results;
    this.#ids = ids;
    this.#options = options;
  }

  async begin(): Promise<boolean> {
    this.connection.onMessage((message) => this.#heard(message));
    return true;
  }

  /** Data do not wait for it: a broker that refuses commands must not cost them. */
  async told(): Promise<boolean> {
    const { log } = this.#options;
    this.#results.connected(this.#outlet);
    this.connection.subscribe({ [this.#topic]: 1 }).then(
      (refused) => {
        if (refused.length === 0) log.notice(`takes commands on ${this.#topic}`);
        else log.warning(`the broker refuses this gateway to listen to ${this.#topic}: no command arrives`);
      },
      (error: unknown) => {
        if (isOurBug(error)) throw error;
        log.warning(`no command arrives: ${messageOf(error)}`);
      },
    );
    return true;
  }

  retold(): void {}

  awaitsHost(): boolean {
    return false;
  }

  end(): void {
    this.#results.disconnected(this.#outlet);
  }

  #heard({ topic, payload, retain }: Message): void {
    const { take, log } = this.#options;
    if (topic !== this.#topic) return;
    // Commands are for now.
    if (retain) log.warning(`${topic} is retained: ignored`);
    else
      take(
        () => parseJsonCommand(payload, (name) => this.#ids.get(name)),
        (text) => this.#results.add(text),
      );
  }
}

/** One after the other, each until the broker has acknowledged it. */
class ResultQueue {
  readonly #topic: string;
  readonly #log: Log;
  #waiting: readonly string[] = [];
  #outlet: Outlet | undefined;
  #sending = false;

  constructor(topic: string, log: Log) {
    this.#topic = topic;
    this.#log = log;
  }

  add(text: string): void {
    this.#waiting = [...this.#waiting, text].slice(-RESULTS_WAITING_MAX);
    void this.#send();
  }

  connected(outlet: Outlet): void {
    this.#outlet = outlet;
    void this.#send();
  }

  disconnected(outlet: Outlet): void {
    if (this.#outlet === outlet) this.#outlet = undefined;
  }

  async #send(): Promise<void> {
    if (this.#sending) return;
    this.#sending = true;
    for (;;) {
      const [text] = this.#waiting;
      const outlet = this.#outlet;
      if (text === undefined || outlet === undefined) break;
      if (!(await this.#publish(outlet, text))) this.disconnected(outlet);
      // Unless it was given up meanwhile.
      else if (this.#waiting[0] === text) this.#waiting = this.#waiting.slice(1);
    }
    this.#sending = false;
  }

  async #publish(outlet: Outlet, text: string): Promise<boolean> {
    try {
      await outlet.publish({ topic: this.#topic, payload: Buffer.from(text), qos: 1, retain: false });
      return true;
    } catch (error) {
      if (isOurBug(error)) throw error;
      this.#log.warning(`the result of a command waits: ${messageOf(error)}`);
      return false;
    }
  }
}
