/**
 * A slow link for real processes: a network namespace whose only way out is paced by the kernel's token bucket filter, both
 * ways, with a queue as deep as a modem's. Needs root, `ip` and `tc`.
 */
import { execFile, spawnSync } from "node:child_process";
import process from "node:process";
import { promisify } from "node:util";

export interface SlowLink {
  /** Of this machine, as seen from inside. */
  readonly address: string;
  /** Put before a command, these run it inside. */
  readonly enter: readonly string[];
  remove(): Promise<void>;
}

/** One frame: less would hold frames back for ever. */
const BURST_BYTES = 1_600;
/** Seconds of such a link: what fills it delays everything behind it. */
const QUEUE_BYTES = 32_000;
/** 198.18.0.0/15 is set aside for benchmarks (RFC 2544). */
const NETWORK = "198.18";

const run = promisify(execFile);

/** @param id tells the links of one machine apart, from 0 to 65535; their addresses by its last byte only */
export async function openSlowLink(bitsPerS: number, id: number): Promise<SlowLink> {
  const namespace = `sallyport-${id}`;
  const [outside, inside] = [`sp${id}o`, `sp${id}i`];
  const subnet = `${NETWORK}.${id & 0xff}`;
  const [address, insideAddress] = [`${subnet}.1`, `${subnet}.2`];
  const deletion = ["netns", "delete", namespace];
  // Where the process is cut short nobody waits for a promise.
  const cut = () => void spawnSync("ip", deletion);
  const remove = async () => {
    process.off("exit", cut);
    await run("ip", deletion);
  };
  const pace = `root tbf rate ${bitsPerS}bit burst ${BURST_BYTES} limit ${QUEUE_BYTES}`;
  await run("ip", ["netns", "add", namespace]);
  process.once("exit", cut);
  try {
    for (const command of [
      `ip link add ${outside} type veth peer name ${inside} netns ${namespace}`,
      `ip address add ${address}/30 dev ${outside}`,
      `ip link set ${outside} up`,
      `ip -n ${namespace} address add ${insideAddress}/30 dev ${inside}`,
      `ip -n ${namespace} link set ${inside} up`,
      `ip -n ${namespace} link set lo up`,
      `tc qdisc add dev ${outside} ${pace}`,
      `tc -n ${namespace} qdisc add dev ${inside} ${pace}`,
    ]) {
      const [program = "", ...args] = command.split(" ");
      await run(program, args);
    }
  } catch (error) {
    await remove();
    throw error;
  }
  return { address, enter: ["ip", "netns", "exec", namespace], remove };
}
