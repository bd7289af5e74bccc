/** The text of a first gateway.yaml, with comments that say what else there is. Pure. */
import { parseSerial, serialText } from "../../config/values.ts";

export interface FirstDevice {
  readonly name: string;
  readonly unitId: number;
  /** Absent: it gets one tag as an example. */
  readonly model?: string;
}

export interface FirstGateway {
  readonly group: string;
  readonly name: string;
  readonly server: string;
  readonly format: string;
  readonly ca?: string;
  readonly username?: string;
  /** Files that are not there yet: their keys are written as comments. */
  readonly missing: readonly string[];
  /** Absent: no line. */
  readonly path?: string;
  readonly serial: string;
  readonly devices: readonly FirstDevice[];
  /** Name the schema for editors. */
  readonly schema: boolean;
}

export const PASSWORD_FILE = "cloud.password";

export function firstGatewayText(first: FirstGateway): string {
  return [
    ...(first.schema ? ["# yaml-language-server: $schema=gateway.schema.json"] : []),
    "# sallyport check FILE tells what is wrong with this file; sallyport doctor FILE, with the board and the wiring.",
    "version: 1",
    `gateway: { group: ${first.group}, name: ${first.name} }      # who this gateway is, in every topic`,
    "",
    "uplinks:                                     # brokers, each with its own backlog; the name owns it",
    ...uplinkLines(first),
    "",
    ...lineLines(first),
    "# inputs:                                    # digital inputs of the board",
    "#   door: { pin: { chip: pinctrl-bcm2711, line: 17 }, activeLow: true, debounce: 20ms }",
    "",
    "# outbox: { maxSize: 2GB, maxAge: 90d }      # what no broker has acknowledged; at a limit the oldest goes",
    "# clock: { source: host }                    # where this machine's time is good without a time service: servers",
    "",
  ].join("\n");
}

function uplinkLines({ server, format, ca, username, missing }: FirstGateway): string[] {
  const comment = (file: string) => (missing.includes(file) ? "    # " : "    ");
  const tls = ca === undefined ? "    # tls: { ca: ca.pem }" : `${comment(ca)}tls: { ca: ${JSON.stringify(ca)} }`;
  const login =
    username === undefined
      ? `    # login: { username: u, passwordFile: ${PASSWORD_FILE} }`
      : `${comment(PASSWORD_FILE)}login: { username: ${JSON.stringify(username)}, passwordFile: ${PASSWORD_FILE} }`;
  return [
    "  cloud:",
    `    servers: [ ${JSON.stringify(server)} ]   # TLS only; more than one: tried in turn`,
    `    format: ${format}`,
    `${tls}   # who signed the broker's certificate; also certificate, key`,
    `${login}   # chmod 600; no password stands in this file`,
  ];
}

function lineLines({ path, serial, devices }: FirstGateway): string[] {
  if (path === undefined) {
    return [
      "# lines:                                     # RS-485 buses",
      "#   RS485-1: { path: /dev/serial/by-id/…, serial: 9600 8N1, devices: { meter-1: { unitId: 1, model: eastron-sdm630 } } }",
      "",
    ];
  }
  return [
    "lines:                                       # RS-485 buses, each with its settings",
    "  RS485-1:",
    `    path: ${JSON.stringify(path)}   # best by a name below /dev/serial/by-id: it does not change`,
    `    serial: ${serialText(parseSerial(serial))}                         # as the devices' menus show it`,
    ...(devices.length === 0 ? ["    # devices: { meter-1: { unitId: 1, model: eastron-sdm630 } }"] : ["    devices:"]),
    ...devices.flatMap(deviceLines),
    "",
  ];
}

function deviceLines({ name, unitId, model }: FirstDevice): string[] {
  if (model !== undefined) {
    return [`      ${name}: { unitId: ${unitId}, model: ${JSON.stringify(model)} }   # sallyport models lists them`];
  }
  return [
    `      ${name}:`,
    `        unitId: ${unitId}                            # its menu says Address, ID or Slave`,
    "        scanRate: 1s",
    "        tags:                                # as the manual prints it (40101), or 0-based: holdingRegister: 100",
    "          value: { register: 40001, type: uint16 }",
  ];
}
