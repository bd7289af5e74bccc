/** That a board answers nobody: all its ports from beside it on its network, and the same scan once its door was opened. */
import { openCable } from "./cable.ts";
import { Life, type LifeOptions } from "./life.ts";
import { CONSOLE_PASSWORD } from "./outside.ts";
import { ALL_PORTS, type Ports, scanPorts } from "./port-scan.ts";

/** Opened by hand, to show that the scan would see it. */
const OPEN_PORT = 4_242;
const AROUND: Ports = { first: OPEN_PORT - 5, last: OPEN_PORT + 5 };
const LISTENER = [
  `require("net").createServer().listen(${OPEN_PORT}, "::")`,
  `const u = require("dgram").createSocket("udp6").bind(${OPEN_PORT}, "::")`,
  `u.on("message", (m, from) => u.send(m, from.port, from.address))`,
].join("; ");
const OPEN_DOOR = `nft flush ruleset; (node -e '${LISTENER}' &); until ss -Hlt | grep -q :${OPEN_PORT}; do sleep 1; done`;

/** Returns what is wrong. */
export async function proveSilence(options: LifeOptions, tell: (line: string) => void): Promise<readonly string[]> {
  const cable = await openCable();
  const life = await Life.begin(options, cable).catch(async (error: unknown) => {
    await cable.remove();
    throw error;
  });
  try {
    await life.powerOn();
    await life.sampleArrives();
    const faults: string[] = [];
    for (const address of cable.addresses) {
      const answers = await scanPorts(address, ALL_PORTS);
      tell(`${address}: all TCP and UDP ports knocked at, ${answers.length} answers`);
      faults.push(...answers.map((answer) => `${address} ${answer}`));
    }
    const dropped = await cable.dropped();
    if (dropped > 0) faults.push(`${dropped} knocks did not get to the board`);
    const found = await cable.neighbours();
    faults.push(...cable.addresses.filter((a) => !found.includes(a)).map((a) => `${a} was never there`));
    await life.machine.logIn(CONSOLE_PASSWORD);
    await life.machine.run(OPEN_DOOR);
    for (const address of cable.addresses) {
      const answers = await scanPorts(address, AROUND);
      tell(`control, with firewall and port ${OPEN_PORT} opened by hand: ${address}: ${answers.join(", ")}`);
      const expected = [`tcp ${OPEN_PORT} is open`, `udp ${OPEN_PORT} answers`, `tcp ${AROUND.last} refuses`];
      faults.push(...expected.filter((e) => !answers.includes(e)).map((e) => `the scan is blind: ${address} ${e}`));
    }
    return faults;
  } finally {
    await life.end();
    await cable.remove();
  }
}
