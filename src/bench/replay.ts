/**
 * How fast a backlog drains, and what it costs live values: `npm run bench:replay [-- --short] [--json]`.
 *
 * A backlog of realistic samples is read and acknowledged by the store alone, then through the real uplink over TLS to a
 * Mosquitto, without a subscriber and with one. Then a value is taken in every 100 ms while history drains, and timed at
 * the subscriber: on the loopback device, and as root on a link of 64 kbit/s. What drains is a process of its own.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, rm } from "node:fs/promises";
import { loadavg } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hostClock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import { writeCertificates } from "../testing/certificates.ts";
import { startMosquitto } from "../testing/mosquitto.ts";
import { unitEnvironment } from "../testing/process-figures.ts";
import { subscribe } from "../testing/subscriber.ts";
import { readCommandLine } from "./command-line.ts";
import { type Figure, hasMissed, reportText } from "./figure.ts";
import { makeBacklog } from "./replay-backlog.ts";
import type { DrainPlan, DrainResult } from "./replay-drain.ts";
import { figuresOfDrain, figuresOfLive } from "./replay-figures.ts";
import type { LivePlan, LiveResult } from "./replay-live.ts";
import { TOPIC } from "./replay-uplink.ts";
import { openScratch } from "./scratch.ts";
import { openSlowLink, type SlowLink } from "./slow-link.ts";

const USAGE = "npm run bench:replay [-- --short] [--json]";

interface Form {
  /** That wait, each time. */
  readonly samples: number;
  readonly liveValues: number;
}

const LONG: Form = { samples: 10_000_000, liveValues: 600 };
const SHORT: Form = { samples: 500_000, liveValues: 100 };

const SLOW_BITS_PER_S = 64_000;

const { values: options } = readCommandLine(USAGE, () =>
  parseArgs({ options: { short: { type: "boolean" }, json: { type: "boolean" } } }),
);
const form = options.short ? SHORT : LONG;
/** What drains is given the memory that the service gives itself. */
const environment = await unitEnvironment();
const dir = openScratch("replay");
const figures: Figure[] = [];
let folders = 0;
const certificates = await writeCertificates(join(dir, "tls"), hostClock);
const large = join(dir, "backlog");
await mkdir(large);
await makeBacklog(large, form.samples);
figures.push(...figuresOfDrain("store", await drain({ stateDir: await copyOf(large) })));
// All addresses: the slow link has one of its own.
const broker = await startMosquitto({ certificates, address: "0.0.0.0" });
try {
  const through = { url: broker.url, certificates };
  figures.push(...figuresOfDrain("uplink", await drain({ stateDir: await copyOf(large), broker: through })));
  const reader = await subscribe(broker.url, { certificates, onMessage: () => undefined });
  const read = await drain({ stateDir: await copyOf(large), broker: through }).finally(() => reader.close());
  figures.push(...figuresOfDrain("uplink_read", read));
  figures.push(...(await live("loopback", large, undefined)));
  figures.push(...(await liveOnSlowLink(large)));
} finally {
  await broker.close();
}
const report = { loadAverage: loadavg()[0] ?? Number.NaN, figures };
process.stdout.write(reportText(report, options.json));
process.exitCode = hasMissed(figures) ? 1 : 0;

/** Each run drains a copy, so that all have the same before them. */
async function copyOf(backlog: string): Promise<string> {
  const copy = join(dir, `${++folders}`);
  await cp(backlog, copy, { recursive: true });
  return copy;
}

async function drain(plan: DrainPlan): Promise<DrainResult> {
  const told = await runProgram("./replay-drain.ts", plan);
  await rm(plan.stateDir, { recursive: true });
  return JSON.parse(told);
}

async function liveOnSlowLink(backlog: string): Promise<Figure[]> {
  let link: SlowLink;
  try {
    link = await openSlowLink(SLOW_BITS_PER_S, process.pid & 0xffff);
  } catch (error) {
    process.stderr.write(`SKIPPED: the link of 64 kbit/s needs root, ip and tc: ${messageOf(error)}\n`);
    return [];
  }
  try {
    return await live("64kbit", backlog, link);
  } finally {
    await link.remove();
  }
}

async function live(name: string, backlog: string, link: SlowLink | undefined): Promise<Figure[]> {
  // By the moment of its taking in: what comes twice must not stand for what never came.
  const delaysMs = new Map<number, number>();
  const subscriber = await subscribe(broker.url, {
    certificates,
    clientId: `subscriber-${name}`,
    topics: [`${TOPIC}/data`],
    onMessage: ({ payload }) => {
      const nowMs = hostClock.monotonicMs();
      const { values }: { readonly values: readonly { readonly v: number }[] } = JSON.parse(payload.toString());
      for (const { v } of values) if (!delaysMs.has(v)) delaysMs.set(v, nowMs - v);
    },
  });
  const server = `mqtts://${link?.address ?? "localhost"}:${broker.port}`;
  const plan: LivePlan = { stateDir: await copyOf(backlog), server, certificates, values: form.liveValues };
  try {
    const result: LiveResult = JSON.parse(await runProgram("./replay-live.ts", plan, link?.enter));
    return figuresOfLive(name, result, [...delaysMs.values()]);
  } finally {
    await subscriber.close();
    await rm(plan.stateDir, { recursive: true });
  }
}

/** @returns what it printed */
async function runProgram(file: string, plan: unknown, enter: readonly string[] = []): Promise<string> {
  const program = fileURLToPath(new URL(file, import.meta.url));
  const node = [process.execPath, "--import", "tsx", program, JSON.stringify(plan)];
  const env = { ...process.env, ...environment };
  // setpriv: it ends with this process, however this one ends.
  const child = spawn("setpriv", ["--pdeathsig", "KILL", ...enter, ...node], {
    stdio: ["ignore", "pipe", "inherit"],
    env,
  });
  const [told, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  if (code !== 0) throw new Error(`${file} ended with ${code}`);
  return told;
}
