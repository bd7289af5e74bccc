/** One soak from its first part to its verdict. */
import { spawnSync } from "node:child_process";
import { appendFileSync, writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { type IntervalHistogram, monitorEventLoopDelay } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { hostClock, sleep } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import { seededRandom } from "../../core/random.ts";
import { openScratch, removeAtExit } from "../scratch.ts";
import { type Look, lookFromInside, lookFromOutside } from "./look.ts";
import { drawPlan, type PlannedTrouble, troubleWords } from "./plan.ts";
import { COUNTED_FILE, RECORD_FILE, reportOn, STORY_FILE } from "./report.ts";
import { RESPONSE_TIMEOUT_MS } from "./soak-plant.ts";
import { SIZE, SoakSite, UPLINKS } from "./soak-site.ts";
import type { Counted } from "./verdict.ts";

export interface SoakOptions {
  readonly durationMs: number;
  readonly seed: number;
  /** Gets the record; must exist. */
  readonly out: string;
}

const LOOK_EVERY_MS = 5_000;
/** A record has at most so many lines. */
const LOOKS_MAX = 20_000;
const REPORT_EVERY_MS = 60_000;
const TICK_MS = 200;
/** Beyond this it is not late but lost, on a busy machine too. */
const CATCH_UP_LIMIT_MS = 600_000;
/** Some scans of the counter. */
const INPUTS_TOLD_LIMIT_MS = 30_000;
const LOOP_RESOLUTION_MS = 10;
const NS_PER_MS = 1e6;
/** Load average beyond which what takes long may be waiting for its turn. */
const BUSY_PER_CORE = 2;
/** A reply may come late by what a process was held up for: beyond this nobody is asked for it. */
const HELD_UP_MS = RESPONSE_TIMEOUT_MS / 2;
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** @returns whether it failed */
export async function runSoak(options: SoakOptions): Promise<boolean> {
  // Beside node_modules, where the addons of the bundle are found.
  const dist = await mkdtemp(join(ROOT, "node_modules", ".soak-"));
  removeAtExit(dist);
  const soak = new Soak(options, dist);
  openScratch("soak-parts", (exitCode) => {
    if (soak.isStopping) process.exit(exitCode);
    soak.stop("told to stop");
  });
  try {
    await soak.run();
  } catch (error) {
    soak.tell(`ended by an error: ${messageOf(error)}`);
    return true;
  }
  const { text, failed } = await reportOn(options.out);
  process.stdout.write(text);
  return failed;
}

class Soak {
  readonly #options: SoakOptions;
  readonly #dist: string;
  readonly #lookEveryMs: number;
  readonly #loop: IntervalHistogram = monitorEventLoopDelay({ resolution: LOOP_RESOLUTION_MS });
  readonly #startMs = hostClock.monotonicMs();
  #stopping = "";
  #trouble = "";
  /** undefined while not all is there again. */
  #quietSinceMs: number | undefined;
  /** After a trouble, until all was there; of the judged ones those on a machine that was not too busy. */
  readonly #recoveriesS: { readonly all: number[]; readonly judged: number[] } = { all: [], judged: [] };
  /** Replies that may have come after their time. */
  #late = 0;
  /** A restart is on: no process is no fault. */
  #mayBeGone = false;

  constructor(options: SoakOptions, dist: string) {
    this.#options = options;
    this.#dist = dist;
    this.#lookEveryMs = Math.max(LOOK_EVERY_MS, options.durationMs / LOOKS_MAX);
  }

  get isStopping(): boolean {
    return this.#stopping !== "";
  }

  stop(why: string): void {
    this.#stopping ||= why;
  }

  tell(line: string): void {
    const text = `${this.#s().toFixed(0).padStart(6)} s  ${line}\n`;
    process.stdout.write(text);
    appendFileSync(join(this.#options.out, STORY_FILE), text);
  }

  async run(): Promise<void> {
    const { durationMs, seed, out } = this.#options;
    for (const file of [STORY_FILE, RECORD_FILE, COUNTED_FILE]) writeFileSync(join(out, file), "");
    const size = { durationMs, lines: SIZE.lines, devicesPerLine: SIZE.devicesPerLine, uplinks: UPLINKS.length };
    const plan = drawPlan(size, seededRandom(seed));
    this.tell(`seed ${seed}, ${(durationMs / 3_600_000).toFixed(2)} h, ${plan.length} troubles, into ${out}`);
    for (const each of plan) this.tell(`  at ${(each.atMs / 1_000).toFixed(0)} s: ${troubleWords(each)}`);
    const program = await this.#bundle();
    const folder = join(out, "site");
    await rm(folder, { recursive: true, force: true });
    const site = await SoakSite.open({ folder, ...program, seed, lookEveryMs: this.#lookEveryMs });
    if (site.inputs === undefined) this.tell("SKIPPED: pins need root and unshare(1), for a /dev of their own");
    this.#loop.enable();
    let isOver = false;
    const looking = this.#lookOn(site, () => isOver);
    try {
      await site.startGateway();
      await this.#play(site, plan, durationMs);
      await this.#closeTheBooks(site);
    } catch (error) {
      this.tell(`${messageOf(error)}; the gateway's last words: ${site.log().slice(-2_000)}`);
      site.faults.add("ended early", messageOf(error));
    } finally {
      isOver = true;
      await looking;
      this.#write(site);
      for (const line of site.faults.lines()) this.tell(line);
      await site.close();
    }
  }

  async #bundle(): Promise<{ readonly program: string; readonly probe: string }> {
    const made = spawnSync(process.execPath, [join(ROOT, "scripts", "build.mjs"), this.#dist], { encoding: "utf8" });
    if (made.status !== 0) throw new Error(`the bundle was not made: ${made.stderr}`);
    const probe = join(this.#dist, "soak", "probe.mjs");
    await mkdir(join(this.#dist, "soak"));
    const entry = fileURLToPath(new URL("probe.ts", import.meta.url));
    const form = { bundle: true, platform: "node", format: "esm", logLevel: "warning" } as const;
    await build({ entryPoints: [entry], outfile: probe, ...form });
    return { program: join(this.#dist, "sallyport.mjs"), probe };
  }

  async #play(site: SoakSite, plan: readonly PlannedTrouble[], durationMs: number): Promise<void> {
    await this.#allThere(site, "the start");
    for (const trouble of plan) {
      await this.#waitUntil(trouble.atMs);
      if (this.isStopping) break;
      this.#trouble = trouble.kind;
      this.#quietSinceMs = undefined;
      this.#mayBeGone = trouble.kind === "gateway restarted";
      await site.begin(trouble);
      await this.#waitUntil(this.#s() * 1_000 + trouble.forMs);
      await site.end(trouble);
      this.#mayBeGone = false;
      this.#trouble = "";
      await this.#allThere(site, troubleWords(trouble));
    }
    await this.#waitUntil(durationMs);
    if (!this.isStopping) return;
    this.tell(this.#stopping);
    site.faults.add("cut short", `${this.#s().toFixed(0)} of ${(durationMs / 1_000).toFixed(0)} s: ${this.#stopping}`);
  }

  async #closeTheBooks(site: SoakSite): Promise<void> {
    site.plant.fallSilent();
    site.inputs?.rest();
    await this.#allThere(site, "the end");
    await this.#inputsTold(site);
    this.#judgeInputs(site);
    this.#mayBeGone = true;
    await site.stopGateway();
    const goneMs = hostClock.monotonicMs();
    const isOffline = () => site.uplinks.every(({ farEnd }) => !farEnd.isOnline());
    while (!isOffline() && hostClock.monotonicMs() - goneMs < CATCH_UP_LIMIT_MS) await sleep(hostClock, TICK_MS);
    if (!isOffline()) site.faults.add("no goodbye", "a far end still takes the gateway for online");
    for (const { farEnd, name } of site.uplinks) {
      for (const violation of farEnd.violations()) site.faults.add("order of sessions", `${name}: ${violation}`);
    }
  }

  /** A counter is told at its scan, which may be a second after its last pulse. */
  async #inputsTold({ inputs, uplinks }: SoakSite): Promise<void> {
    if (inputs === undefined) return;
    const sinceMs = hostClock.monotonicMs();
    const isTold = () => uplinks.every(({ farEnd }) => Number(farEnd.inputs.value("energy")) === inputs.pulses);
    while (!isTold() && hostClock.monotonicMs() - sinceMs < INPUTS_TOLD_LIMIT_MS) await sleep(hostClock, TICK_MS);
  }

  #judgeInputs({ inputs, uplinks, faults }: SoakSite): void {
    if (inputs === undefined) return;
    for (const { name, farEnd } of uplinks) {
      const door = farEnd.inputs.value("door");
      const energy = farEnd.inputs.value("energy");
      this.tell(`${name}: ${farEnd.inputs.told} values of inputs; door ${door}, energy ${energy}`);
      if (door !== inputs.door) faults.add("inputs", `${name}: the door is ${inputs.door}, told was ${door}`);
      if (Number(energy) !== inputs.pulses)
        faults.add("inputs", `${name}: ${inputs.pulses} pulses, told were ${energy}`);
    }
  }

  /** All that was served up to now. */
  async #allThere(site: SoakSite, after: string): Promise<void> {
    const sinceMs = hostClock.monotonicMs();
    const upTo = site.plant.newest();
    while (!site.hasAll(upTo)) {
      if (hostClock.monotonicMs() - sinceMs > CATCH_UP_LIMIT_MS) {
        const holes = site.uplinks.flatMap(({ book }) => book.holes(upTo));
        site.faults.add(
          "not all there",
          `after ${after}: ${holes.length} holes, first ${holes.slice(0, 5).join("; ")}`,
        );
        this.tell(`after ${after}: ${holes.length} holes, first ${holes.slice(0, 5).join("; ")}`);
        this.tell(`the gateway's last words: ${site.log().slice(-1_000)}`);
        return;
      }
      await sleep(hostClock, TICK_MS);
    }
    const tookS = (hostClock.monotonicMs() - sinceMs) / 1_000;
    const isBusy = (loadavg()[0] ?? 0) > BUSY_PER_CORE * cpus().length;
    this.#recoveriesS.all.push(tookS);
    if (!isBusy) this.#recoveriesS.judged.push(tookS);
    this.#quietSinceMs = hostClock.monotonicMs();
    const { live, history } = this.#counted(site);
    const busy = isBusy ? "; the machine is too busy to judge that" : "";
    this.tell(`after ${after}: all there in ${tookS.toFixed(1)} s (live ${live}, history ${history})${busy}`);
  }

  async #waitUntil(ms: number): Promise<void> {
    while (!this.isStopping && this.#s() * 1_000 < ms) await sleep(hostClock, TICK_MS);
  }

  async #lookOn(site: SoakSite, isOver: () => boolean): Promise<void> {
    let reportedMs = 0;
    let nextMs = hostClock.monotonicMs() + this.#lookEveryMs;
    while (!isOver()) {
      await sleep(hostClock, Math.min(TICK_MS, Math.max(0, nextMs - hostClock.monotonicMs())));
      if (hostClock.monotonicMs() < nextMs) continue;
      nextMs += this.#lookEveryMs;
      const look = await this.#look(site);
      appendFileSync(join(this.#options.out, RECORD_FILE), `${JSON.stringify(look)}\n`);
      const isGone = look.rssBytes === undefined && site.pid !== 0;
      if (isGone && !this.#mayBeGone && site.life > 0) {
        site.faults.add("gone", "the gateway ended by itself");
        this.stop(`the gateway ended by itself: ${site.log().slice(-2_000)}`);
      }
      if (hostClock.monotonicMs() - reportedMs < REPORT_EVERY_MS) continue;
      reportedMs = hostClock.monotonicMs();
      this.#write(site);
      await reportOn(this.#options.out);
    }
  }

  async #look(site: SoakSite): Promise<Look> {
    const delays = site.uplinks.map(({ name, book: { delays } }) => {
      const { count: values, maxMs } = delays;
      const seen = { values, p50Ms: delays.quantileMs(0.5), p99Ms: delays.quantileMs(0.99), maxMs };
      delays.reset();
      return [name, seen] as const;
    });
    const inside = site.lifeS * 1_000 > 2 * this.#lookEveryMs ? await lookFromInside(site.probeFile) : undefined;
    const proverLoopDelayP99Ms = Math.max(0, this.#loop.percentile(99) / NS_PER_MS - LOOP_RESOLUTION_MS);
    this.#forgiveLate(site, Math.max(this.#loop.max / NS_PER_MS, inside?.loopDelayMaxMs ?? 0));
    this.#loop.reset();
    const quietSinceMs = this.#quietSinceMs;
    return {
      s: this.#s(),
      life: site.life,
      lifeS: site.lifeS,
      trouble: this.#trouble,
      quietS: quietSinceMs === undefined ? -1 : (hostClock.monotonicMs() - quietSinceMs) / 1_000,
      ...(await lookFromOutside(site.pid, site.stateDir)),
      ...inside,
      delays: Object.fromEntries(delays),
      proverRssBytes: process.memoryUsage.rss(),
      proverLoopDelayP99Ms,
      loadAverage: loadavg()[0] ?? 0,
    };
  }

  /** A reply that comes after responseTimeout is never used: where a process was held up that long, nobody knows. */
  #forgiveLate({ plant }: SoakSite, heldUpMs: number): void {
    if (heldUpMs < HELD_UP_MS) return;
    const forgiven = plant.forgiveSince(hostClock.wallMs() - 2 * this.#lookEveryMs - heldUpMs);
    this.#late += forgiven;
    this.tell(`the machine held a process up for ${heldUpMs.toFixed(0)} ms: ${forgiven} replies may have been late`);
  }

  #counted({ plant, uplinks, faults }: SoakSite): Counted {
    const served = [...plant.newest().values()].reduce((sum, newest) => sum + newest, 0) * SIZE.tagsPerDevice;
    const of = (take: (counts: ReturnType<(typeof uplinks)[number]["book"]["summary"]>) => number) =>
      uplinks.reduce((sum, { book }) => sum + take(book.summary()), 0);
    return {
      served,
      faults: faults.count,
      lost: of(({ lost }) => lost),
      doubled: of(({ doubled }) => doubled),
      history: of(({ history }) => history),
      live: of(({ live }) => live),
      recoveries: this.#recoveriesS.all.length,
      recoveriesJudged: this.#recoveriesS.judged.length,
      recoveryMaxS: Math.max(0, ...this.#recoveriesS.judged),
      recoveryWorstS: Math.max(0, ...this.#recoveriesS.all),
      late: this.#late,
    };
  }

  #write(site: SoakSite): void {
    writeFileSync(join(this.#options.out, COUNTED_FILE), JSON.stringify(this.#counted(site), undefined, 2));
  }

  #s(): number {
    return (hostClock.monotonicMs() - this.#startMs) / 1_000;
  }
}
