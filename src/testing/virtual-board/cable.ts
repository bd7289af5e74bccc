/** A network with two ends, this machine and a board: whoever is on it may knock at the board. Needs root. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";

export interface Cable {
  /** This machine's interface, for QEMU. */
  readonly name: string;
  /** The board's own hardware address. */
  readonly hardware: string;
  /** Of this machine. */
  readonly host: string;
  /** For site.yaml. */
  readonly network: string;
  /** Of the board, from here. */
  readonly addresses: readonly string[];
  /** Of the board's addresses, those at which it was found. */
  neighbours(): Promise<readonly string[]>;
  /** How many packets to the board were dropped on their way. */
  dropped(): Promise<number>;
  remove(): Promise<void>;
}

const run = promisify(execFile);
const NAME = "sallyport-scan";
const HARDWARE = "52:54:00:5a:11:01";
/** What IPv6 makes of that address (RFC 4291, appendix A). */
const LINK_LOCAL = `fe80::5054:ff:fe5a:1101%${NAME}`;
/** Set aside for tests of devices (RFC 2544). */
const HOST = "198.18.77.1";
const BOARD = "198.18.77.2";
const PREFIX = 24;
/** Packets that wait for an emulated board, which is slow. */
const QUEUE = "10000";

/** @throws where this user may not make one */
export async function openCable(): Promise<Cable> {
  await run("ip", ["tuntap", "add", "dev", NAME, "mode", "tap"]);
  await run("ip", ["address", "add", `${HOST}/${PREFIX}`, "dev", NAME]);
  await run("ip", ["link", "set", NAME, "txqueuelen", QUEUE, "up"]);
  const addresses = [BOARD, LINK_LOCAL];
  return {
    ...{ name: NAME, hardware: HARDWARE, host: HOST, addresses },
    network: `{ address: ${BOARD}/${PREFIX}, gateway: ${HOST} }`,
    async neighbours() {
      const { stdout } = await run("ip", ["neighbour", "show", "dev", NAME]);
      const found = stdout.split("\n").filter((line) => line.includes(HARDWARE));
      return addresses.filter((address) => found.some((line) => line.startsWith(`${address.split("%")[0]} `)));
    },
    async dropped() {
      const { stdout } = await run("ip", ["-json", "-statistics", "link", "show", "dev", NAME]);
      const [link] = JSON.parse(stdout) as [{ readonly stats64: { readonly tx: { readonly dropped: number } } }];
      return link.stats64.tx.dropped;
    },
    remove: async () => {
      await run("ip", ["link", "delete", NAME]);
    },
  };
}
