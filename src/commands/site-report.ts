/** A site as `check` tells it: the board, its network, and all that its firewall will let out. */
import type { Passage } from "../config/network-plan.ts";
import type { CheckedSite } from "../config/site.ts";
import { listing } from "./listing.ts";

export function siteText(folder: string, { site, board, plan }: CheckedSite, columns: number): string {
  const { network, wifi, console: login } = site;
  const rows = [
    ["board", board.name],
    ["hostname", site.hostname],
    ["network", networkText(network)],
    ...(wifi === undefined ? [] : [["radio", `${wifi.ssid}, country ${wifi.country}`]]),
    ["console", login === undefined ? "nobody can log in" : `login with a password${onDevice(board.console)}`],
  ];
  return [
    `${folder}: no mistakes\n\n`,
    listing(rows, { columns, indent: 0, yielding: [1] }),
    "\nwhat it says on its network, and to whom\n",
    listing(plan.map(passageRow), { columns, indent: 2, yielding: [1, 2] }),
    "\n",
  ].join("");
}

function networkText(network: CheckedSite["site"]["network"]): string {
  if (network === "dhcp") return "address from DHCP";
  const { address, gateway } = network;
  const way = gateway === undefined ? "no way out of this network" : `by ${gateway}`;
  return `${address.address}/${address.prefix}, ${way}${network.interface === undefined ? "" : `, on ${network.interface}`}`;
}

function onDevice(device: string | undefined): string {
  return device === undefined ? "" : ` on ${device}`;
}

function passageRow({ protocol, port, to, why }: Passage): string[] {
  return [`${protocol} ${port}`, to, why];
}
