/** What a site says of its network, as the files that systemd-networkd and wpa_supplicant read. Pure. */
import { pbkdf2Sync } from "node:crypto";
import type { SiteFile } from "../config/site-schema.ts";

/** A file to be made, below the folder of what lives as long as the boot. */
export interface MadeFile {
  readonly path: string;
  readonly text: string;
  readonly mode: number;
}

/** IEEE 802.11, annex J.4: how a passphrase becomes the key. */
const PSK_ROUNDS = 4_096;
const PSK_BYTES = 32;

const PUBLIC = 0o644;
const SECRET = 0o600;

/** @param wifiPassword without a line break; undefined without a radio network */
export function networkFiles(site: SiteFile, wifiPassword: string | undefined): readonly MadeFile[] {
  const { wifi } = site;
  return [
    { path: "systemd/network/10-site.network", text: networkText(site), mode: PUBLIC },
    ...(wifi === undefined || wifiPassword === undefined
      ? []
      : [{ path: "sallyport-boot/wpa_supplicant.conf", text: wifiText(wifi, wifiPassword), mode: SECRET }]),
  ];
}

/** Nothing is asked of the network that the site did not ask for: no LLMNR, no multicast DNS, no LLDP, no router's word on IPv6. */
function networkText({ network, dns, ntp, wifi }: SiteFile): string {
  const isDhcp = network === "dhcp";
  const named = isDhcp ? undefined : network.interface;
  const match = named === undefined ? `Type=${wifi === undefined ? "ether" : "wlan"}` : `Name=${named}`;
  const lines = [
    "[Match]",
    match,
    // Virtual interfaces are of the type ether, too.
    ...(named === undefined ? ["Kind=!*"] : []),
    "",
    "[Network]",
    `DHCP=${isDhcp ? "ipv4" : "no"}`,
    ...(isDhcp ? [] : [`Address=${network.address.address}/${network.address.prefix}`]),
    ...(isDhcp || network.gateway === undefined ? [] : [`Gateway=${network.gateway}`]),
    ...(dns ?? []).map((server) => `DNS=${server}`),
    ...(ntp ?? []).map((server) => `NTP=${server}`),
    "LinkLocalAddressing=ipv6",
    "IPv6AcceptRA=no",
    "LLDP=no",
    "LLMNR=no",
    "MulticastDNS=no",
  ];
  if (isDhcp) {
    lines.push(
      "",
      "[DHCPv4]",
      `UseDNS=${dns === undefined ? "yes" : "no"}`,
      `UseNTP=${ntp === undefined ? "yes" : "no"}`,
    );
    // The hostname is the site's; the network gets no say in it.
    lines.push("UseHostname=no");
  }
  return `${lines.join("\n")}\n`;
}

/** The name in hexadecimal and the key instead of the passphrase: nothing in them can be taken for syntax. */
function wifiText({ ssid, country }: NonNullable<SiteFile["wifi"]>, password: string): string {
  const key = pbkdf2Sync(password, ssid, PSK_ROUNDS, PSK_BYTES, "sha1").toString("hex");
  return [
    `country=${country}`,
    "network={",
    `  ssid=${Buffer.from(ssid).toString("hex")}`,
    "  key_mgmt=WPA-PSK",
    `  psk=${key}`,
    "}",
    "",
  ].join("\n");
}
