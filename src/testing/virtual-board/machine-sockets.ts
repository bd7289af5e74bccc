/** Every socket of a whole board on which something could arrive that nobody asked for, each with its reason. */

/** Prints them, at a console. */
export const LIST_SOCKETS = "ss -Hlntup; ss -Hanw0p; ss -Hlx";

/** What may be there: the kind that `ss` calls it, where it listens, and why. */
const ALLOWED: readonly { readonly kind: string; readonly at: RegExp; readonly why: string }[] = [
  { kind: "udp", at: /%\w+:68$/, why: "networkd renews the address; the firewall lets in DHCP replies only" },
  { kind: "u_str", at: /^\/run\/systemd\/private$/, why: "systemctl speaks to systemd; root only" },
  { kind: "u_str", at: /^\/run\/systemd\/journal\//, why: "programs of the board write to the log" },
  { kind: "u_str", at: /^\/run\/systemd\/userdb\//, why: "systemd tells names of users that exist for a service" },
  { kind: "u_str", at: /^\/run\/systemd\/io\.systemd\.ManagedOOM$/, why: "systemd's own, about memory" },
  { kind: "u_str", at: /^\/run\/systemd\/resolve\//, why: "programs of the board ask resolved; none does" },
  { kind: "u_str", at: /^\/run\/systemd\/netif\//, why: "networkctl speaks to networkd; root only" },
  { kind: "u_seq", at: /^\/run\/udev\/control$/, why: "udevadm speaks to udev; root only" },
];

/** @param listing what LIST_SOCKETS printed */
export function unexpectedSockets(listing: string): readonly string[] {
  const sockets = listing
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields.length > 1);
  if (sockets.length === 0) return ["no socket was seen at all, not even systemd's"];
  return sockets
    .filter(([kind, , , , at = ""]) => !ALLOWED.some((allowed) => allowed.kind === kind && allowed.at.test(at)))
    .map((fields) => fields.join(" "));
}
