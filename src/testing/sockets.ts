/** What a process listens on, from /proc (proc(5)): the sockets of its network that are among its open files. */
import { readdir, readFile, readlink } from "node:fs/promises";

/** A socket that takes what it did not ask for. */
export interface Listener {
  readonly inode: string;
  /** `tcp 0.0.0.0:8883`, `unix /run/x` */
  readonly name: string;
}

const TCP_ESTABLISHED = "01";
const TCP_LISTEN = "0A";
/** __SO_ACCEPTCON of the kernel: listen(2) was called. */
const SO_ACCEPTCON = 0x10000;

/**
 * TCP and Unix sockets in listen state, and UDP sockets that are bound to a port and connected to nobody.
 * A connected UDP socket, as a resolver uses it, takes answers from its peer only.
 */
export async function listeners(pid: number): Promise<readonly string[]> {
  const table = async (name: string) => await readFile(`/proc/${pid}/net/${name}`, "utf8").catch(absent);
  const open = await socketInodes(pid);
  const all = [
    ...tcpListeners(await table("tcp"), "tcp"),
    ...tcpListeners(await table("tcp6"), "tcp6"),
    ...udpListeners(await table("udp"), "udp"),
    ...udpListeners(await table("udp6"), "udp6"),
    ...unixListeners(await table("unix")),
  ];
  return all.filter((listener) => open.has(listener.inode)).map((listener) => listener.name);
}

/** Connections that a port of this machine has taken. */
export async function connectionsAt(port: number): Promise<number> {
  const tables = await Promise.all(["tcp", "tcp6"].map((name) => readFile(`/proc/net/${name}`, "utf8").catch(absent)));
  const taken = tables
    .flatMap(inetRows)
    .filter(({ local, state }) => state === TCP_ESTABLISHED && portOf(local) === port);
  return taken.length;
}

export function tcpListeners(table: string, protocol: "tcp" | "tcp6"): Listener[] {
  return inetRows(table)
    .filter((row) => row.state === TCP_LISTEN)
    .map((row) => ({ inode: row.inode, name: `${protocol} ${addressText(row.local)}` }));
}

export function udpListeners(table: string, protocol: "udp" | "udp6"): Listener[] {
  return inetRows(table)
    .filter((row) => portOf(row.local) !== 0 && portOf(row.remote) === 0)
    .map((row) => ({ inode: row.inode, name: `${protocol} ${addressText(row.local)}` }));
}

export function unixListeners(table: string): Listener[] {
  return rows(table).flatMap(([, , , flags, , , inode, path]) => {
    const listening = (Number.parseInt(flags ?? "0", 16) & SO_ACCEPTCON) !== 0;
    return listening && inode !== undefined ? [{ inode, name: `unix ${path ?? "unnamed"}` }] : [];
  });
}

interface InetRow {
  readonly local: string;
  readonly remote: string;
  readonly state: string;
  readonly inode: string;
}

function inetRows(table: string): InetRow[] {
  return rows(table).flatMap(([, local, remote, state, , , , , , inode]) => {
    const complete = local !== undefined && remote !== undefined && state !== undefined && inode !== undefined;
    return complete ? [{ local, remote, state, inode }] : [];
  });
}

/** The fields of each line below the heading. */
function rows(table: string): string[][] {
  const lines = table.split("\n").slice(1);
  return lines.filter((line) => line.trim() !== "").map((line) => line.trim().split(/\s+/));
}

function portOf(address: string): number {
  return Number.parseInt(address.slice(address.indexOf(":") + 1), 16);
}

/** From `0100007F:22B3`: words of four bytes, each in the order of a little-endian host. */
function addressText(address: string): string {
  const hex = address.slice(0, address.indexOf(":"));
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) => (word.match(/../g) ?? []).reverse());
  if (bytes.length === 4) return `${bytes.map((byte) => Number.parseInt(byte, 16)).join(".")}:${portOf(address)}`;
  const groups = bytes.flatMap((byte, i) => (i % 2 === 0 ? [`${byte}${bytes[i + 1] ?? ""}`.toLowerCase()] : []));
  return `[${groups.join(":")}]:${portOf(address)}`;
}

async function socketInodes(pid: number): Promise<ReadonlySet<string>> {
  const dir = `/proc/${pid}/fd`;
  // A file may be closed between being listed and being looked at.
  const links = await Promise.all((await readdir(dir)).map((fd) => readlink(`${dir}/${fd}`).catch(absent)));
  return new Set(links.flatMap((link) => link.match(/^socket:\[(\d+)\]$/)?.[1] ?? []));
}

function absent(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
