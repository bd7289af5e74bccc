/** Runs a plan to its end, and holds the gateway to its promises after every step. */
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../../core/errors.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { checkBounds, checkFrozen } from "./bounds.ts";
import { BEGAN_MS } from "./draw.ts";
import type { Invariant } from "./invariant.ts";
import { checkGaps, checkLosses, checkPriorities, waitsInMemoryMs } from "./losses.ts";
import { checkCurrency, difference } from "./picture.ts";
import type { Fault, Plan, Trouble } from "./plan.ts";
import { checkReported } from "./reported.ts";
import { brokerOf } from "./site.ts";
import { type Breach, Story } from "./story.ts";
import { checkTable, checkTaken } from "./truth.ts";
import { describeFault } from "./words.ts";
import { World } from "./world.ts";

export interface Outcome {
  readonly breaches: readonly Breach[];
  readonly virtualMs: number;
  /** Of all that happened: two runs of one plan agree on it. */
  readonly hash: string;
  readonly story: readonly string[];
  readonly takenIn: number;
  readonly arrived: number;
}

/** Files in memory: what a card keeps through a power cut is the simulated disk's to decide, and waiting for a real one takes longest. */
const MEMORY = "/dev/shm";
const STEP_MS = 1_000;
/** After the last fault all is well again within this: two gateways with one identity leave each other in peace for long. */
const CONVERGED_WITHIN_MS = 20 * 60_000;
/** What was taken in longer ago than this has arrived when all is well. */
const SETTLED_AFTER_MS = 30_000;
/** Well on the way out of a fault, and then for so many steps in a row: no lucky moment. */
const CALM_STEPS = 3;
/** Their time is that of the gateway being down: nobody has to end them. */
const DOWNTIMES: ReadonlySet<Trouble["kind"]> = new Set(["power cut", "file damaged", "restart", "reload"] as const);

export async function simulate(plan: Plan): Promise<Outcome> {
  const root = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "sallyport-sim-"));
  const run = new Run(plan, root);
  try {
    return await run.toTheEnd();
  } finally {
    run.world.abandon();
    rmSync(root, { recursive: true, force: true });
  }
}

/** What is missing for all to be well, and the invariant that it breaks if it is still missing in the end. */
interface Lack {
  readonly invariant: Invariant;
  readonly what: string;
}

interface PlannedEvent {
  readonly atMs: number;
  readonly happen: () => void;
}

class Run {
  readonly world: World;
  readonly #plan: Plan;
  readonly #story: Story;
  readonly #events: PlannedEvent[];
  /** How many samples there were, step by step. */
  readonly #counts: number[] = [];

  constructor(plan: Plan, root: string) {
    this.#plan = plan;
    const clock = new VirtualClock(BEGAN_MS, 0);
    this.#story = new Story(() => clock.monotonicMs(), root);
    this.world = new World(plan, clock, this.#story, root, (sample) =>
      checkTaken(sample, this.world.plant, this.#story),
    );
    this.#events = plan.faults.flatMap((fault) => this.#eventsOf(fault)).sort((a, b) => a.atMs - b.atMs);
  }

  async toTheEnd(): Promise<Outcome> {
    try {
      await this.#live();
    } catch (thrown) {
      this.#story.breach("no bug", thrown instanceof Error ? `${thrown.stack}` : messageOf(thrown));
    }
    const { takenIn, clock, farEnd, site } = this.world;
    return {
      breaches: this.#story.breaches,
      virtualMs: clock.monotonicMs(),
      hash: this.#story.hash(),
      story: this.#story.lines(),
      takenIn: takenIn.count,
      arrived: site.uplinks.reduce((sum, { name }) => sum + farEnd.book(name).arrivedCount(), 0),
    };
  }

  async #live(): Promise<void> {
    const { clock } = this.world;
    void this.world.boot();
    while (clock.monotonicMs() < this.#plan.calmFromMs && !this.#isBroken()) {
      await this.#passUntil(Math.min(clock.monotonicMs() + STEP_MS, this.#plan.calmFromMs));
      this.#check();
    }
    this.#story.tell("─ nothing goes wrong any more");
    this.world.plant.hold();
    await this.#converge();
    if (!this.#isBroken()) await this.#finish();
  }

  async #passUntil(untilMs: number): Promise<void> {
    const { clock } = this.world;
    for (let next = this.#events[0]; next !== undefined && next.atMs <= untilMs; next = this.#events[0]) {
      this.#events.shift();
      await clock.advance(next.atMs - clock.monotonicMs());
      next.happen();
    }
    await clock.advance(untilMs - clock.monotonicMs());
  }

  async #converge(): Promise<void> {
    const { clock } = this.world;
    const untilMs = clock.monotonicMs() + CONVERGED_WITHIN_MS;
    for (let calm = 0; calm < CALM_STEPS && !this.#isBroken(); ) {
      await this.#passUntil(clock.monotonicMs() + STEP_MS);
      this.#check();
      const unwell = this.#whoIsNotConnected() ?? this.#whatIsShownWrong();
      // What its file holds goes out after the next start: somebody changes the card, or the power fails some day.
      if (unwell?.invariant !== "convergence" && this.world.isBlind) void this.world.startAnew();
      const lack = unwell ?? this.#whatIsOwed() ?? this.#whatWaits();
      calm = lack === undefined ? calm + 1 : 0;
      if (lack === undefined || clock.monotonicMs() <= untilMs) continue;
      this.#story.breach(lack.invariant, `${CONVERGED_WITHIN_MS / 60_000} min after the last fault: ${lack.what}`);
    }
    if (!this.#isBroken()) this.#story.tell("─ all is well again");
  }

