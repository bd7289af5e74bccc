/**
 * A gateway on a board that does not know the time, in virtual time, with a device whose register holds the true one:
 * each value tells when it was read, whatever the gateway took the time for.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Config } from "../config/config.ts";
import { createLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import { type BoardBoot, BoardClock } from "./board-clock.ts";
import { deviceConfig, lineConfig, registerTag } from "./modbus-config.ts";
import { ModbusDevice } from "./modbus-device.ts";
import { Reader } from "./reader.ts";
import { SimulatedBroker } from "./simulated-broker.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import { SimulatedLine } from "./simulated-line.ts";
import { SimulatedPins } from "./simulated-pins.ts";
import { Life } from "./simulation/life.ts";
import { rigConfig, TOPIC } from "./uplink-rig.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { passUntil, passWhile } from "./virtual-wait.ts";
import { isLoss, type LossOnWire, parseWire, type StatusOnWire, type ValueOnWire, type ValuesOnWire } from "./wire.ts";

export const TRUE_TIME_ID = "d/time";
const SCAN_MS = 500;
const COMMIT_MS = 1_000;
const DAY_MS = 86_400_000;
const WORD = 65_536;
/** A power cut that waits for a statement waits no longer. */
const CUT_LATEST_MS = 3_000;
const CUT_STEP_MS = 50;

/** A value as it was told, with what its message said of it. */
export interface ToldValue {
  /** When it was read, in truth. */
  readonly trueMs: number;
  readonly t: number;
  readonly epoch: number;
  readonly status: string;
  readonly stage: "data" | "history" | "snapshot/d";
  readonly unsynced: boolean;
}

export interface BoardSiteOptions {
  readonly waitAtMostMs?: number;
  readonly seed?: number;
}

export class BoardSite {
  readonly truth = new VirtualClock(Date.UTC(2026, 10, 22), 1);
  readonly broker = new SimulatedBroker({ clock: this.truth });
  readonly reader = new Reader(TOPIC);
  readonly log: string[] = [];
  /** What was read and taken in, by the true time. */
  readonly takenIn = new Set<number>();
  readonly disk: SimulatedDisk;
  readonly #options: BoardSiteOptions;
  readonly #root = mkdtempSync(join(tmpdir(), "sallyport-board-"));
  readonly #device = new ModbusDevice(1);
  #board: BoardClock | undefined;
  #life: Life | undefined;
  #boots = 0;

