/** What each peer is put through. */
import { loadavg } from "node:os";
import { hostClock, sleep } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import type { Peer } from "./peer.ts";
import { PeerSiteRun, type Workshop } from "./peer-site.ts";
import {
  DEAD_UNIT,
  type Form,
  FULL_SCAN_MS,
  LINES,
  type PeerKey,
  RESPONSE_TIMEOUT_MS,
  SCAN_MS,
  SLOW,
  type StageKey,
  VALUES_PER_SCAN,
  WIRE_MS_PER_REGISTER,
} from "./plan.ts";
import { isWanted, percentile, type Served, type Span } from "./tally.ts";

/** By name; what a stage does not measure is not there. */
export type Figures = Readonly<Record<string, number>>;

export interface StageResult {
  readonly peer: PeerKey;
  readonly stage: StageKey;
  readonly figures: Figures;
  /** Of the machine, at the end of the stage; reports that were kept may lack it. */
  readonly loadAverage?: number;
  /** Why it came to no end. */
  readonly failed?: string;
  /** The peer was gone at the end, and nobody had ended it: its last words. What it had not sent is counted as it is. */
  readonly gone?: string;
}

const SETTLE_LOOK_MS = 1_000;

type Stage = (site: PeerSiteRun, form: Form) => Promise<Figures>;

const STAGE: Readonly<Record<StageKey, Stage>> = {
  steady: async (site, form) => {
    await site.start(SCAN_MS);
    return evenly(site, form.warmUpMs, form.steadyMs);
  },
  full: async (site, form) => {
    await site.start(FULL_SCAN_MS);
    return evenly(site, form.warmUpMs, form.fullMs);
  },
  dead: oneDead,
  late: lateReplies,
  "broker-stop": (site, form) =>
    outage(site, form, {
      begin: () => site.broker.stop(),
      end: () => site.broker.start(),
    }),
  frozen: (site, form) =>
    outage(site, form, {
      begin: async () => site.proxy.freeze(),
      end: async () => site.proxy.thaw(),
    }),
  kill: (site, form) =>
    outage(site, form, {
      begin: () => site.broker.stop(),
      async halfway() {
        await site.process.kill();
        // The reply to its last request comes to a port that nobody has open.
        await sleep(hostClock, RESPONSE_TIMEOUT_MS);
        for (const line of site.lines) line.flush();
        site.restart();
      },
      end: () => site.broker.start(),
    }),
};

export async function runStage(peer: Peer, stage: StageKey, form: Form, workshop: Workshop): Promise<StageResult> {
  const result = (figures: Figures) => ({ peer: peer.key, stage, figures, loadAverage: loadavg()[0] ?? Number.NaN });
  let site: PeerSiteRun | undefined;
  try {
    site = await PeerSiteRun.open(peer, stage, workshop);
    const figures = await STAGE[stage](site, form);
    return { ...result(figures), ...(!site.process.isRunning() && { gone: site.lastWords() }) };
  } catch (thrown) {
    return { ...result({}), failed: messageOf(thrown) };
  } finally {
    await site?.close();
  }
}

/** It runs; what the kernel, the wire and the subscriber say of a while of it. */
async function evenly(site: PeerSiteRun, warmUpMs: number, windowMs: number): Promise<Figures> {
  await sleep(hostClock, warmUpMs);
  const cpuBeforeS = await site.cpuS();
  for (const line of site.lines) line.begin();
  const span = await watched(windowMs);
  const counts = await Promise.all(site.lines.map((line) => line.end()));
  const cpuS = (await site.cpuS()) - cpuBeforeS;
  const residentMB = await site.residentMB();
  const { latenciesMs, wrong } = await site.tally(span);
  const served = (await site.served()).filter(({ atMs }) => atMs >= span.fromMs && atMs < span.toMs);
  const spanMs = span.toMs - span.fromMs;
  const arrived = site.arrivals.filter(({ atMs }) => atMs >= span.fromMs && atMs < span.toMs).length;
  return {
    cpuSPer1000Transactions: (cpuS * 1_000) / served.length,
    cpuSPer1000Values: (cpuS * 1_000) / arrived,
    cpuPercent: (cpuS * 100_000) / spanMs,
    residentMB,
    valuesPerS: (arrived * 1_000) / spanMs,
    latencyP50Ms: percentile(latenciesMs, 0.5),
    latencyP99Ms: percentile(latenciesMs, 0.99),
    carried: (wantedOf(served) * WIRE_MS_PER_REGISTER) / (LINES * spanMs),
    requests: counts.reduce((sum, { requests }) => sum + requests, 0),
    violations: counts.reduce((sum, { violations }) => sum + violations, 0),
    wrong,
  };
}

