/** What an uplink writes, by its real format: the sizes of messages of this configuration's own tags. */
import type { Config, UplinkConfig } from "../../config/config.ts";
import { silentLog } from "../../core/log.ts";
import type { CurrentValues, Device, Message, NumberedSample } from "../../pipeline.ts";
import { LIVE_MESSAGE_MAX_BYTES } from "../../uplinks/flow.ts";
import type { Format, SessionFormat } from "../../uplinks/format.ts";
import { packetBytes } from "../../uplinks/mqtt-packet-bytes.ts";
import { cloudService } from "../../uplinks/service-limits.ts";
import { stampPayload } from "../../uplinks/sparkplug/payload.ts";
import { sparkplugTopics } from "../../uplinks/sparkplug/sparkplug-topics.ts";
import { formatFor, MESSAGE_MAX_BYTES } from "../../uplinks/uplink.ts";
import { MadeSite, UNIX_S } from "./made-site.ts";
import type { Packet, Question } from "./network.ts";

/** What one tag adds to a message, and what stands around all tags of a device in one. */
export interface DeviceWords {
  readonly messageBytes: number;
  /** By tag id. */
  readonly sampleBytes: ReadonlyMap<string, number>;
  /** What is told of it again each minute in which it was read. */
  readonly renewed: readonly Packet[];
}

export interface UplinkWords {
  /** Behind each message; absent: messages are confirmed by themselves. */
  readonly question: Question | undefined;
  readonly devices: ReadonlyMap<string, DeviceWords>;
  /** Told each minute. */
  readonly status: readonly Packet[];
  /** From the connect until data may follow. */
  readonly greeting: readonly Packet[];
}

const LOOK_MS = 1_000;
const UPKEEP_AFTER_MS = 61_000;
const UPKEEP_TURNS_MAX = 4;
/** Head and mask of a frame (RFC 6455, section 5.2). */
const WEB_SOCKET_BYTES = 8;
/** Any of three digits: most are. */
const SEQ = 200;

export function uplinkWords(config: Config, uplink: UplinkConfig): UplinkWords {
  const site = new MadeSite(config);
  const teller = new Teller(uplink, site);
  for (const device of site.devices) site.read(device);
  const session = teller.session(site.values);
  const greeting = teller.packets([...session.describe(), ...session.picture(), ...session.online()]);
  const devices = new Map(site.devices.map((device) => [device.name, teller.deviceWords(session, device)]));
  const status = teller.packets(teller.upkeep(session).filter((message) => teller.isStatus(message)));
  return { question: teller.question, devices, status, greeting };
}

class Teller {
  readonly question: Question | undefined;
  readonly #uplink: UplinkConfig;
  readonly #site: MadeSite;
  readonly #statusTopic: string;

  constructor(uplink: UplinkConfig, site: MadeSite) {
    this.#uplink = uplink;
    this.#site = site;
    this.question = questionOf(uplink);
    this.#statusTopic = this.#format(site.values).will(this.#opening()).topic;
  }

  session(values: CurrentValues): SessionFormat {
    const retainAvailable = cloudService(this.#uplink.format)?.limits.retainAvailable ?? true;
    return this.#format(values).session(this.#opening(), { messageMaxBytes: MESSAGE_MAX_BYTES, retainAvailable });
  }

  packets(messages: readonly Message[]): readonly Packet[] {
    return messages.map((message) => {
      const { payload } = message;
      const written = this.question === undefined ? payload : stampPayload(payload, this.#nowMs(), SEQ);
      const bytes = bytesOf({ ...message, payload: written }, this.#uplink);
      return { bytes, question: this.question };
    });
  }

  isStatus({ topic }: Message): boolean {
    return topic === this.#statusTopic;
  }

  /** What is due after a minute. */
  upkeep(session: SessionFormat): readonly Message[] {
    const { clock } = this.#site;
    clock.pass(UPKEEP_AFTER_MS);
    const messages: Message[] = [];
    session.historyOwed?.(false);
    for (let turn = 0; turn < UPKEEP_TURNS_MAX && session.upkeepDueMs() <= clock.monotonicMs(); turn++) {
      messages.push(...session.upkeep(clock.monotonicMs()));
    }
    return messages;
  }

  deviceWords(session: SessionFormat, device: Device): DeviceWords {
    const sampleBytes = new Map<string, number>();
    let messageBytes = Number.POSITIVE_INFINITY;
    for (const sample of this.#look(device)) {
      const [first, second, third] = [1, 2, 3].map((ms) => ({ ...sample, sourceTimestampMs: this.#nowMs() + ms }));
      if (first === undefined || second === undefined || third === undefined) continue;
      const single = this.#liveSize(session, [first]);
      const pair = this.#liveSize(session, [second, third]);
      const bytes = pair.payload - single.payload;
      sampleBytes.set(sample.tag.id, bytes);
      // Events go a second time, in a message more.
      messageBytes = Math.min(messageBytes, pair.packet - 2 * bytes);
    }
    return { messageBytes, sampleBytes, renewed: this.#renewed(device) };
  }

  #renewed(device: Device): readonly Packet[] {
    const session = this.session(this.#site.only(device));
    for (const _ of [...session.describe(), ...session.picture(), ...session.online()]);
    this.#look(device);
    return this.packets(this.upkeep(session).filter((message) => !this.isStatus(message)));
  }

  #look(device: Device): readonly NumberedSample[] {
    this.#site.clock.pass(LOOK_MS);
    return this.#site.read(device);
  }

  #nowMs(): number {
    return this.#site.clock.wallMs();
  }

  #liveSize(session: SessionFormat, samples: readonly NumberedSample[]) {
    const { messages } = session.live(samples, LIVE_MESSAGE_MAX_BYTES);
    const payload = messages.reduce((sum, message) => sum + message.payload.length, 0);
    return { payload, packet: this.packets(messages).reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  #format(values: CurrentValues): Format {
    const { clock } = this.#site;
    return formatFor({ config: this.#uplink, values, clock, log: silentLog, state: { nextBdSeq: async () => SEQ } });
  }

  #opening() {
    return { session: UNIX_S, connectMs: this.#nowMs() };
  }
}

/** How data at QoS 0 are confirmed; all else is sent at QoS 1. */
function questionOf(uplink: UplinkConfig): Question | undefined {
  const { format, node, sparkplug } = uplink;
  if (format !== "sparkplug") return undefined;
  if (sparkplug.barrier === "ping") return "ping";
  const message = { topic: sparkplugTopics(node).barrier, payload: new Uint8Array(), qos: 1 as const, retain: false };
  return { bytes: bytesOf(message, uplink) };
}

function bytesOf(message: Message, { mqttVersion, servers }: UplinkConfig): number {
  const bytes = packetBytes(message, mqttVersion !== "3.1.1");
  return servers[0]?.startsWith("wss:") ? bytes + WEB_SOCKET_BYTES : bytes;
}
