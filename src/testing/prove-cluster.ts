/**
 * `npm run prove:cluster -- --gateways 500`: a fleet at three RabbitMQ nodes that are killed in turn. Ends with 1 where
 * anything is missing, or a gateway is late. With `--queues classic`, as control, something must be missing. `--debian-13`
 * runs that release's RabbitMQ, as root; `--out FILE` keeps the figures of each node as JSON.
 */
import { writeFile } from "node:fs/promises";
import { parseArgs } from "node:util";
import { proveCluster } from "./cluster-proof.ts";
import { RECONNECT } from "./fleet.ts";
import { timedLines } from "./timed-lines.ts";

/** Short: fewer gateways, one kill, and a spread that a person can wait for. */
const LONG = { gateways: "500", processes: 3, kills: 3, phaseMs: 20_000, periodMs: 5_000, reconnect: RECONNECT };
const SHORT = {
  gateways: "60",
  processes: 1,
  kills: 1,
  phaseMs: 5_000,
  periodMs: 1_000,
  reconnect: { spreadMs: 8_000, maxMs: 30_000 },
};
/** The first attempt goes to the node that is away, the second to another one; each is spread. */
const ATTEMPTS = 2;
/** For the connections themselves, on a machine with other work. */
const CONNECTING_MS = 15_000;

const { values } = parseArgs({
  options: {
    gateways: { type: "string" },
    short: { type: "boolean", default: false },
    seed: { type: "string", default: "1" },
    queues: { type: "string", default: "quorum" },
    out: { type: "string" },
    "debian-13": { type: "boolean", default: false },
  },
});
const form = values.short ? SHORT : LONG;
const queueType = values.queues === "classic" ? "classic" : "quorum";
const gateways = Number(values.gateways ?? form.gateways);
if (values.queues !== queueType) throw new Error(`--queues takes quorum or classic, not ${values.queues}`);
if (!(gateways >= 1)) throw new Error(`--gateways takes a number from 1, not ${values.gateways}`);
const limitMs = ATTEMPTS * form.reconnect.spreadMs + CONNECTING_MS;
const seconds = (ms: number) => (ms / 1_000).toFixed(1);
const verdict = (holds: boolean) => (holds ? "pass" : "FAIL");
const tell = timedLines();

const proof = await proveCluster({
  ...form,
  gateways,
  queueType,
  seed: Number(values.seed),
  debian13: values["debian-13"],
  tell,
});
if (values.out !== undefined) {
  await writeFile(values.out, `${JSON.stringify({ gateways, queueType, ...proof }, undefined, 2)}\n`);
}
const { backMs, counted, missing, doubled } = proof;
const slowestMs = Math.max(...backMs);
const isBack = slowestMs <= limitMs;
const isWhole = missing.every((count) => count === 0);
tell(`all back after  ${seconds(slowestMs)} s at most, limit ${seconds(limitMs)} s  ${verdict(isBack)}`);
tell(`values counted  ${counted}; missing at each observer ${missing.join(", ")}; twice ${doubled.join(", ")}`);
const holds = counted > 0 && isWhole === (queueType === "quorum");
tell(queueType === "quorum" ? `nothing is missing  ${verdict(holds)}` : `the control misses some  ${verdict(holds)}`);
process.exitCode = isBack && holds ? 0 : 1;
