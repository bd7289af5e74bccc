/**
 * A whole gateway in virtual time that may be commanded, its device, and who commands it: each test asks the device
 * itself what was written.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AuthorizedKey, Config, RegisterTag, UplinkConfig } from "../config/config.ts";
import { commandKeyOf } from "../core/command-key.ts";
import { createLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import { createGateway, type Gateway } from "../gateway.ts";
import { StorageFailure } from "../store/block-store.ts";
import { inProcessStorage, type StateFile, type Storage } from "../store/storage-client.ts";
import { jsonEnvelope } from "../uplinks/commands/json-command.ts";
import { signText } from "../uplinks/commands/keyring.ts";
import { type CommandContent, commandText, type SignedCommand } from "../uplinks/commands/signed-command.ts";
import { deviceConfig, lineConfig, registerTag } from "./modbus-config.ts";
import { ModbusDevice } from "./modbus-device.ts";
import { SimulatedBroker } from "./simulated-broker.ts";
import { SimulatedLine } from "./simulated-line.ts";
import { SimulatedPins } from "./simulated-pins.ts";
import { rigConfig, TOPIC } from "./uplink-rig.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { passUntil, passWhile } from "./virtual-wait.ts";

export const GATEWAY = "plant/gateway";
export const WAIT_AT_MOST_MS = 5_000;
const LIFETIME_MS = 60_000;
const SCAN_MS = 60_000;
const DAY_MS = 86_400_000;
const NONCE_DIGITS = 32;

/** A key as its owner has it. */
export interface TestKey {
  readonly authorized: AuthorizedKey;
  readonly signing: KeyObject;
}

export function testKey(tags?: readonly string[]): TestKey {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const key = commandKeyOf(publicKey);
  if (typeof key === "string") throw new Error(key);
  return { authorized: { file: "ops.pub", ...key, ...(tags && { tags }) }, signing: privateKey };
}

/** One entry of `<topic>/write/result`. */
export interface ToldResult {
  readonly state: string;
  readonly id?: string;
  readonly v?: unknown;
  readonly reason?: string;
  readonly nonce?: string;
  readonly key?: string;
  readonly count?: number;
}

export interface CommandSiteOptions {
  /** Default: one key for all tags. */
  readonly keys?: readonly TestKey[];
  readonly uplink?: Partial<UplinkConfig>;
  /** Somebody vouches for the clock: asked each second. */
  readonly isClockGood?: () => boolean;
  /** state.db takes nothing: asked at each write. */
  readonly isCardFull?: () => boolean;
}

export class CommandSite {
  readonly clock = new VirtualClock(Date.UTC(2026, 10, 22));
  readonly broker = new SimulatedBroker({ clock: this.clock });
  /** Unit 1: setpoint at holding register 110, and what the other tags need. */
  readonly device = new ModbusDevice(1);
  /** Every write that reached a holding register. */
  readonly written: (readonly [address: number, value: number])[] = [];
  readonly log: string[] = [];
  /** The one that was opened last. */
  line: SimulatedLine | undefined;
  readonly key: TestKey;
  readonly stateDir = mkdtempSync(join(tmpdir(), "sallyport-commands-"));
  readonly #options: CommandSiteOptions;
  #gateway: Gateway | undefined;
  #nonces = 0;

  constructor(options: CommandSiteOptions = {}) {
    this.#options = options;
    const [key = testKey()] = options.keys ?? [];
    this.key = key;
    this.device.onWrite = (address, value) => this.written.push([address, value]);
  }

