/** site.yaml: what a board is told about the place that it stands in. */
import { isIP, isIPv4 } from "node:net";
import * as v from "valibot";
import { LIMITS } from "./defaults.ts";
import { list, mapOr, section } from "./section.ts";
import { pathSchema, text } from "./values.ts";
import { not, says, shown } from "./wording.ts";

const HOST =
  /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$/;
const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const INTERFACE = /^[a-z][a-z0-9]{0,14}$/;
const COUNTRY = /^[A-Z]{2}$/;
const SSID_BYTES_MAX = 32;
const SERVERS_MAX = 4;
const BITS = 32;
/** First numbers of addresses: this machine itself; from here on groups, and what is reserved. */
const LOOPBACK = 127;
const MULTICAST = 224;
/** A network of one or two addresses has no place for a gateway and a host. */
const PREFIX_MAX = 30;

/** An IPv4 address and the length of its network's prefix. */
export interface Subnet {
  readonly address: string;
  readonly prefix: number;
}

const subnetMessage = not("an address with its network", "write it as 192.168.10.20/24");

const subnetSchema = v.pipe(
  v.string(subnetMessage),
  v.rawTransform<string, Subnet>(({ dataset, addIssue, NEVER }) => {
    const [address = "", length = "", ...more] = dataset.value.split("/");
    const prefix = /^\d{1,2}$/.test(length) ? Number(length) : 0;
    if (!isIPv4(address) || more.length > 0 || prefix < 1 || prefix > PREFIX_MAX) {
      addIssue({ message: subnetMessage({ input: dataset.value }) });
      return NEVER;
    }
    if (isNoHost(address, { address, prefix })) {
      const wrong = `${dataset.value} is the network itself or its broadcast address, no host in it`;
      addIssue({ message: says(wrong, "write the board's own address") });
      return NEVER;
    }
    const first = Number(address.split(".")[0]);
    if (first === 0 || first === LOOPBACK || first >= MULTICAST) {
      addIssue({ message: says(`${dataset.value} is no address that a board can have`, "write one of its network") });
      return NEVER;
    }
    return { address, prefix };
  }),
);

function numberOf(address: string): number {
  return address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
}

/** Whether an IPv4 address is the network itself, or the one that all of its hosts hear. */
export function isNoHost(address: string, { prefix }: Subnet): boolean {
  const host = numberOf(address) % 2 ** (BITS - prefix);
  return host === 0 || host === 2 ** (BITS - prefix) - 1;
}

/** Whether an IPv4 address lies in the network of another one. */
export function isInSubnet(address: string, { address: own, prefix }: Subnet): boolean {
  const size = 2 ** (BITS - prefix);
  return isIPv4(address) && Math.floor(numberOf(address) / size) === Math.floor(numberOf(own) / size);
}

const addressMessage = not("an IPv4 address", "write it as 192.168.10.1");
const routerSchema = v.pipe(
  v.string(addressMessage),
  v.check((value) => isIPv4(value), addressMessage),
);

const resolverMessage = not("an IP address", "write it as 192.168.10.1: names cannot be looked up before there is DNS");
const resolverSchema = v.pipe(
  v.string(resolverMessage),
  v.check((value) => isIP(value) !== 0, resolverMessage),
);

const hostMessage = not("a host name or an IP address", "write it as ntp.example.com or 192.168.10.1");
const hostSchema = v.pipe(
  v.string(hostMessage),
  v.check((value) => isIP(value) !== 0 || HOST.test(value), hostMessage),
);

const interfaceSchema = v.pipe(
  v.string(not("the name of an interface", "write it as end0")),
  v.regex(INTERFACE, not("the name of an interface", "write it as end0")),
);

const staticSchema = section(
  "the network",
  {
    address: subnetSchema,
    gateway: v.exactOptional(routerSchema),
    interface: v.exactOptional(interfaceSchema),
  },
  { address: "address: 192.168.10.20/24" },
);

const dhcpSchema = v.literal("dhcp", ({ input }) =>
  says(`${shown(input)} is no network`, "write dhcp, or { address: 192.168.10.20/24, gateway: 192.168.10.1 }"),
);

const ssidSchema = v.pipe(
  text("the name of the radio network", SSID_BYTES_MAX),
  v.check(
    (ssid) => Buffer.byteLength(ssid) <= SSID_BYTES_MAX,
    says("this name is too long", `a radio network's name has at most ${SSID_BYTES_MAX} bytes`),
  ),
);

const countryMessage = not("a country", "write its two capital letters, as DE: radio rules differ");

export const siteSchema = section(
  "a site",
  {
    version: v.literal(1, not("a version this program knows", "write version: 1")),
    board: text("the name of a board", LIMITS.nameChars),
    hostname: v.pipe(
      v.string(not("a host name", "write it as pump-house-3")),
      v.regex(LABEL, not("a host name", "use small letters, digits and -, at most 63, as pump-house-3")),
    ),
    network: mapOr(staticSchema, dhcpSchema),
    dns: v.exactOptional(list("a list of DNS servers", resolverSchema, SERVERS_MAX, "write it as [ 192.168.10.1 ]")),
    ntp: v.exactOptional(list("a list of time servers", hostSchema, SERVERS_MAX, "write it as [ ntp.example.com ]")),
    wifi: v.exactOptional(
      section(
        "the radio network",
        {
          ssid: ssidSchema,
          passwordFile: pathSchema,
          country: v.pipe(v.string(countryMessage), v.regex(COUNTRY, countryMessage)),
        },
        { ssid: "ssid: plant", passwordFile: "passwordFile: wifi.password", country: "country: DE" },
      ),
    ),
    console: v.exactOptional(
      section("the console", { passwordFile: pathSchema }, { passwordFile: "passwordFile: console.password" }),
    ),
  },
  {
    version: "version: 1",
    board: "board: raspberry-pi-4",
    hostname: "hostname: pump-house-3",
    network: "network: dhcp",
  },
);

export type SiteFile = v.InferOutput<typeof siteSchema>;

/** What each key is for, in a line. */
export const SITE_KEY_NOTES: Readonly<Record<string, string>> = {
  board: "a folder of board/, as raspberry-pi-4",
  hostname: "the board's name in its network",
  network: "dhcp, or a fixed address",
  "network.address": "with its network, as 192.168.10.20/24",
  "network.gateway": "the router to everything outside that network",
  "network.interface": "where there are several; default: the wired one",
  dns: "servers that know names; with dhcp those of the network if absent",
  ntp: "time servers; with dhcp those of the network if absent",
  wifi: "a radio network instead of the wire",
  "wifi.country": "two letters, for the radio rules that hold there",
  console: "absent: nobody can log in",
};
