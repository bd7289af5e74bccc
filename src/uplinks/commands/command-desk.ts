/**
 * Where remote commands are judged and carried out, in the order in which they came and one after the other. Loaded only
 * where the configuration has a `commands` section. The way of a command:
 *
 *     allowance ──► arrival ──► keyring ──► freshness ──► write-rules ──► waiting ──► device ──► read back
 *        └──────────────┴───────── refused, and why ─────────┘            accepted   written    confirmed
 */
import type { Config, RegisterTag } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import { isOurBug, messageOf } from "../../core/errors.ts";
import type { KnownTime } from "../../core/known-time.ts";
import type { Log } from "../../core/log.ts";
import type { CommandMemory, CommandMemoryState, TagWriter } from "../../core/remote-write.ts";
import type { CommandInlet, SessionFormat } from "../format.ts";
import { type Allowance, fullAllowance, type Rate, takeOne } from "./allowance.ts";
import type { Arrival, Given } from "./arrival.ts";
import { begun, judgeFreshness, type Now, staleness } from "./freshness.ts";
import { type CommandUplink, jsonConversations } from "./json-conversation.ts";
import { Keyring } from "./keyring.ts";
import { RefusalBook } from "./refusal-book.ts";
import { type CommandContent, parseCommandText } from "./signed-command.ts";
import { parseDeviceCommand } from "./sparkplug-command.ts";
import { type Ruled, ruleOn } from "./write-rules.ts";

/** Commands that are looked at; what comes beyond is refused unread. */
export const EXAMINED: Rate = { burst: 40, perS: 20 };
/** Accepted and not begun; each may take seconds on a line whose device does not answer. */
export const WAITING_MAX = 16;
/** Strangers leave room for those who sign. */
const UNSIGNED_WAITING_MAX = WAITING_MAX / 2;
const CLOCK_LOOK_MS = 1_000;

export interface CommandDeskOptions {
  readonly config: Pick<Config, "gateway" | "lines"> & { readonly commands: NonNullable<Config["commands"]> };
  readonly writer: TagWriter;
  readonly memory: CommandMemory;
  readonly clock: Clock;
  readonly time: Pick<KnownTime, "trust">;
  /** Every result, as JSON text: it goes the way of all data. */
  readonly tell: (text: string, ended: EndedCommand | undefined) => void;
  readonly log: Log;
}

/** How a command ended, once it has. */
export interface EndedCommand {
  /** In words. */
  readonly text: string;
  /** Nobody signed it, or it was refused, as what is sent a second time is. */
  readonly byAnybody: boolean;
}

/** Of one value, or of a command that has none that can be named. */
export interface CommandResult {
  readonly state: "accepted" | "written" | "confirmed" | "unconfirmed" | "failed" | "refused";
  readonly id?: string;
  readonly v?: Given["v"];
  readonly reason?: string;
  /** So many alike, none of which was told by itself. */
  readonly count?: number;
}

/** Where a command came from, and who signed it. */
interface Sender {
  readonly uplink: string;
  /** Beside the way of all data. */
  readonly answer: (text: string) => void;
  readonly nonce?: string;
  readonly key?: string;
}

interface Accepted {
  readonly sender: Sender;
  readonly values: readonly Extract<Ruled, { readonly kind: "allowed" }>[];
  /** Absent: nobody signed it, and it does not expire. */
  readonly content?: CommandContent;
  /** Its nonce is on the card; false: the card did not take it, and it is refused. */
  readonly kept: Promise<boolean>;
}

export interface CommandDesk extends CommandInlet {
  start(): void;
  /** Refuses what waits; resolves when what runs has ended. */
  stop(): Promise<void>;
}

export function createCommandDesk(options: CommandDeskOptions): CommandDesk {
  return new Desk(options);
}

class Desk implements CommandDesk {
  readonly #options: CommandDeskOptions;
  readonly #keyring: Keyring;
  readonly #tags: ReadonlyMap<string, RegisterTag>;
  readonly #refusals: RefusalBook;
  #examined: Allowance;
  #waiting: readonly Accepted[] = [];
  #running: Promise<void> | undefined;
  #hasBegun = false;
  #stopped = false;

