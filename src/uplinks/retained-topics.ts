import type { Message, StateStore } from "../pipeline.ts";

/**
 * What this uplink has retained on one server, so that nothing of a device that is gone stays there for ever.
 * A topic is remembered on the card before it is published.
 */
export class RetainedTopics {
  readonly #state: StateStore;
  readonly #uplink: string;
  readonly #server: string;
  /** On the card. */
  #remembered: ReadonlySet<string>;
  readonly #current = new Set<string>();

  constructor(state: StateStore, uplink: string, server: string) {
    this.#state = state;
    this.#uplink = uplink;
    this.#server = server;
    this.#remembered = new Set(state.retained(uplink, server));
  }

  /** Takes the topics for used in this session. Resolves when they are on the card; undefined where they are already. */
  remember(topics: readonly string[]): Promise<void> | undefined {
    for (const topic of topics) this.#current.add(topic);
    if (topics.every((topic) => this.#remembered.has(topic))) return undefined;
    return this.#store(new Set([...this.#remembered, ...topics]));
  }

  /** Empty messages for what was retained before and is no longer. */
  farewells(): readonly Message[] {
    return [...this.#remembered]
      .filter((topic) => !this.#current.has(topic))
      .map((topic) => ({ topic, payload: new Uint8Array(), qos: 1, retain: true }));
  }

  /** The farewells are acknowledged. */
  async forgetRest(): Promise<void> {
    if (this.#remembered.size > this.#current.size) await this.#store(new Set(this.#current));
  }

  async #store(topics: ReadonlySet<string>): Promise<void> {
    await this.#state.setRetained(this.#uplink, this.#server, [...topics]);
    this.#remembered = topics;
  }
}

/** Topics that these messages leave a value on. */
export function retainedBy(messages: readonly Message[]): readonly string[] {
  return messages.filter(({ retain, payload }) => retain && payload.length > 0).map(({ topic }) => topic);
}
