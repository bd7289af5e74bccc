/** The network as this machine sees it: links, the way out, and that nothing can come in. */
import { ailing, type Finding, ok } from "./finding.ts";
import type { Machine } from "./machine.ts";

const LISTENING = "0A";
const ANY_ROUTE = "00000000";
const GATEWAY_FLAG = 0x2;
const PORT_RADIX = 16;

export function checkRoute(machine: Machine): Finding {
  const rows = machine.text("/proc/net/route").split("\n").slice(1);
  const byFour = rows
    .map((row) => row.split(/\s+/))
    .find(([, to, , flags = "0"]) => {
      return to === ANY_ROUTE && (Number.parseInt(flags, PORT_RADIX) & GATEWAY_FLAG) !== 0;
    });
  const bySix = machine
    .text("/proc/net/ipv6_route")
    .split("\n")
    .map((row) => row.split(/\s+/))
    .find(([to = "", prefix, , , via = ""]) => /^0+$/.test(to) && prefix === "00" && !/^0*$/.test(via));
  const way = byFour?.[0] ?? bySix?.at(-1);
  if (way !== undefined) return ok("network", "", `the way out is ${way}`);
  const links = machine
    .names("/sys/class/net")
    .filter((name) => name !== "lo")
    .map((name) => `${name} ${machine.text(`/sys/class/net/${name}/operstate`) || "unknown"}`);
  const ailment = {
    name: "no-route",
    verdict: "WARNING",
    found: "there is no way out of the local network",
    means: "only brokers in the same network can be reached",
    todo: "plug in the cable; let DHCP give a default gateway, or set one",
  } as const;
  return ailing("network", "", ailment, links.length === 0 ? "no network interface" : links.join(", "));
}

/** @param gateways processes that are the gateway @returns a fault if one of them can be connected to */
export function checkListeners(machine: Machine, gateways: readonly number[]): Finding {
  const all = ["tcp", "tcp6"].flatMap((table) => listenersIn(machine.text(`/proc/net/${table}`)));
  const own = gateways.flatMap((pid) => {
    const open = new Set(machine.names(`/proc/${pid}/fd`).map((fd) => machine.link(`/proc/${pid}/fd/${fd}`)));
    return all.filter(({ inode }) => open.has(`socket:[${inode}]`));
  });
  if (own.length > 0) {
    const ailment = {
      name: "listener",
      verdict: "FAULT",
      found: "the gateway accepts connections",
      means: "it must never: this is a bug or another program in its place",
      todo: "report it, with --report",
    } as const;
    return ailing("network", "listener", ailment, own.map(({ port }) => `port ${port}`).join(", "));
  }
  const ports = [...new Set(all.filter(({ isLocal }) => !isLocal).map(({ port }) => port))].sort((a, b) => a - b);
  const others = ports.length === 0 ? "nor does anything else" : `other programs do, on ${ports.join(", ")}`;
  return ok("network", "listener", `the gateway accepts no connection; ${others}`);
}

interface Listener {
  readonly port: number;
  readonly inode: string;
  /** Only this machine can reach it. */
  readonly isLocal: boolean;
}

function listenersIn(table: string): Listener[] {
  return table
    .split("\n")
    .slice(1)
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , state]) => state === LISTENING)
    .map(([, local = ""], i, rows) => {
      const [address = "", port = "0"] = local.split(":");
      const isLocal = /7F$/.test(address) || address === "00000000000000000000000001000000";
      return { port: Number.parseInt(port, PORT_RADIX), inode: rows[i]?.[9] ?? "", isLocal };
    });
}