  constructor(options: CommandDeskOptions) {
    const { config, clock } = options;
    this.#options = options;
    this.#keyring = new Keyring(config.commands.authorizedKeys);
    const tags = config.lines.flatMap((line) => line.devices.flatMap((device) => device.tags));
    this.#tags = new Map(tags.map((tag) => [tag.id, tag]));
    this.#refusals = new RefusalBook(clock);
    this.#examined = fullAllowance(EXAMINED, clock.monotonicMs());
  }

  start(): void {
    this.#begin();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
    // The last that is told: nobody may be there to hear what comes later.
    this.#refusals.stop();
  }

  jsonConversation(config: CommandUplink): SessionFormat["converse"] {
    return jsonConversations({
      config,
      tags: [...this.#tags.values()],
      log: this.#options.log,
      take: (read, answer) => this.#take({ uplink: config.name, answer }, read),
    });
  }

  deviceCommand(uplink: string, device: string, payload: Uint8Array): void {
    const typeOf = (id: string) => this.#tags.get(id)?.type;
    this.#take({ uplink, answer: () => undefined }, () => parseDeviceCommand(device, payload, typeOf));
  }

  /** At the first good time; what may have been carried out before it is refused, whatever the files say. */
  #begin(): void {
    const { memory, clock, log } = this.#options;
    if (this.#stopped) return;
    const { isClockGood, nowMs } = this.#now();
    if (isClockGood) {
      this.#hasBegun = true;
      const state = begun(memory.state(), nowMs);
      const untilMs = state.horizonMs ?? nowMs;
      log.notice(
        `commands issued until ${new Date(untilMs).toISOString()} are refused: they may have been here before`,
      );
      this.#keep(state);
    } else {
      clock.after(CLOCK_LOOK_MS, () => this.#begin());
    }
  }

  /** On the card some time: what it says is in force at once, and a start says it again. */
  #keep(state: CommandMemoryState): void {
    const { memory, log } = this.#options;
    memory.keep(state).catch((error: unknown) => {
      if (isOurBug(error)) throw error;
      log.warning(`the begin of commands is not stored yet: ${messageOf(error)}`);
    });
  }

  #now(): Now {
    const { clock, time, config } = this.#options;
    const { group, name } = config.gateway;
    return {
      nowMs: clock.wallMs(),
      isClockGood: time.trust() === "good",
      hasBegun: this.#hasBegun,
      gateway: `${group}/${name}`,
    };
  }

  #take(sender: Sender, read: () => Arrival): void {
    if (this.#stopped) return;
    const left = takeOne(this.#examined, EXAMINED, this.#options.clock.monotonicMs());
    if (left === undefined) {
      this.#refuseUnproven(sender, `more than ${EXAMINED.perS} commands a second: not looked at`);
      return;
    }
    this.#examined = left;
    const arrival = read();
    if (arrival.kind === "malformed") this.#refuseUnproven(sender, arrival.reason);
    else if (arrival.kind === "plain") this.#judgeValues(sender, arrival.values);
    else this.#takeSigned(sender, arrival);
  }

  #takeSigned(from: Sender, { command, contradiction }: Extract<Arrival, { readonly kind: "signed" }>): void {
    const key = this.#keyring.signerOf(command);
    if (key === undefined) {
      this.#refuseUnproven(from, `no authorized key signed it, as key ${command.keyId} claims`);
      return;
    }
    const content = parseCommandText(command.text);
    if (typeof content === "string") {
      this.#refuse({ ...from, key: key.id }, content);
      return;
    }
    const sender = { ...from, key: key.id, nonce: content.nonce };
    const { memory } = this.#options;
    const judged = judgeFreshness(memory.state(), content, this.#now());
    const kept = judged.memory === undefined ? Promise.resolve() : memory.keep(judged.memory);
    const isKept = kept.then(
      () => true,
      (error: unknown) => this.#notKept(error),
    );
    // It is used up all the same: what its owner was told is refused must not come later.
    const refusal = contradiction?.(content) ?? judged.refusal;
    if (refusal === undefined) this.#judgeValues(sender, content.values, { content, key: key.id, isKept });
    else this.#refuse(sender, refusal);
  }

  #notKept(error: unknown): false {
    if (isOurBug(error)) throw error;
    this.#options.log.error(`a command cannot be remembered, so it is refused: ${messageOf(error)}`);
    return false;
  }