async function oneDead(site: PeerSiteRun, form: Form): Promise<Figures> {
  await site.start(SCAN_MS);
  for (const line of site.lines) line.silence(DEAD_UNIT);
  await sleep(hostClock, form.dyingMs);
  const { fromMs, toMs } = await watched(form.deadMs);
  const others = site.arrivals.filter(({ unit, atMs }) => unit !== DEAD_UNIT && atMs >= fromMs && atMs < toMs);
  return { othersPerS: (others.length * 1_000) / (toMs - fromMs) };
}

async function lateReplies(site: PeerSiteRun, form: Form): Promise<Figures> {
  await site.start(SCAN_MS);
  await sleep(hostClock, form.warmUpMs);
  for (const line of site.lines) line.late(SLOW.unit, SLOW.every, SLOW.byMs);
  const span = await watched(form.lateMs);
  const { wrong } = await site.tally(span);
  const arrived = site.arrivals.filter(({ atMs }) => atMs >= span.fromMs && atMs < span.toMs);
  const asked = (await site.served()).filter(
    ({ unit, atMs }) => unit === SLOW.unit && atMs >= span.fromMs && atMs < span.toMs,
  );
  return { wrong, arrived: arrived.length, askedOfSlow: asked.length };
}

interface Trouble {
  begin(): Promise<void>;
  halfway?(): Promise<void>;
  end(): Promise<void>;
}

/** Live before, during and after; then the devices fall silent, and what is still to come has its time. */
async function outage(site: PeerSiteRun, form: Form, trouble: Trouble): Promise<Figures> {
  await site.start(SCAN_MS);
  const fromMs = hostClock.monotonicMs();
  await sleep(hostClock, form.aroundMs);
  await trouble.begin();
  await sleep(hostClock, form.outageMs / 2);
  await trouble.halfway?.();
  await sleep(hostClock, form.outageMs / 2);
  await trouble.end();
  const endedMs = hostClock.monotonicMs();
  await sleep(hostClock, form.aroundMs);
  site.fallSilent();
  const span = { fromMs, toMs: hostClock.monotonicMs() };
  await settled(site, form, endedMs, span.toMs);
  const { latenciesMs, ...counts } = await site.tally(span);
  const first = site.arrivals.find(({ atMs }) => atMs > endedMs);
  const backMs = first === undefined ? {} : { backMs: first.atMs - endedMs };
  return { ...counts, ...backMs };
}

/**
 * Nothing comes any more from a peer that is connected, or it takes too long. Where all is there it is no other: what
 * comes twice may still come.
 */
async function settled(site: PeerSiteRun, form: Form, endedMs: number, silentMs: number): Promise<void> {
  let sinceMs = silentMs;
  for (let nowMs = sinceMs; nowMs - endedMs < form.settleMs; nowMs = hostClock.monotonicMs()) {
    sinceMs = site.proxy.open() === 0 ? nowMs : Math.max(sinceMs, site.arrivals.at(-1)?.atMs ?? 0);
    if (nowMs - sinceMs > form.quietMs) return;
    await sleep(hostClock, SETTLE_LOOK_MS);
  }
}

async function watched(forMs: number): Promise<Span> {
  const fromMs = hostClock.monotonicMs();
  await sleep(hostClock, forMs);
  return { fromMs, toMs: hostClock.monotonicMs() };
}

function wantedOf(served: readonly Served[]): number {
  const wanted = ({ register, quantity }: Served) =>
    Array.from({ length: quantity }, (_, i) => register + i).filter(isWanted).length;
  return served.reduce((sum, each) => sum + wanted(each), 0);
}

/** What was asked for each second at `SCAN_MS`, and in `full`. */
export const ASKED_PER_S = (VALUES_PER_SCAN * 1_000) / SCAN_MS;
export const FULL_ASKED_PER_S = Math.round((VALUES_PER_SCAN * 1_000) / FULL_SCAN_MS);
