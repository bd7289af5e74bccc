/**
 * Takes values in while history drains through the real uplink, in a process of its own that may live behind a slow
 * link. Prints the measure of the empty link, and how many values were taken in, as JSON.
 */
import { argv, stdout } from "node:process";
import { hostClock, sleep } from "../core/clock.ts";
import type { Connection } from "../pipeline.ts";
import type { Certificates } from "../testing/certificates.ts";
import type { MqttTransport } from "../uplinks/mqtt-transport.ts";
import { median } from "./noise.ts";
import { openBacklog, UPLINK } from "./replay-backlog.ts";
import { openReplayUplink, STAMP, TOPIC } from "./replay-uplink.ts";

export interface LivePlan {
  readonly stateDir: string;
  readonly server: string;
  readonly certificates: Certificates;
  /** Fewer where the backlog ends before. */
  readonly values: number;
}

export interface LiveResult {
  /** Medians over the empty link: a small message until its acknowledgement, and what 4 kB take longer. */
  readonly roundTripMs: number;
  readonly messageMs: number;
  readonly taken: number;
  /** Samples of history acknowledged meanwhile. */
  readonly replayed: number;
}

export const VALUE_EVERY_MS = 100;

const PROBES = 7;
const SMALL_BYTES = 64;
const MESSAGE_BYTES = 4_096;
/** Until TCP knows a slow link, and history its pace; a fast one is through at once. */
const SETTLE_SAMPLES = 200;
/** Beyond this they will not come at all. */
const SETTLE_LIMIT_MS = 120_000;
/** As long as so much waits, history goes on. */
const BACKLOG_MIN = 5_000;
/** The last value is on its way for less. */
const LAST_ARRIVES_MS = 3_000;
const LOOK_MS = 20;

const plan: LivePlan = JSON.parse(argv[2] ?? "");
const { server, certificates } = plan;
const { outbox, state } = await openBacklog(plan.stateDir, { clock: hostClock, worker: "thread" });
const queue = outbox.uplink(UPLINK, "now");
const { uplink, transport, values } = openReplayUplink({ outbox, state, certificates, server });
const { roundTripMs, messageMs } = await measureLink(transport);
uplink.start();
const settlingMs = hostClock.monotonicMs();
while (uplink.report().replayed < SETTLE_SAMPLES) {
  const { replayed, state } = uplink.report();
  if (hostClock.monotonicMs() - settlingMs > SETTLE_LIMIT_MS)
    throw new Error(`${replayed} came, the uplink is ${state}`);
  await sleep(hostClock, LOOK_MS);
}
const replayedBefore = uplink.report().replayed;
const startMs = hostClock.monotonicMs();
let taken = 0;
while (taken < plan.values && queue.depth() > BACKLOG_MIN) {
  values.set(STAMP, hostClock.monotonicMs());
  taken += 1;
  await sleep(hostClock, startMs + taken * VALUE_EVERY_MS - hostClock.monotonicMs());
}
const replayed = uplink.report().replayed - replayedBefore;
await sleep(hostClock, LAST_ARRIVES_MS);
await uplink.stop();
await outbox.close();
const result: LiveResult = { roundTripMs, messageMs, taken, replayed };
stdout.write(JSON.stringify(result));

async function measureLink(by: MqttTransport): Promise<Pick<LiveResult, "roundTripMs" | "messageMs">> {
  const topic = `${TOPIC}/probe`;
  const will = { topic, payload: new Uint8Array(), qos: 0, retain: false } as const;
  const connection = await by.connect({ server, clientId: "replay-probe", keepAliveMs: 60_000, will });
  const small = await acknowledgedMs(connection, topic, SMALL_BYTES);
  const large = await acknowledgedMs(connection, topic, MESSAGE_BYTES);
  await connection.close();
  return { roundTripMs: small, messageMs: Math.max(0, large - small) };
}

async function acknowledgedMs(connection: Connection, topic: string, bytes: number): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < PROBES; i++) {
    const sentMs = hostClock.monotonicMs();
    await connection.publish({ topic, payload: new Uint8Array(bytes), qos: 1, retain: false });
    times.push(hostClock.monotonicMs() - sentMs);
  }
  return median(times);
}
