/**
 * The whole gateway in virtual time: its lives one after the other, the plant before it, the brokers behind it, the
 * card below it and the clock above it. Only what a plan says goes wrong.
 */
import { createLog, type Log } from "../../core/log.ts";
import type { Gateway } from "../../gateway.ts";
import type { Sample, UndatedSample } from "../../pipeline.ts";
import type { Damage } from "../simulated-disk.ts";
import type { VirtualClock } from "../virtual-clock.ts";
import { Card, type PowerCut } from "./card.ts";
import { Chance } from "./chance.ts";
import { FarEnd } from "./far-end.ts";
import { HostTime } from "./host-time.ts";
import { Life } from "./life.ts";
import type { EndsByItself, Fault, Plan, SitePlan } from "./plan.ts";
import { Plant } from "./plant.ts";
import { Presence } from "./presence.ts";
import { changed, configOf } from "./site.ts";
import type { Story } from "./story.ts";
import { TakenInBook } from "./taken-in.ts";

/** SIGTERM ends the gateway within this, in an outage too. */
const STOP_LIMIT_MS = 10_000;
/** The service manager's pause before it starts again what could not start. */
const START_AGAIN_MS = 5_000;
/** A power cut that waits for a statement waits no longer. */
const CUT_LATEST_MS = 3_000;

/** How the log tells of a start without a card. */
const BLIND = "waits for the next start";

type OnSample = (sample: Sample | UndatedSample) => void;

export class World {
  readonly clock: VirtualClock;
  readonly card: Card;
  readonly time: HostTime;
  readonly plant: Plant;
  readonly farEnd: FarEnd;
  readonly takenIn: TakenInBook;
  readonly cuts: PowerCut[] = [];
  /** When a file was damaged, the last time. */
  damagedMs = Number.NEGATIVE_INFINITY;
  site: SitePlan;
  readonly #plan: Plan;
  readonly #story: Story;
  readonly #onSample: OnSample;
  readonly #presence: Presence;
  #life: Life | undefined;
  #lives = 0;
  #bootedMs = 0;
  /** When those began that could not read their card. */
  readonly #blindLives = new Set<number>();
  /** Being stopped or without power: it will be started again by whoever ended it. */
  #isDown = false;
  /** The latest the wall clock ever said, before it was set back. */
  #bestWallMs = 0;
  /** The uplinks that are owed what is taken in; amid a reload only those that stay. */
  #owing: readonly string[] = [];

