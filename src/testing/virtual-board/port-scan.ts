/** A board seen by a neighbour on its own network: nothing answers at any port. Needs root, for the network's cable. */
import { execFile } from "node:child_process";
import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { promisify } from "node:util";
import { hostClock, sleep } from "../../core/clock.ts";

export interface ScanReport {
  /** That the board was there at all: it said so when asked for its address. */
  readonly isNeighbour: boolean;
  /** `tcp 22 open`, `tcp 22 refuses`: each is an answer, and there must be none. */
  readonly answers: readonly string[];
}

export interface Cable {
  /** For QEMU. */
  readonly name: string;
  /** The board's own hardware address on it. */
  readonly hardware: string;
  scan(): Promise<ScanReport>;
  remove(): Promise<void>;
}

const run = promisify(execFile);
const NAME = "sallyport-scan";
const HARDWARE = "52:54:00:5a:11:01";
/** What IPv6 makes of that address (RFC 4291, appendix A). */
const ADDRESS = "fe80::5054:ff:fe5a:1101";
const PORTS = 65_535;
const AT_ONCE = 1_000;
const WAIT_MS = 500;
const UDP_WAIT_MS = 3_000;
const SETTLE_MS = 3_000;

/** @throws where this user may not make one */
export async function openCable(): Promise<Cable> {
  await run("ip", ["tuntap", "add", "dev", NAME, "mode", "tap"]);
  await run("ip", ["link", "set", NAME, "up"]);
  return {
    name: NAME,
    hardware: HARDWARE,
    async scan() {
      await sleep(hostClock, SETTLE_MS);
      const answers = [...(await scanTcp()), ...(await scanUdp())];
      const { stdout } = await run("ip", ["-6", "neighbour", "show", "dev", NAME]);
      const isNeighbour = stdout.includes(HARDWARE);
      return { isNeighbour, answers };
    },
    remove: async () => {
      await run("ip", ["link", "delete", NAME]);
    },
  };
}

async function scanTcp(): Promise<readonly string[]> {
  const answers: string[] = [];
  let next = 1;
  const worker = async () => {
    while (next <= PORTS) {
      const port = next++;
      const answer = await knock(port);
      if (answer !== undefined) answers.push(`tcp ${port} ${answer}`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return answers;
}

/** What a port says within the time; undefined where it says nothing. */
function knock(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: `${ADDRESS}%${NAME}`, port, family: 6 });
    const settle = (answer: string | undefined) => {
      timer.cancel();
      socket.destroy();
      resolve(answer);
    };
    const timer = hostClock.after(WAIT_MS, () => settle(undefined));
    socket.once("connect", () => settle("is open"));
    socket.once("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNREFUSED") settle("refuses");
      else settle(error.code === "EHOSTUNREACH" ? undefined : error.message);
    });
  });
}

async function scanUdp(): Promise<readonly string[]> {
  const answers: string[] = [];
  const socket = createSocket("udp6");
  socket.on("message", (_, from) => answers.push(`udp ${from.port} answers`));
  for (let port = 1; port <= PORTS; port++) {
    await new Promise<void>((resolve) => socket.send("?", port, `${ADDRESS}%${NAME}`, () => resolve()));
  }
  await sleep(hostClock, UDP_WAIT_MS);
  socket.close();
  return answers;
}
