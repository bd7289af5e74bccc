/** Flows of Node-RED that read with node-red-contrib-modbus. What function nodes make of the registers stays there. */
import type { RegisterTable, SerialSettings } from "../../config/config.ts";
import { LIMITS } from "../../config/defaults.ts";
import { isMap } from "../../config/section.ts";
import { ownEntry } from "../../core/own-entry.ts";
import {
  type Imported,
  type ImportedDevice,
  type ImportedLine,
  type ImportedTag,
  type Left,
  Names,
  ODD_IN_NAMES,
  ODD_IN_TAGS,
} from "./imported.ts";

type Node = Readonly<Record<string, unknown>>;

const TABLES: Readonly<Record<string, RegisterTable>> = {
  Coil: "coil",
  Input: "discreteInput",
  HoldingRegister: "holdingRegister",
  InputRegister: "inputRegister",
};

const MS_OF_RATE: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
const PARITIES: Readonly<Record<string, SerialSettings["parity"]>> = { none: "none", even: "even", odd: "odd" };
const QUANTITY_MAX = 2_000;

/** Nodes whose questions come with messages, so that no file says what they read. */
const DYNAMIC = ["modbus-getter", "modbus-flex-getter", "modbus-flex-sequencer", "modbus-flex-connector"];
const WRITING = ["modbus-write", "modbus-flex-write"];

/** @throws Error where it is no export of flows */
export function importNodeRed(text: string): Imported {
  const flows: unknown = JSON.parse(text);
  if (!Array.isArray(flows)) throw new Error("this is no export of flows: a list of nodes was expected");
  const nodes = flows.filter((node): node is Node => isMap(node)).map(plainNode);
  const left: Left[] = nodes.flatMap((node) => leftOf(node));
  const clients = new Map(nodes.filter(({ type }) => type === "modbus-client").map((node) => [node.id, node]));
  const lines = new Map<unknown, Building>();
  const lineNames = new Names(ODD_IN_NAMES);
  for (const node of nodes.filter(({ type }) => type === "modbus-read")) {
    const client = clients.get(node.server);
    const refusal = client === undefined ? "its client is not in the file" : clientRefusal(client);
    if (client === undefined || refusal !== undefined) {
      left.push({ where: nameOf(node), what: refusal ?? "" });
      continue;
    }
    const line = lines.get(client.id) ?? new Building(client, lineNames.give(nameOf(client), "line-1"));
    lines.set(client.id, line);
    left.push(...line.add(node));
  }
  return { left, lines: [...lines.values()].map((line) => line.line()).filter(({ devices }) => devices.length > 0) };
}

function leftOf(node: Node): Left[] {
  const type = String(node.type ?? "");
  const where = nameOf(node);
  if (DYNAMIC.includes(type)) return [{ where, what: `${type}: what it asks for comes with messages` }];
  if (WRITING.includes(type)) return [{ where, what: `${type}: nothing is written by this file; see writable` }];
  return type === "modbus-server" ? [{ where, what: "modbus-server: the gateway is none" }] : [];
}

function clientRefusal({ clienttype, serialType }: Node): string | undefined {
  if (clienttype === "tcp") return "it reads over Modbus TCP; the gateway reads serial lines";
  return serialType === "ASCII" ? "its line speaks Modbus ASCII; the gateway speaks RTU" : undefined;
}

/** A line while its devices gather. */
class Building {
  readonly #client: Node;
  readonly #name: string;
  readonly #devices = new Map<number, { readonly names: Names; readonly tags: ImportedTag[] }>();

  constructor(client: Node, name: string) {
    this.#client = client;
    this.#name = name;
  }

  add(node: Node): Left[] {
    const where = nameOf(node);
    const unitId = wholeOf(node.unitid) ?? wholeOf(this.#client.unit_id) ?? 1;
    const table = ownEntry(TABLES, String(node.dataType));
    const [address, quantity] = [wholeOf(node.adr), wholeOf(node.quantity) ?? 1];
    if (table === undefined || address === undefined || quantity < 1 || quantity > QUANTITY_MAX) {
      return [{ where, what: `its table, address or quantity is not a number here: ${node.dataType} ${node.adr}` }];
    }
    if (unitId < LIMITS.unitId.min || unitId > LIMITS.unitId.max) return [{ where, what: `unit id ${unitId} is none` }];
    const device = this.#devices.get(unitId) ?? { names: new Names(ODD_IN_TAGS), tags: [] };
    this.#devices.set(unitId, device);
    const rateMs = Number(node.rate) * (ownEntry(MS_OF_RATE, String(node.rateUnit)) ?? 1_000);
    for (let i = 0; i < quantity; i++) {
      const wanted = quantity === 1 ? where : `${where}-${address + i}`;
      const name = device.names.give(wanted, `${table}-${address + i}`);
      const { min, max } = LIMITS.scanRateMs;
      device.tags.push({
        name,
        table,
        address: address + i,
        ...(rateMs >= min && rateMs <= max && { scanRateMs: rateMs }),
      });
    }
    const what = `${quantity} registers as raw uint16: the flow's function nodes know their types and scales, this file does not`;
    return quantity > 1 && table.endsWith("Register") ? [{ where, what }] : [];
  }

  line(): ImportedLine {
    const client = this.#client;
    const devices: ImportedDevice[] = [...this.#devices].map(([unitId, { tags }]) => {
      return { name: `${this.#name}-${unitId}`, unitId, tags };
    });
    const timeoutMs = wholeOf(client.clientTimeout);
    const { min, max } = LIMITS.responseTimeoutMs;
    const responseTimeoutMs = timeoutMs !== undefined && timeoutMs >= min && timeoutMs <= max ? timeoutMs : undefined;
    return {
      name: this.#name,
      path: String(client.serialPort ?? "/dev/ttyUSB0"),
      serial: {
        baudRate: wholeOf(client.serialBaudrate) ?? 9_600,
        dataBits: 8,
        parity: ownEntry(PARITIES, String(client.serialParity)) ?? "none",
        stopBits: String(client.serialStopbits) === "2" ? 2 : 1,
      },
      devices,
      ...(responseTimeoutMs !== undefined && { responseTimeoutMs }),
    };
  }
}

function nameOf({ name, type, id }: Node): string {
  return typeof name === "string" && name.trim() !== "" ? name.trim() : `${type} ${id}`;
}

/** What is neither text nor number says nothing here, and has no text of its own to be trusted. */
function plainNode(node: Node): Node {
  return Object.fromEntries(Object.entries(node).filter(([, value]) => typeof value !== "object"));
}

/** Numbers stand as text in flows, or are missing. */
function wholeOf(value: unknown): number | undefined {
  const number = value === "" || value === undefined || value === null ? Number.NaN : Number(value);
  return Number.isInteger(number) && number >= 0 ? number : undefined;
}