  constructor(options: BoardSiteOptions = {}) {
    this.#options = options;
    this.disk = new SimulatedDisk({ root: this.#root, clock: this.truth, random: seededRandom(options.seed ?? 1) });
    this.broker.subscribe("#", ({ topic, payload }, retained) => this.reader.receive(topic, payload, retained));
    this.#device.faults = () => {
      const ms = this.truth.wallMs();
      const words = [WORD ** 3, WORD ** 2, WORD, 1].map((unit) => Math.floor(ms / unit) % WORD);
      this.#device.set("holdingRegister", 0, ...words);
      return {};
    };
  }

  get board(): BoardClock {
    if (this.#board === undefined) throw new Error("boot the board first");
    return this.#board;
  }

  get life(): Life {
    if (this.#life === undefined) throw new Error("start the gateway first");
    return this.#life;
  }

  /** The kernel starts, and the gateway with it. */
  async boot(boot: Partial<BoardBoot> = {}, set: (board: BoardClock) => void = () => undefined): Promise<void> {
    this.#board = new BoardClock(this.truth, { bootId: `boot-${++this.#boots}`, ...boot });
    set(this.#board);
    await this.startGateway();
  }

  async startGateway(): Promise<void> {
    const { board } = this;
    const life = new Life({
      config: configOf(this.#options.waitAtMostMs ?? 600_000),
      clock: board,
      timeSigns: board,
      random: seededRandom(1),
      log: createLog({ write: (line) => this.log.push(line.trimEnd()), level: "info", format: "text" }),
      openLine: () => new SimulatedLine({ clock: board, devices: [this.#device] }),
      pins: new SimulatedPins(board, {}),
      broker: () => this.broker,
      stateDir: this.disk.dir,
      storage: this.disk.open(),
      witness: {
        append: (samples) => {
          for (const { tag, value } of samples) if (tag.id === TRUE_TIME_ID) this.takenIn.add(Number(value ?? 0));
        },
      },
    });
    this.#life = life;
    let failure: unknown;
    void life.start().catch((thrown: unknown) => {
      failure = thrown;
    });
    await passUntil(
      this.truth,
      "the gateway has started",
      () => life.gateway !== undefined || life.isOver || failure !== undefined,
    );
    if (failure !== undefined) throw failure;
  }

  pass(ms: number): Promise<void> {
    return this.truth.advance(ms);
  }

  until(what: string, holds: () => boolean, limitMs?: number): Promise<void> {
    return passUntil(this.truth, what, holds, limitMs);
  }

  /** What SIGTERM does. */
  stopGateway(): Promise<void> {
    return passWhile(this.truth, "the gateway has stopped", this.life.stop());
  }

  /** The same at the so-manieth point of the store's work from now, or soon. */
  async cutPowerAfter(points: number): Promise<void> {
    const { life } = this;
    let isCut = false;
    this.disk.cutAfter(Math.max(1, points), () => {
      isCut = true;
      life.kill();
    });
    for (let waitedMs = 0; !isCut && waitedMs < CUT_LATEST_MS; waitedMs += CUT_STEP_MS) await this.pass(CUT_STEP_MS);
    if (!isCut) this.disk.cutPower();
  }

  /** From one moment to the next there is neither process nor kernel. */
  cutPower(): void {
    this.life.kill();
    this.disk.cutPower();
  }

  end(): void {
    this.#life?.kill();
    this.disk.end();
    rmSync(this.#root, { recursive: true, force: true });
  }

  statuses(): readonly StatusOnWire[] {
    return this.#payloads<StatusOnWire>("status");
  }

  /** Times told of the register, in the order of being told. */
  told(): readonly ToldValue[] {
    return (["data", "history", "snapshot/d"] as const).flatMap((stage) =>
      this.#payloads<Pick<ValuesOnWire, "epoch" | "clock" | "values">>(stage).flatMap((message) =>
        message.values
          .filter((value): value is ValueOnWire => value.id === TRUE_TIME_ID && value.v !== null && !isLoss(value))
          .map(({ v, t, e, s }) => ({
            trueMs: Number(v ?? 0),
            t,
            epoch: e ?? message.epoch,
            status: s ?? "Good",
            stage,
            unsynced: message.clock === "unsynced",
          })),
      ),
    );
  }

  /** True times of what was taken in and never came as more than a copy or a picture. */
  missing(): readonly number[] {
    const samples = this.told().filter(({ unsynced, stage }) => !unsynced && stage !== "snapshot/d");
    const arrived = new Set(samples.map(({ trueMs }) => trueMs));
    return [...this.takenIn].filter((trueMs) => !arrived.has(trueMs));
  }

  losses(): readonly LossOnWire[] {
    return this.#payloads<ValuesOnWire>("history").flatMap(({ values }) =>
      values.filter((value): value is LossOnWire => isLoss(value) && value.id === TRUE_TIME_ID),
    );
  }

  clockState(): string {
    const [state] = this.life.gateway?.values.snapshot("gateway").filter(({ tag }) => tag.name === "clock/state") ?? [];
    return String(state?.value);
  }

  #payloads<T>(below: string): readonly T[] {
    return this.broker.received
      .filter(({ topic, payload }) => topic === `${TOPIC}/${below}` && payload.length > 0)
      .map(({ payload }) => parseWire<T>(payload));
  }
}

function configOf(waitAtMostMs: number): Config {
  const time = registerTag(
    "d",
    "time",
    { table: "holdingRegister", address: 0, type: "uint64" },
    { scanRateMs: SCAN_MS },
  );
  return {
    file: "gateway.yaml",
    gateway: { group: "plant", name: "gateway" },
    uplinks: [rigConfig({ reconnect: { spreadMs: 200, maxMs: 2_000 } })],
    lines: [lineConfig("/dev/line", [deviceConfig("d", 1, [time])])],
    inputs: [],
    outbox: {
      path: "outbox.db",
      maxSizeBytes: 64 * 1_048_576,
      maxAgeMs: 90 * DAY_MS,
      commitIntervalMs: COMMIT_MS,
      outageCommitIntervalMs: COMMIT_MS,
    },
    clock: { source: "auto", waitAtMostMs },
  };
}
