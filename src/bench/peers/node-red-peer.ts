/** Node-RED with node-red-contrib-modbus: a read node for each run of registers, one MQTT node. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { freePort } from "../../testing/mosquitto.ts";
import { installNodeRed } from "./node-red-install.ts";
import type { Peer, PeerSite } from "./peer.ts";
import { BAUD_RATE, BLOCK_REGISTERS, BLOCKS, DEVICES, RESPONSE_TIMEOUT_MS } from "./plan.ts";
import { blockContent } from "./script-peer.ts";

const TAB = "tab";
const TLS = "tls";
const BROKER = "broker";
const OUT = "out";

export async function nodeRedPeer(tell: (line: string) => void): Promise<Peer> {
  const { program, versions } = await installNodeRed(tell);
  return {
    key: "node-red",
    title: "Node-RED",
    versions,
    async configure(site) {
      const settings = join(site.folder, "settings.js");
      await writeFile(settings, settingsText(await freePort()));
      await writeFile(join(site.folder, "flows.json"), JSON.stringify(flowOf(site)));
      const args = [program, "--userDir", site.folder, "--settings", settings];
      return { program: process.execPath, args, cwd: site.folder, environment: {} };
    },
    parse: (topic, payload) => blockContent(topic, JSON.parse(payload)),
  };
}

/**
 * No editor, and no door but loopback's: as it would run unattended. What it has while it is not connected is gone, so it
 * looks for the broker each second in place of every 15.
 */
function settingsText(port: number): string {
  return `module.exports = {
  uiHost: "127.0.0.1", uiPort: ${port}, httpAdminRoot: false, httpNodeRoot: false,
  mqttReconnectTime: 1000, flowFile: "flows.json", credentialSecret: false, diagnostics: { enabled: false },
  telemetry: { enabled: false, updateNotification: false },
  logging: { console: { level: "info", metrics: false, audit: false } },
}
`;
}

function flowOf(site: PeerSite): readonly object[] {
  const { certificates, brokerPort, linePaths, scanMs } = site;
  return [
    { id: TAB, type: "tab", label: "peers", disabled: false },
    {
      id: TLS,
      type: "tls-config",
      name: "",
      cert: certificates.client.certificate,
      key: certificates.client.key,
      ca: certificates.ca,
      verifyservercert: true,
      servername: "localhost",
    },
    brokerNode(brokerPort),
    { id: OUT, type: "mqtt out", z: TAB, name: "", topic: "", qos: "1", retain: "false", broker: BROKER, wires: [] },
    ...linePaths.flatMap((path, at) => [clientNode(at + 1, path), ...readNodes(at + 1, scanMs)]),
  ];
}

function brokerNode(port: number): object {
  return {
    id: BROKER,
    type: "mqtt-broker",
    name: "",
    broker: "localhost",
    port: String(port),
    tls: TLS,
    clientid: "node-red",
    autoConnect: true,
    usetls: true,
    protocolVersion: "4",
    keepalive: "60",
    cleansession: false,
    birthTopic: "",
    closeTopic: "",
    willTopic: "",
  };
}

/**
 * As its form proposes, but for what belongs to a line that devices share: one is asked at a time, and one that does not
 * answer does not close the port for all.
 */
function clientNode(line: number, path: string): object {
  return {
    id: clientId(line),
    type: "modbus-client",
    name: "",
    clienttype: "simpleser",
    bufferCommands: true,
    stateLogEnabled: false,
    queueLogEnabled: false,
    failureLogEnabled: true,
    serialPort: path,
    serialType: "RTU-BUFFERD",
    serialBaudrate: String(BAUD_RATE),
    serialDatabits: "8",
    serialStopbits: "1",
    serialParity: "none",
    serialConnectionDelay: "100",
    serialAsciiResponseStartDelimiter: "0x3A",
    unit_id: "1",
    commandDelay: "1",
    clientTimeout: String(RESPONSE_TIMEOUT_MS),
    reconnectOnTimeout: false,
    reconnectTimeout: "2000",
    parallelUnitIdsAllowed: false,
    showErrors: false,
    showWarnings: true,
    showLogs: true,
  };
}

function readNodes(line: number, scanMs: number): readonly object[] {
  return Array.from({ length: DEVICES }, (_, i) => i + 1).flatMap((unit) =>
    BLOCKS.map((block) => ({
      id: `read-${line}-${unit}-${block}`,
      type: "modbus-read",
      z: TAB,
      name: "",
      topic: `${line}/${unit}/${block}`,
      showStatusActivities: false,
      logIOActivities: false,
      showErrors: false,
      showWarnings: true,
      unitid: String(unit),
      dataType: "HoldingRegister",
      adr: String(block),
      quantity: String(BLOCK_REGISTERS),
      rate: String(scanMs),
      rateUnit: "ms",
      delayOnStart: false,
      enableDeformedMessages: false,
      startDelayTime: "",
      server: clientId(line),
      useIOFile: false,
      ioFile: "",
      useIOForPayload: false,
      emptyMsgOnFail: false,
      wires: [[OUT], []],
    })),
  );
}

function clientId(line: number): string {
  return `line-${line}`;
}