  #whoIsNotConnected(): Lack | undefined {
    const lack = (what: string) => ({ invariant: "convergence", what }) as const;
    const gateway = this.world.life?.gateway;
    if (gateway === undefined) return lack("the gateway is down");
    const away = gateway.uplinks().find(({ state }) => state !== "connected");
    return away && lack(`${away.name} is ${away.state}`);
  }

  /** Where a reader of an uplink does not see what the tag table says. */
  #whatIsShownWrong(): Lack | undefined {
    const { life, farEnd, site } = this.world;
    const gateway = life?.gateway;
    for (const { name, server } of gateway?.uplinks() ?? []) {
      const broker = brokerOf(server);
      const uplink = site.uplinks.find((plan) => plan.name === name);
      const mustBeCleared = (device: string) => uplink !== undefined && farEnd.mustBeCleared(broker, uplink, device);
      for (const reader of farEnd.brokers[broker]?.readers(name) ?? []) {
        const reason = gateway === undefined ? "" : difference(reader, gateway.values, mustBeCleared);
        if (reason !== "") return { invariant: "P3 the picture equals the tags", what: `${name}: ${reason}` };
      }
    }
    return undefined;
  }

  /** Taken in, neither arrived nor told as lost, and not just now. */
  #whatIsOwed(): Lack | undefined {
    const { site, farEnd, clock } = this.world;
    for (const { name } of site.uplinks) {
      const book = farEnd.book(name);
      const owed = book.overdue(clock.monotonicMs() - SETTLED_AFTER_MS);
      if (owed === undefined) continue;
      const what = `${name} still owes ${owed.id} ${owed.epoch}/${owed.t} and ${book.owedCount()} in all`;
      return { invariant: "P4 nothing is lost unsaid", what };
    }
    return undefined;
  }

  /** Held back longer than what is owed may be. What was told as lost may still come: a gap reaches over it. */
  #whatWaits(): Lack | undefined {
    const { life, takenIn } = this.world;
    this.#counts.push(takenIn.count);
    if (this.#counts.length > SETTLED_AFTER_MS / STEP_MS) this.#counts.shift();
    const fresh = takenIn.count - (this.#counts[0] ?? 0);
    const waiting = life?.gateway?.uplinks().find(({ depth }) => depth > fresh);
    return waiting && { invariant: "convergence", what: `${waiting.name} has ${waiting.depth} samples to send` };
  }

  #check(): void {
    const { life, site, farEnd, takenIn, clock, plant } = this.world;
    // Once all is calm the guests stay, so that a moment comes at which each of them has heard a status.
    if (!plant.isHeld) for (const broker of farEnd.brokers) broker.changeGuests();
    if (!this.world.isLiveHeldUp()) checkCurrency({ site, farEnd, takenIn, clock, story: this.#story });
    for (const text of plant.overspent()) this.#story.breach("P6 dead devices cost 5 %", text);
    if (life?.gateway === undefined) return;
    checkTable(life.gateway.values, plant, clock, this.#story);
    checkReported(life.gateway.values, takenIn, this.#story);
    checkBounds(life, site, this.world.stateBytes(), this.#story);
    checkFrozen(life, farEnd, this.#story);
  }

  /** A clean stop; then each loss that was told needs a cause. */
  async #finish(): Promise<void> {
    const { farEnd, cuts, damagedMs, card } = this.world;
    let stopped = false;
    void this.world.shutDown().then(() => {
      stopped = true;
    });
    while (!stopped && !this.#isBroken()) await this.#passUntil(this.world.clock.monotonicMs() + STEP_MS);
    const waitsMs = waitsInMemoryMs(this.#plan.site.outbox);
    for (const { name, history } of this.world.site.uplinks) {
      const causes = {
        outbox: this.#plan.site.outbox,
        cuts,
        damagedMs,
        cardTroubled: card.wasEverTroubled(),
        isHistoryOff: !history,
      };
      checkLosses(name, farEnd.book(name), causes, this.#story);
      const wasBlindAt = (atMs: number) => this.world.wasBlindAt(atMs);
      checkPriorities(name, farEnd.book(name), { card, waitsMs, wasBlindAt }, this.#story);
    }
    this.#checkGaps(waitsMs);
    this.world.takenIn.checkOrder();
  }

  /** Where nothing else can have cost anything, and the time was as it is. */
  #checkGaps(waitsMs: number): void {
    const { takenIn, farEnd, cuts, card, damagedMs, site, time } = this.world;
    const isStepped = this.#plan.faults.some(({ trouble }) => trouble.kind === "clock step");
    const isTimeKnown = !isStepped && !time.wasWaitedFor && takenIn.isDatedRight();
    if (!isTimeKnown || card.wasEverTroubled() || Number.isFinite(damagedMs)) return;
    const utc = (ms: number) => BEGAN_MS + ms;
    const downs = { cutsMs: cuts.map(({ atMs }) => utc(atMs)), startsMs: takenIn.livesMs.map(utc), waitsMs };
    for (const { name } of site.uplinks) checkGaps(name, farEnd.book(name), downs, this.#story);
  }

  #isBroken(): boolean {
    return this.#story.breaches.length > 0;
  }

  #eventsOf(fault: Fault): PlannedEvent[] {
    const { atMs, forMs } = fault;
    const words = describeFault(fault);
    const begin = () => {
      this.#story.tell(`▶ ${words}`);
      this.world.begin(fault);
    };
    const end = () => {
      this.#story.tell(`◀ over: ${words}`);
      this.world.end(fault);
    };
    const lasts = !DOWNTIMES.has(fault.trouble.kind) && forMs > 0;
    return [{ atMs, happen: begin }, ...(lasts ? [{ atMs: atMs + forMs, happen: end }] : [])];
  }
}
