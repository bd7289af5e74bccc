/** What a board will say on its network, and to whom: all that its firewall lets out. Pure. */
import type { Config } from "./config.ts";
import type { SiteFile } from "./site-schema.ts";

/** A destination. Whatever is not among them is dropped, and so is whatever nobody asked for. */
export interface Passage {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  /** A host, an address, or words where the network itself tells. */
  readonly to: string;
  readonly why: string;
}

const PORTS: Readonly<Record<string, number>> = { "mqtts:": 8883, "wss:": 443, "http:": 80, "https:": 443 };
const DNS_PORT = 53;
const NTP_PORT = 123;
const DHCP_PORT = 67;

export function networkPlan({ network, dns, ntp }: SiteFile, uplinks: Config["uplinks"]): readonly Passage[] {
  const isDhcp = network === "dhcp";
  const resolvers = dns ?? (isDhcp ? ["what DHCP tells"] : []);
  const clocks = ntp ?? (isDhcp ? ["what DHCP tells"] : []);
  return [
    ...(isDhcp ? [{ protocol: "udp", port: DHCP_PORT, to: "the local network", why: "DHCP" } as const] : []),
    ...resolvers.flatMap((to) =>
      (["udp", "tcp"] as const).map((protocol) => ({ protocol, port: DNS_PORT, to, why: "names" })),
    ),
    ...clocks.map((to) => ({ protocol: "udp", port: NTP_PORT, to, why: "time" }) as const),
    ...uplinkPlan(uplinks),
  ];
}

/** The way to the brokers. */
export function uplinkPlan(uplinks: Config["uplinks"]): readonly Passage[] {
  return distinct(uplinks.flatMap(uplinkPassages));
}

/** Through a proxy only the proxy is spoken to. */
function uplinkPassages({ name, servers, proxy }: Config["uplinks"][number]): readonly Passage[] {
  const urls = proxy === undefined ? servers : [proxy.url];
  const why = proxy === undefined ? `uplink ${name}` : `uplink ${name}, by the proxy`;
  return urls.map((url) => {
    const { hostname, port, protocol } = new URL(url);
    const to = hostname.replace(/^\[|\]$/g, "");
    return { protocol: "tcp", port: port === "" ? (PORTS[protocol] ?? 0) : Number(port), to, why };
  });
}

function distinct(passages: readonly Passage[]): readonly Passage[] {
  const known = new Map<string, Passage>();
  for (const passage of passages) {
    const key = `${passage.to} ${passage.port}`;
    const before = known.get(key);
    known.set(key, before === undefined ? passage : { ...before, why: `${before.why}, ${passage.why}` });
  }
  return [...known.values()];
}