  /** @param root a folder for the card  @param onSample sees what is taken in at that moment */
  constructor(plan: Plan, clock: VirtualClock, story: Story, root: string, onSample: OnSample) {
    this.#plan = plan;
    this.clock = clock;
    this.#story = story;
    this.#onSample = onSample;
    this.site = plan.site;
    this.#presence = new Presence(clock);
    this.takenIn = new TakenInBook(this.clock, this.#story);
    this.plant = new Plant(plan.seed, plan.site, this.clock);
    this.farEnd = new FarEnd(plan.brokers, this.clock, this.#story, this.takenIn, this);
    this.card = new Card(root, this.clock, new Chance(plan.seed, "card"));
    this.time = new HostTime(this.clock, plan.site.board);
    this.#bootKernel();
  }

  /** The running life could not read its card at the start. */
  get isBlind(): boolean {
    return this.#blindLives.has(this.#bootedMs);
  }

  /** The running one, once its stores are open. */
  get life(): Life | undefined {
    return this.#isDown || this.#life?.gateway === undefined ? undefined : this.#life;
  }

  async boot(): Promise<void> {
    if (this.#wouldTurnBack()) {
      this.#story.tell("… the card takes nothing, or took nothing before, and the clock is behind: the start waits");
      if (!this.time.willBeGood) this.#bootKernel();
      this.clock.after(START_AGAIN_MS, () => void this.boot());
      return;
    }
    this.#isDown = false;
    this.#lives += 1;
    this.#bootedMs = this.clock.monotonicMs();
    const { site } = this;
    this.#seat(site, true);
    for (const { pin } of site.inputs) this.plant.input(pin)?.countOn();
    this.#owing = this.#configured(site);
    const life: Life = new Life({
      config: configOf(site),
      clock: this.time.clock,
      ...(this.time.signs && { timeSigns: this.time.signs }),
      random: new Chance(this.#plan.seed, `gateway ${this.#lives}`),
      log: this.#log(),
      openLine: (line) => this.plant.openLine(line),
      pins: this.time.pins(this.plant.pins),
      broker: (server) => this.farEnd.at(server),
      stateDir: this.card.disk.dir,
      storage: this.card.disk.open(),
      outboxLimits: site.outbox.limits,
      witness: { append: (samples) => this.#takeIn(samples, life.gateway) },
    });
    this.#life = life;
    this.takenIn.livesMs.push(this.#bootedMs);
    this.takenIn.lifeBeganInTime = this.time.isGood;
    this.time.beginLife();
    this.#story.tell(`● life ${this.#lives} begins`);
    try {
      await life.start();
    } catch (thrown) {
      if (!this.card.isWell()) this.#startAgain(life);
      else this.#story.breach("P8 changes are safe", `the gateway does not start: ${String(thrown)}`);
    }
  }

  async startAnew(): Promise<void> {
    await this.#restart(0);
  }

  /** A clean stop. Resolves when it has ended, or when a power cut came first. */
  async shutDown(): Promise<void> {
    const life = this.#life;
    if (this.#isDown || life === undefined) return;
    this.#isDown = true;
    const beganMs = this.clock.monotonicMs();
    await life.stop();
    this.#forgiveWithoutTrace();
    const tookMs = this.clock.monotonicMs() - beganMs;
    this.#story.tell(`○ stopped after ${Math.round(tookMs)} ms`);
    if (tookMs > STOP_LIMIT_MS && this.card.isWell()) {
      this.#story.breach("P8 changes are safe", `the stop took ${tookMs / 1_000} s`);
    }
  }

  begin(fault: Fault): void {
    const { id, trouble } = fault;
    if ("broker" in trouble) {
      this.farEnd.begin(id, trouble);
      return;
    }
    switch (trouble.kind) {
      case "device":
        this.plant.beginTrouble(id, trouble.device, trouble.trouble, trouble.share);
        break;
      case "adapter gone":
        this.plant.pullAdapter(trouble.line);
        break;
      case "pin gone":
        this.plant.input(trouble.pin)?.takeAway(trouble.unheard);
        break;
      case "pin deaf":
        this.plant.input(trouble.pin)?.deafen(true);
        break;
      case "pin chatters":
        this.plant.input(trouble.pin)?.chatter(true);
        break;
      case "taken over":
        this.farEnd.takeOver(trouble.uplink);
        break;
      case "rebirth":
        this.farEnd.askForBirths(trouble.uplink, trouble.times, trouble.everyMs);
        break;
      case "clock step":
        this.#stepClock(trouble.byMs);
        break;
      case "disk full":
      case "disk failing":
      case "disk slow":
        this.card.begin(fault);
        break;
      case "power cut":
        this.#cutPower(trouble.points, fault.forMs, () => undefined);
        break;
      case "file damaged":
        this.#cutPower(0, fault.forMs, () => this.#damage(trouble.file, trouble.damage));
        break;
      case "restart":
        void this.#restart(fault.forMs);
        break;
      case "reload":
        if (trouble.live) void this.#reload(changed(this.site, trouble.change));
        else {
          void this.#restart(fault.forMs, () => {
            this.site = changed(this.site, trouble.change);
          });
        }
        break;
      default:
        trouble satisfies never;
    }
  }

  end({ id, trouble }: Fault): void {
    if ("broker" in trouble) {
      this.farEnd.end(id, trouble);
      return;
    }
    switch (trouble.kind) {
      case "device":
        this.plant.endTrouble(id);
        break;
      case "adapter gone":
        this.plant.pushAdapter(trouble.line);
        break;
      case "pin gone":
        this.plant.input(trouble.pin)?.putBack();
        break;
      case "pin deaf":
        this.plant.input(trouble.pin)?.deafen(false);
        break;
      case "pin chatters":
        this.plant.input(trouble.pin)?.chatter(false);
        break;
      case "disk full":
      case "disk failing":
      case "disk slow":
        this.card.end(id);
        break;
      default:
        trouble satisfies EndsByItself;
    }
  }

  wasBlindAt(atMs: number): boolean {
    return this.#blindLives.has(this.takenIn.livesMs.findLast((ms) => ms <= atMs) ?? 0);
  }

  present(): readonly string[] {
    return this.#presence.steady(this.life?.gateway?.values);
  }

  stateBytes(): number {
    return this.card.disk.bytesOf("state.db");
  }

  /** Ends what still runs, and closes its files. */
  abandon(): void {
    this.#life?.kill();
    this.card.disk.end();
  }

  #bootKernel(): void {
    this.time.boot(() => this.#story.tell("… the time service vouches for the time"));
  }

  #takeIn(samples: readonly (Sample | UndatedSample)[], gateway: Gateway | undefined): void {
    for (const sample of samples) {
      this.#onSample(sample);
      this.#presence.note(sample.tag.device, sample.status);
      const taken =
        "bootMs" in sample
          ? this.takenIn.takeUndated(sample, this.time.darkOf(sample, gateway?.values))
          : this.takenIn.take(sample);
      this.farEnd.owe(this.#owing, taken);
    }
  }

  /** Known limit: a life that could write nothing, from its start to its end, leaves no trace of what it took in. */
  #forgiveWithoutTrace(): void {
    if (this.#leavesNoTrace()) this.farEnd.forgive(this.#bootedMs);
  }

  #leavesNoTrace(): boolean {
    return this.card.tookNothingSince(this.#bootedMs) || (this.isBlind && this.card.hasJustRecovered());
  }

  #stepClock(byMs: number): void {
    const isUnstored = byMs < 0 && (this.isBlind || this.#leavesNoTrace());
    const isSettling = this.time.isGood && this.life?.gateway?.values.isUnsynced() !== false;
    if (isUnstored || (this.site.board !== undefined && isSettling)) {
      this.#story.tell(`… left out: ${isUnstored ? "no epoch is stored" : "what settles the time is right"}`);
      return;
    }
    this.#bestWallMs = Math.max(this.#bestWallMs, this.clock.wallMs());
    this.time.step(byMs);
  }

  /** Known limit: where no epoch is stored it goes by the time; that is not known, was later, or many starts ran ahead of it. */
  #wouldTurnBack(): boolean {
    const isBehind = this.clock.wallMs() < Math.max(this.#bestWallMs, this.takenIn.furthestMs());
    return this.card.takesNothing() ? isBehind || !this.time.isGood : this.isBlind && !this.time.isGood;
  }

  #cutPower(points: number, darkMs: number, inTheDark: () => void): void {
    if (this.#life === undefined || this.#life.isOver) return;
    let isCut = false;
    const onCut = () => {
      isCut = true;
      // Of whatever life it finds: between two of them nobody notices.
      const life = this.#life;
      if (life === undefined || life.isOver) return;
      life.kill();
      this.#isDown = true;
      this.#forgiveWithoutTrace();
      this.cuts.push({ atMs: this.clock.monotonicMs(), onGoodCard: this.card.isWell() && !this.isBlind });
      this.#story.tell("⚡ the power is cut");
      this.clock.after(Math.max(1, darkMs), () => {
        inTheDark();
        this.#bootKernel();
        void this.boot();
      });
    };
    this.card.disk.cutAfter(Math.max(1, points), onCut);
    const cutNow = () => {
      if (!isCut) this.card.disk.cutPower();
    };
    if (points === 0) cutNow();
    else this.clock.after(CUT_LATEST_MS, cutNow);
  }

  #damage(file: "outbox.db" | "state.db", how: Damage): void {
    this.damagedMs = this.clock.monotonicMs();
    this.card.disk.damage(file, how);
  }

  async #restart(downMs: number, meanwhile: () => void = () => undefined): Promise<void> {
    const life = this.life;
    if (life === undefined) {
      this.#story.tell("… the gateway is down already");
      meanwhile();
      return;
    }
    await this.shutDown();
    meanwhile();
    this.clock.after(downMs, () => void this.boot());
  }

  /** The running gateway takes the new configuration over; from then on it owes to other uplinks. */
  async #reload(site: SitePlan): Promise<void> {
    const gateway = this.life?.gateway;
    this.site = site;
    if (gateway === undefined) return this.#story.tell("… the gateway is down; it will start with it");
    this.#seat(site, false);
    this.#owing = this.#owing.filter((name) => site.uplinks.some((uplink) => uplink.name === name));
    try {
      await gateway.reload(configOf(site));
      this.#owing = this.#configured(site);
      this.#story.tell("↻ the configuration is changed");
    } catch (thrown) {
      this.#story.breach("P8 changes are safe", `the reload failed: ${String(thrown)}`);
    }
  }

  /** Devices have their new names, and each uplink its readers. */
  #seat(site: SitePlan, isNewGateway: boolean): void {
    this.plant.name(site);
    this.farEnd.seat(site.uplinks, isNewGateway);
    this.#presence.begin();
  }

  /** @returns the uplinks that are owed what is taken in from now on */
  #configured({ uplinks, outbox }: SitePlan): readonly string[] {
    const names = uplinks.map(({ name }) => name);
    this.farEnd.configured(names, outbox.maxAgeMs);
    return names;
  }

  #startAgain(life: Life): void {
    this.#story.tell("… it could not start; the service manager tries again");
    life.kill();
    this.clock.after(START_AGAIN_MS, () => {
      if (life === this.#life) void this.boot();
    });
  }

  /** Known finding: with commitInterval 0 a card that takes nothing holds live values up, and no reader is told. */
  isLiveHeldUp(): boolean {
    return this.site.outbox.commitIntervalMs === 0 && (this.isBlind || !this.card.isWell());
  }

  #log(): Log {
    const life = this.#lives;
    return createLog({
      write: (line) => {
        this.#story.tell(`  ${life}> ${line.trimEnd()}`);
        if (line.includes(BLIND)) this.#blindLives.add(this.#bootedMs);
      },
      level: "info",
      format: "text",
    });
  }
}
