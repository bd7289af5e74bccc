/** Knocks at the ports of an address, and tells of each that answers: silence is all that a gateway may say. */
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { hostClock } from "../../core/clock.ts";

export interface Ports {
  readonly first: number;
  readonly last: number;
}

export const ALL_PORTS: Ports = { first: 1, last: 65_535 };

/** More would keep an emulated board busy with nothing else. */
const AT_ONCE = 1_000;
/** A neighbour that has something to say says it within this time. */
const WAIT_MS = 1_000;

/**
 * Each port over TCP and UDP: `tcp 22 is open`, `udp 53 refuses`. A UDP port that takes what comes and never answers
 * looks like none.
 * @param address of a neighbour; IPv6's own of a link with its interface, `fe80::1%eth0`
 */
export async function scanPorts(address: string, { first, last }: Ports): Promise<readonly string[]> {
  const answers: string[] = [];
  for (const [name, knock] of [
    ["tcp", knockTcp],
    ["udp", knockUdp],
  ] as const) {
    let next = first;
    const worker = async () => {
      while (next <= last) {
        const port = next++;
        const answer = await knock(address, port);
        if (answer !== undefined) answers.push(`${name} ${port} ${answer}`);
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, last - first + 1) }, worker));
  }
  return answers;
}

/** Undefined where nothing is said within the time. */
function knockTcp(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port });
    const settle = (answer?: string) => {
      timer.cancel();
      socket.destroy();
      resolve(answer);
    };
    const timer = hostClock.after(WAIT_MS, () => settle());
    socket.once("connect", () => settle("is open"));
    socket.once("error", (error: NodeJS.ErrnoException) => settle(inWords(error)));
  });
}

function knockUdp(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    // Only a connected one hears that a port refuses.
    const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
    const settle = (answer?: string) => {
      timer.cancel();
      socket.close();
      resolve(answer);
    };
    const timer = hostClock.after(WAIT_MS, () => settle());
    socket.once("message", () => settle("answers"));
    socket.once("error", (error: NodeJS.ErrnoException) => settle(inWords(error)));
    socket.once("connect", () => socket.send("?"));
    socket.connect(port, address);
  });
}

function inWords({ code, message }: NodeJS.ErrnoException): string {
  return code === "ECONNREFUSED" ? "refuses" : message;
}
