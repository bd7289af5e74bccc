/** The firewall of a board, from all that its site will say on the network: rules of nftables. Pure. */
import type { Passage } from "../config/network-plan.ts";

/** Of all ports, only a broker's or a proxy's is the service's alone; names and time belong to the system. */
const SYSTEM_PORTS: readonly number[] = [53, 67, 123];

/** @param user whose processes may speak to brokers */
export function firewallRules(plan: readonly Passage[], user: string): string {
  const ports = (protocol: Passage["protocol"], isSystem: boolean) =>
    [...new Set(plan.filter((passage) => passage.protocol === protocol).map(({ port }) => port))]
      .filter((port) => SYSTEM_PORTS.includes(port) === isSystem)
      .sort((a, b) => a - b);
  const rule = (before: string, protocol: Passage["protocol"], isSystem: boolean) => {
    const open = ports(protocol, isSystem);
    return open.length === 0 ? [] : [`    ${before}${protocol} dport { ${open.join(", ")} } accept`];
  };
  const usesDhcp = plan.some(({ port }) => port === 67);
  return [
    "flush ruleset",
    "table inet sallyport {",
    "  chain input {",
    "    type filter hook input priority filter; policy drop;",
    "    ct state established,related accept",
    // An offer goes to everybody, so it answers nothing that the kernel knows of.
    ...(usesDhcp ? ["    udp sport 67 udp dport 68 accept"] : []),
    "    icmp type { destination-unreachable, time-exceeded, parameter-problem } accept",
    "    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept",
    "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept",
    "  }",
    "  chain forward {",
    "    type filter hook forward priority filter; policy drop;",
    "  }",
    "  chain output {",
    "    type filter hook output priority filter; policy drop;",
    "    ct state established,related accept",
    ...rule("", "udp", true),
    ...rule("", "tcp", true),
    ...rule(`meta skuid ${user} `, "tcp", false),
    "    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept",
    "  }",
    "}",
    "",
  ].join("\n");
}