  /** All of them, or none. */
  #judgeValues(
    sender: Sender,
    values: readonly Given[],
    signed?: { readonly content: CommandContent; readonly key: string; readonly isKept: Promise<boolean> },
  ): void {
    const { config, writer } = this.#options;
    const key = config.commands.authorizedKeys.find(({ id }) => id === signed?.key);
    const rules = {
      tag: (id: string) => this.#tags.get(id),
      obstacle: (...value: Parameters<TagWriter["obstacle"]>) => writer.obstacle(...value),
    };
    const ruled = values.map((value) => ruleOn(value, key, rules));
    const allowed = ruled.filter((each) => each.kind === "allowed");
    const refuse = signed === undefined ? this.#refuseUnproven.bind(this) : this.#refuse.bind(this);
    const room = signed === undefined ? UNSIGNED_WAITING_MAX : WAITING_MAX;
    if (allowed.length < ruled.length) {
      for (const [index, each] of ruled.entries()) {
        const { id, v } = values[index] ?? {};
        const reason = each.kind === "forbidden" ? each.reason : "another value of the command is refused";
        refuse(sender, reason, { ...(id !== undefined && { id }), ...(v !== undefined && { v }) });
      }
    } else if (this.#waiting.length >= room) {
      refuse(sender, `${room} commands wait already`);
    } else {
      this.#accept({ sender, values: allowed, ...signed, kept: signed?.isKept ?? Promise.resolve(true) });
    }
  }

  #accept(command: Accepted): void {
    this.#waiting = [...this.#waiting, command];
    void command.kept.then((isKept) => {
      if (isKept)
        for (const { id, value } of command.values) this.#result(command.sender, { state: "accepted", id, v: value });
    });
    this.#running ??= this.#work();
  }

  async #work(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      this.#waiting = this.#waiting.slice(1);
      const isKept = await next.kept;
      await this.#carryOut(next, isKept ? undefined : "it cannot be remembered, so it could be repeated");
    }
    // In the turn in which nothing waited: what comes from now on begins anew.
    this.#running = undefined;
  }

  /** In order; what follows a value that is not confirmed is left alone. */
  async #carryOut({ sender, values, content }: Accepted, hindrance: string | undefined): Promise<void> {
    const { writer } = this.#options;
    let stop = hindrance;
    for (const { id, value: v } of values) {
      if (this.#stopped) stop ??= "the gateway stops, or has a new configuration";
      stop ??= content && staleness(content, this.#now());
      if (stop !== undefined) {
        // Of each that was accepted the end is told, whatever storm there is.
        this.#result(sender, { state: "refused", id, v, reason: stop });
        continue;
      }
      const outcome = await writer.write(id, v, () => this.#result(sender, { state: "written", id, v }));
      const reason = outcome.kind === "confirmed" ? {} : { reason: outcome.reason };
      this.#result(sender, { state: outcome.kind, id, v, ...reason });
      if (outcome.kind !== "confirmed") stop = "an earlier value of the command was not confirmed";
    }
  }

  /** Anybody at the broker can bring these about, in any number. */
  #refuseUnproven(sender: Sender, reason: string, about: Pick<CommandResult, "id" | "v"> = {}): void {
    this.#refusals.note("unproven", (count) => this.#result(sender, { state: "refused", ...about, reason, ...count }));
  }

  #refuse(sender: Sender, reason: string, about: Pick<CommandResult, "id" | "v"> = {}): void {
    this.#refusals.note("proven", (count) => this.#result(sender, { state: "refused", ...about, reason, ...count }));
  }

  #result({ uplink, answer, nonce, key }: Sender, { state, id, v, reason, count }: CommandResult): void {
    const { clock, tell, log } = this.#options;
    const value = typeof v === "bigint" ? String(v) : v;
    const timestamp = clock.wallMs();
    const text = JSON.stringify({ timestamp, uplink, key, nonce, id, v: value, state, reason, count });
    // Names come from whoever may publish: quoted, they cannot pass for something else.
    const what = id === undefined ? "a command" : `${JSON.stringify(id)}=${JSON.stringify(value)}`;
    const signer = key === undefined ? "unsigned" : `by key ${key}`;
    // What was refused may have carried a signature, of whomever.
    const who = key === undefined && state === "refused" ? `from ${uplink}` : `${signer}, from ${uplink}`;
    const words = `${what} ${state}${reason === undefined ? "" : `: ${reason}`}; ${who}`;
    log.notice(words);
    answer(text);
    const byAnybody = key === undefined || state === "refused";
    tell(text, state === "accepted" || state === "written" ? undefined : { text: words, byAnybody });
  }
}