  get gateway(): Gateway {
    if (this.#gateway === undefined) throw new Error("start it first");
    return this.#gateway;
  }

  async start(keys: readonly TestKey[] = this.#options.keys ?? [this.key]): Promise<void> {
    const { clock } = this;
    const { isClockGood } = this.#options;
    const making = createGateway(this.config(keys), {
      clock,
      ...(isClockGood && {
        timeSigns: { bootId: () => "boot", isSynchronised: isClockGood, rtcMs: () => undefined, notBeforeMs: () => 0 },
      }),
      random: seededRandom(1),
      log: createLog({ write: (line) => this.log.push(line.trimEnd()), level: "info", format: "text" }),
      openLine: () => {
        this.line = new SimulatedLine({ clock, devices: [this.device] });
        return this.line;
      },
      pins: new SimulatedPins(clock, {}),
      transport: () => this.broker,
      stateDir: this.stateDir,
      storage: cardOf(this.#options.isCardFull ?? (() => false)),
    });
    // Loading its code takes time of this machine, however far the virtual clock goes meanwhile.
    this.#gateway = await making;
    this.#gateway.start();
    await this.connected();
  }

  /** Past the time before which nothing can have been issued. */
  async startAndWait(): Promise<void> {
    await this.start();
    await this.clock.advance(LIFETIME_MS);
  }

  connected(): Promise<void> {
    return passUntil(this.clock, "connected", () => this.gateway.uplinks()[0]?.state === "connected");
  }

  stop(): Promise<void> {
    return passWhile(this.clock, "stopped", this.gateway.stop());
  }

  async reload(keys: readonly TestKey[], gateway?: Config["gateway"]): Promise<void> {
    const config = { ...this.config(keys), ...(gateway && { gateway }) };
    await passWhile(this.clock, "reloaded", this.gateway.reload(config));
    await this.connected();
  }

  /** All that the gateway is asked, as it would be written by its owner: changes make it a wrong one. */
  content(changes: Partial<CommandContent> = {}): CommandContent {
    this.#nonces += 1;
    const issuedMs = changes.issuedMs ?? this.clock.wallMs();
    return {
      gateway: GATEWAY,
      issuedMs,
      expiresMs: issuedMs + LIFETIME_MS,
      nonce: this.#nonces.toString(16).padStart(NONCE_DIGITS, "0"),
      values: [{ id: "pump/setpoint", v: 1_200 }],
      ...changes,
    };
  }

  signed(changes: Partial<CommandContent> = {}, key = this.key): SignedCommand {
    return signText(commandText(this.content(changes)), key.signing);
  }

  envelope(changes: Partial<CommandContent> = {}, key = this.key): string {
    return jsonEnvelope(this.signed(changes, key));
  }

  /** Hands it to the broker, and lets all that comes of it happen. */
  async send(
    payload: string | Uint8Array,
    more: { topic?: string; retain?: boolean } = {},
  ): Promise<readonly ToldResult[]> {
    const before = this.results().length;
    this.publish(payload, more);
    await this.clock.advance(3_000);
    return this.results().slice(before);
  }

  publish(payload: string | Uint8Array, { topic = `${TOPIC}/write`, retain = false } = {}): void {
    this.broker.publish({ topic, payload: Buffer.from(payload), qos: 1, retain });
  }

  results(topic = `${TOPIC}/write/result`): readonly ToldResult[] {
    return this.broker.received
      .filter((m) => m.topic === topic)
      .map(({ payload }) => JSON.parse(Buffer.from(payload).toString()));
  }

  /** All that went through the outbox of a self-tag. */
  toldAmongData(tag = "commands/result"): readonly string[] {
    const messages = this.broker.received.filter(
      ({ topic }) => topic === `${TOPIC}/data` || topic === `${TOPIC}/history`,
    );
    const values = messages.flatMap(({ payload }) => JSON.parse(Buffer.from(payload).toString()).values);
    return values
      .filter(({ id }) => id === `gateway/${tag}`)
      .map(({ v }) => String(v))
      .filter((text) => text !== "none");
  }

  async end(): Promise<void> {
    await this.stop();
    rmSync(this.stateDir, { recursive: true, force: true });
  }

  config(keys: readonly TestKey[]): Config {
    const config: Config = {
      file: "gateway.yaml",
      gateway: { group: "plant", name: "gateway" },
      uplinks: [rigConfig({ reconnect: { spreadMs: 200, maxMs: 2_000 }, ...this.#options.uplink })],
      lines: [lineConfig("/dev/line", [deviceConfig("pump", 1, tags())])],
      inputs: [],
      outbox: {
        path: "outbox.db",
        maxSizeBytes: 64 * 1_048_576,
        maxAgeMs: 90 * DAY_MS,
        commitIntervalMs: 1_000,
        outageCommitIntervalMs: 1_000,
      },
      clock: { source: this.#options.isClockGood === undefined ? "host" : "auto", waitAtMostMs: WAIT_AT_MOST_MS },
      ...(keys.length > 0 && { commands: { authorizedKeys: keys.map(({ authorized }) => authorized) } }),
    };
    return config;
  }
}

/** A test of what happens at a site that has run for longer than nothing may have been issued. */
export function atSite(
  work: (site: CommandSite) => Promise<void>,
  options: CommandSiteOptions = {},
): () => Promise<void> {
  return async () => {
    const site = new CommandSite(options);
    try {
      await site.startAndWait();
      await work(site);
    } finally {
      await site.end();
    }
  };
}

/** Nothing moved, and it was said why. */
export function assertRefused(site: CommandSite, told: readonly ToldResult[], reason: RegExp): void {
  assert.deepEqual(site.written, []);
  assert.ok(told.length > 0, "somebody is told");
  for (const result of told)
    assert.deepEqual([result.state, reason.test(result.reason ?? "")], ["refused", true], JSON.stringify(told));
}

function cardOf(isFull: () => boolean): Storage {
  const storage = inProcessStorage();
  const { state } = storage;
  const save: StateFile["save"] = async (facts) => {
    if (isFull()) throw new StorageFailure("full", "no space left on device");
    await state.save(facts);
  };
  return { ...storage, state: { ...state, save } };
}

function tags(): readonly RegisterTag[] {
  const at = (address: number, type: "int16" | "float32" | "uint64" = "int16") =>
    ({ table: "holdingRegister", address, type }) as const;
  const writable = { writable: true, scanRateMs: SCAN_MS, staleMs: 3 * SCAN_MS };
  return [
    registerTag("pump", "setpoint", at(110), { ...writable, writeLimits: { min: 0, max: 1_500 } }),
    registerTag("pump", "ramp", at(112, "float32"), { ...writable, min: -10, max: 10 }),
    registerTag("pump", "total", at(114, "uint64"), writable),
    registerTag("pump", "level", at(120), { ...writable, scale: 0.1 }),
    registerTag("pump", "run", { table: "coil", address: 3 }, writable),
    registerTag("pump", "open", at(130), { ...writable, unsigned: true, writeLimits: { min: 0, max: 10 } }),
    registerTag("pump", "speed", at(140), { scanRateMs: SCAN_MS, staleMs: 3 * SCAN_MS }),
  ];
}
