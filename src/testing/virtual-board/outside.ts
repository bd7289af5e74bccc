/** All that stands around a board: devices on its line, a broker, a time server, a subscriber, and the site's folder. */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostClock } from "../../core/clock.ts";
import { type Certificates, writeCertificates } from "../certificates.ts";
import { countingDevice, type ServedReply } from "../counting-plant.ts";
import type { ModbusDevice } from "../modbus-device.ts";
import { type Mosquitto, startMosquitto } from "../mosquitto.ts";
import { serveDevices } from "../simulated-bus.ts";
import { type Subscriber, subscribe } from "../subscriber.ts";
import { startTimeServer } from "./time-server.ts";

export const TOPIC = "proof/board";
export const CONSOLE_PASSWORD = "open-sesame-9";
/** An input, and its line of the pin controller. */
export const DOOR = { tag: "inputs/door", pin: "DI1", line: 1 } as const;
export const COMMIT_INTERVAL_MS = 1_000;
export const SCAN_RATE_MS = 1_000;
export const TAGS_PER_DEVICE = 5;
/**
 * QEMU's lines know no pace, but it hands a reply over in two parts, and the slower the line is said to be the longer a
 * busy emulator may take in between until the board calls that a broken reply, which it never took in.
 */
const SERIAL = "1200 8N1";
const DEVICES = ["meter-1", "meter-2"] as const;
/** Where broker and time server are for the board, and what its site says of its network. */
export interface Place {
  readonly host: string;
  readonly network: string;
}

/** The network that QEMU makes up for one machine. */
const MADE_UP: Place = { host: "10.0.2.2", network: "dhcp" };
const LOOPBACK = "127.0.0.1";
const EVERYWHERE = "0.0.0.0";
const NTP_PORT = 123;

export interface Outside {
  readonly folder: string;
  /** For flash.sh. */
  readonly site: string;
  /** The Unix socket of the line. */
  readonly line: string;
  readonly broker: Mosquitto;
  readonly subscriber: Subscriber;
  /** By device name, oldest first. */
  readonly served: ReadonlyMap<string, readonly ServedReply[]>;
  /** How often the board asked for the time. */
  timeAsked(): number;
  /** The devices answer no more, so that the books can be closed. */
  fallSilent(): void;
  /** @param isKept leaves the folder */
  close(isKept?: boolean): Promise<void>;
}

export async function openOutside(place: Place = MADE_UP): Promise<Outside> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-board-"));
  const certificates = await writeCertificates(join(folder, "tls"), hostClock);
  const address = place === MADE_UP ? LOOPBACK : EVERYWHERE;
  const time = await startTimeServer(hostClock, { port: NTP_PORT, address });
  const broker = await startMosquitto({ certificates, address });
  const subscriber = await subscribe(broker.url, { certificates, topics: [`${TOPIC}/#`] });
  const served = new Map<string, ServedReply[]>();
  const devices = DEVICES.map((name, index) => {
    const log: ServedReply[] = [];
    served.set(name, log);
    return countingDevice(index + 1, TAGS_PER_DEVICE, log);
  });
  const line = join(folder, "line");
  const closeLine = await serveLine(line, devices);
  const site = await writeSite(join(folder, "site"), { certificates, place, port: broker.port });
  return {
    ...{ folder, site, line, broker, subscriber, served },
    timeAsked: () => time.asked,
    fallSilent() {
      for (const device of devices) device.faults = { silent: true };
    },
    async close(isKept = false) {
      closeLine();
      await subscriber.close();
      await broker.close();
      await time.close();
      if (!isKept) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Each machine connects anew. */
async function serveLine(path: string, devices: readonly ModbusDevice[]): Promise<() => void> {
  const server = createServer((socket) => {
    const stop = serveDevices(socket, devices, hostClock);
    socket.on("error", () => undefined).once("close", stop);
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return () => server.close();
}

interface SiteFacts {
  readonly certificates: Certificates;
  readonly place: Place;
  /** Of the broker. */
  readonly port: number;
}

async function writeSite(folder: string, { certificates, place, port }: SiteFacts): Promise<string> {
  const { ca, client } = certificates;
  await mkdir(join(folder, "tls"), { recursive: true });
  await copyFile(ca, join(folder, "tls/ca.pem"));
  await copyFile(client.certificate, join(folder, "tls/gateway.pem"));
  await copyFile(client.key, join(folder, "tls/gateway.key"));
  await writeFile(join(folder, "console.password"), `${CONSOLE_PASSWORD}\n`, { mode: 0o600 });
  await writeFile(join(folder, "site.yaml"), siteText(place));
  await writeFile(join(folder, "gateway.yaml"), gatewayText(place.host, port));
  return folder;
}

function siteText({ host, network }: Place): string {
  return `version: 1
board: virtual
hostname: pump-house-3
network: ${network}
ntp: [ ${host} ]
console: { passwordFile: console.password }
`;
}

function gatewayText(host: string, port: number): string {
  const tags = Array.from({ length: TAGS_PER_DEVICE }, (_, i) => `r${i}: { holdingRegister: ${i}, type: uint16 }`);
  const devices = DEVICES.map(
    (name, index) =>
      `      ${name}: { unitId: ${index + 1}, scanRate: ${SCAN_RATE_MS}ms, tags: { ${tags.join(", ")} } }\n`,
  );
  return `version: 1
gateway: { group: proof, name: board }
uplinks:
  cloud:
    servers: [ "mqtts://${host}:${port}" ]
    tls: { ca: tls/ca.pem, certificate: tls/gateway.pem, key: tls/gateway.key, serverName: localhost }
    reconnect: { spread: 1s, max: 5s }
outbox: { commitInterval: ${COMMIT_INTERVAL_MS}ms }
inputs:
  door: { pin: ${DOOR.pin} }
lines:
  RS485-1:
    serial: ${SERIAL}
    responseTimeout: 3s
    devices:
${devices.join("")}`;
}
