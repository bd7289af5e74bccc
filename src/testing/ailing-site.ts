/** A site with a real port and a real broker in which one thing is amiss, and what doctor must call it. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { hostClock } from "../core/clock.ts";
import { type Certificates, writeCertificates } from "./certificates.ts";
import { type HttpProxy, startHttpProxy } from "./http-proxy.ts";
import { type Faults, ModbusDevice } from "./modbus-device.ts";
import { rtuFrame } from "./modbus-wire.ts";
import { type Mosquitto, startMosquitto } from "./mosquitto.ts";
import { openPtyPair, type PtyPair } from "./pty.ts";
import { serveDevices } from "./simulated-bus.ts";

const PASSWORD = "Geheim-1";
const BAUD_RATE = 115_200;
const OTHER_BAUD_RATE = 9_600;
/** Of a site in which somebody keeps silent: each request costs it. */
const SHORT_TIMEOUT_MS = 800;
/** Of all others: nobody is late, on however busy a machine. */
const LONG_TIMEOUT_MS = 5_000;
const DENIED = "plant-7/denied";
/** Said while nobody asks, this often, until somebody does. */
const IDLE_EVERY_MS = 100;
/** As short as the edge of something: what it meets of a reply leaves that whole. */
const NOISE = Uint8Array.of(0xf3, 0x3c, 0x9e);

/** What all sites of a test share. */
export interface Surroundings {
  readonly dir: string;
  readonly certificates: Certificates;
  readonly broker: Mosquitto;
  /** It keeps no retained messages. */
  readonly poorBroker: Mosquitto;
  /** It wants a login. */
  readonly proxy: HttpProxy;
  close(): Promise<void>;
}

/** What differs from a site that is in order. */
export interface Amiss {
  readonly url?: string;
  readonly ca?: string;
  readonly password?: string;
  readonly topic?: string;
  readonly proxy?: string;
  readonly path?: string;
  readonly units?: readonly number[];
  /** Of the device with unit 2. */
  readonly faults?: Faults;
  /** Of each reply on the line, counted from 0. */
  readonly cable?: (nth: number) => Faults;
  /** The speed that the devices hear, be the line what it is. */
  readonly baudRate?: number;
  readonly idle?: Uint8Array;
  readonly responseTimeoutMs?: number;
  readonly comment?: string;
}

export interface Ailment {
  /** Area and name, as in the findings. */
  readonly name: string;
  readonly amiss: (around: Surroundings) => Amiss;
  /** Seen only by who looks in time, so a busy machine may call it something else. */
  readonly isTimed?: true;
}

export const AILMENTS: readonly Ailment[] = [
  { name: "line device-silent", amiss: () => ({ units: [1], responseTimeoutMs: SHORT_TIMEOUT_MS }) },
  { name: "line line-silent", amiss: () => ({ units: [], responseTimeoutMs: SHORT_TIMEOUT_MS }) },
  { name: "line duplicate-unit-id", amiss: () => ({ units: [1, 2, 2] }) },
  { name: "line ab-swapped", amiss: () => ({ cable: () => ({ noise: Uint8Array.of(0), truncateBytes: 256 }) }) },
  { name: "line wrong-speed", amiss: () => ({ baudRate: OTHER_BAUD_RATE, responseTimeoutMs: SHORT_TIMEOUT_MS }) },
  { name: "line direction-late", amiss: () => ({ cable: () => ({ lostBytes: 2 }) }) },
  { name: "line termination-missing", amiss: () => ({ cable: damaged }) },
  { name: "line bias-missing", amiss: () => ({ faults: { noise: Uint8Array.of(0xff) } }) },
  { name: "line echo", amiss: () => ({ faults: { echo: true } }) },
  { name: "line foreign-unit", amiss: () => ({ cable: () => ({ replyUnitId: 77 }) }) },
  { name: "line line-garbled", amiss: () => ({ cable: () => ({ replyUnitId: 0x9c, alter: scrambled, flipBit: 50 }) }) },
  { name: "line register-refused", amiss: () => ({ faults: { exceptionCode: 2 } }) },
  { name: "line noise", amiss: () => ({ cable: damaged, idle: NOISE }), isTimed: true },
  { name: "line other-master", amiss: () => ({ idle: rtuFrame(9, Uint8Array.of(3, 0, 0, 0, 2)) }), isTimed: true },
  {
    name: "line slow-device",
    amiss: () => ({ faults: { delayMs: SHORT_TIMEOUT_MS + 300 }, responseTimeoutMs: SHORT_TIMEOUT_MS }),
    isTimed: true,
  },
  { name: "port port-missing", amiss: () => ({ path: "/dev/ttyNowhere" }) },
  { name: "broker tls-failed", amiss: ({ certificates }) => ({ ca: certificates.strangerCa }) },
  { name: "broker unreachable", amiss: () => ({ url: "mqtts://localhost:1" }) },
  { name: "broker proxy-refused", amiss: ({ proxy }) => ({ proxy: proxy.url }) },
  { name: "broker name-unknown", amiss: () => ({ url: "mqtts://no-such-host.invalid:8883" }) },
  { name: "broker login-refused", amiss: () => ({ password: "wrong" }) },
  { name: "broker rights-missing", amiss: () => ({ topic: DENIED }) },
  { name: "broker broker-limits", amiss: ({ poorBroker }) => ({ url: poorBroker.url }) },
];

