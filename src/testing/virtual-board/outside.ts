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
export const TAGS_PER_DEVICE = 5;
const DEVICES = ["meter-1", "meter-2"] as const;
/** What QEMU calls the machine that it runs on. */
const HOST = "10.0.2.2";
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
  close(): Promise<void>;
}

export async function openOutside(): Promise<Outside> {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-board-"));
  const certificates = await writeCertificates(join(folder, "tls"), hostClock);
  const time = await startTimeServer(hostClock, NTP_PORT);
  const broker = await startMosquitto({ certificates });
  const subscriber = await subscribe(broker.url, { certificates, topics: [`${TOPIC}/#`] });
  const served = new Map<string, ServedReply[]>();
  const devices = DEVICES.map((name, index) => {
    const log: ServedReply[] = [];
    served.set(name, log);
    return countingDevice(index + 1, TAGS_PER_DEVICE, log);
  });
  const line = join(folder, "line");
  const closeLine = await serveLine(line, devices);
  const site = await writeSite(join(folder, "site"), certificates, broker.port);
  return {
    ...{ folder, site, line, broker, subscriber, served },
    timeAsked: () => time.asked,
    fallSilent() {
      for (const device of devices) device.faults = { silent: true };
    },
    async close() {
      closeLine();
      await subscriber.close();
      await broker.close();
      await time.close();
      await rm(folder, { recursive: true, force: true });
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

async function writeSite(folder: string, { ca, client }: Certificates, port: number): Promise<string> {
  await mkdir(join(folder, "tls"), { recursive: true });
  await copyFile(ca, join(folder, "tls/ca.pem"));
  await copyFile(client.certificate, join(folder, "tls/gateway.pem"));
  await copyFile(client.key, join(folder, "tls/gateway.key"));
  await writeFile(join(folder, "console.password"), `${CONSOLE_PASSWORD}\n`, { mode: 0o600 });
  await writeFile(join(folder, "site.yaml"), siteText());
  await writeFile(join(folder, "gateway.yaml"), gatewayText(port));
  return folder;
}

function siteText(): string {
  return `version: 1
board: virtual
hostname: pump-house-3
network: dhcp
ntp: [ ${HOST} ]
console: { passwordFile: console.password }
`;
}

function gatewayText(port: number): string {
  const tags = Array.from({ length: TAGS_PER_DEVICE }, (_, i) => `r${i}: { holdingRegister: ${i}, type: uint16 }`);
  const devices = DEVICES.map(
    (name, index) => `      ${name}: { unitId: ${index + 1}, tags: { ${tags.join(", ")} } }\n`,
  );
  return `version: 1
gateway: { group: proof, name: board }
uplinks:
  cloud:
    servers: [ "mqtts://${HOST}:${port}" ]
    tls: { ca: tls/ca.pem, certificate: tls/gateway.pem, key: tls/gateway.key, serverName: localhost }
    reconnect: { spread: 1s, max: 5s }
outbox: { commitInterval: ${COMMIT_INTERVAL_MS}ms }
inputs:
  door: { pin: ${DOOR.pin} }
lines:
  RS485-1:
    serial: 115200 8N1
    responseTimeout: 3s
    devices:
${devices.join("")}`;
}