export async function surroundings(dir: string): Promise<Surroundings> {
  const certificates = await writeCertificates(join(dir, "tls"), hostClock);
  const deniedTopics = [`${DENIED}/#`];
  const broker = await startMosquitto({ certificates, users: { pump: PASSWORD }, deniedTopics });
  const { certificate, key } = certificates.server;
  const poorBroker = await startMosquitto({
    certificates,
    configuration: (port) =>
      `listener ${port} 127.0.0.1\ncafile ${certificates.ca}\ncertfile ${certificate}\nkeyfile ${key}\n` +
      "allow_anonymous true\nretain_available false\n",
  });
  const proxy = await startHttpProxy({ answer: () => "407 Proxy Authentication Required" });
  return {
    dir,
    certificates,
    broker,
    poorBroker,
    proxy,
    async close() {
      proxy.close();
      await broker.close();
      await poorBroker.close();
    },
  };
}

export interface AilingSite {
  /** gateway.yaml */
  readonly file: string;
  close(): Promise<void>;
}

export async function ailingSite(around: Surroundings, amiss: Amiss = {}): Promise<AilingSite> {
  const pair = await openPtyPair();
  const stopDevices = serveDevices(pair.master, devicesOf(pair, amiss), hostClock);
  const stopTalk = amiss.idle === undefined ? () => undefined : talkUntilAsked(pair, amiss.idle);
  return {
    file: gatewayFile(around, amiss, pair.path),
    async close() {
      stopTalk();
      stopDevices();
      await pair.close();
    },
  };
}

function devicesOf(pair: PtyPair, { units = [1, 2], faults = {}, cable, baudRate = BAUD_RATE }: Amiss): ModbusDevice[] {
  let replies = 0;
  return units.map((unitId) => {
    const device = new ModbusDevice(unitId);
    device.faults = () => {
      if (baudRate !== BAUD_RATE && speedOf(pair) !== baudRate) return { silent: true };
      return cable?.(replies++) ?? (unitId === 2 ? faults : {});
    };
    return device;
  });
}

/** A terminal keeps the speed that the other side has set, and neither parity nor framing. */
function speedOf({ path }: PtyPair): number {
  return Number(execFileSync("stty", ["-F", path, "speed"], { encoding: "utf8" }));
}

function talkUntilAsked({ master }: PtyPair, words: Uint8Array): () => void {
  let timer = hostClock.after(0, () => undefined);
  const talk = () => {
    master.write(words);
    timer = hostClock.after(IDLE_EVERY_MS, talk);
  };
  const stop = () => timer.cancel();
  talk();
  master.once("data", stop);
  return stop;
}

/** Wrong bits in a third of the replies, of every device. */
function damaged(nth: number): Faults {
  return nth % 3 === 1 ? { flipBit: 36 } : {};
}

function scrambled(pdu: Uint8Array): Uint8Array {
  return pdu.map((byte) => byte ^ 0xa5);
}

function gatewayFile({ dir, certificates, broker }: Surroundings, amiss: Amiss, port: string): string {
  const {
    ca = certificates.ca,
    url = broker.url,
    password = PASSWORD,
    path = port,
    topic,
    proxy,
    comment = "",
  } = amiss;
  const { responseTimeoutMs = LONG_TIMEOUT_MS } = amiss;
  // Its name, too: two clients of one name would throw each other off.
  const folder = mkdtempSync(join(dir, "site-"));
  writeFileSync(join(folder, "cloud.password"), `${password}\n`, { mode: 0o600 });
  const file = join(folder, "gateway.yaml");
  const { certificate, key } = certificates.client;
  writeFileSync(
    file,
    `version: 1
gateway: { group: plant-7, name: ${basename(folder)} }
clock: { source: host }
uplinks:
  cloud:
    servers: [ "${url}" ]
    tls: { ca: ${ca}, certificate: ${certificate}, key: ${key} }
    login: { username: pump, passwordFile: cloud.password } ${comment}
${topic === undefined ? "" : `    topic: ${topic}\n`}${proxy === undefined ? "" : `    proxy: { url: "${proxy}" }\n`}lines:
  bench:
    path: ${path}
    serial: ${BAUD_RATE} 8N1
    responseTimeout: ${responseTimeoutMs}ms
    devices:
      meter: { unitId: 1, tags: { power: { holdingRegister: 10, type: float32 } } }
      pump: { unitId: 2, tags: { speed: { inputRegister: 3 } } }
`,
  );
  return file;
}
