/** One life of the gateway: from its start to its stop, or to the power cut after which nothing of it happens any more. */
import type { Config } from "../../config/config.ts";
import type { Clock, Timer } from "../../core/clock.ts";
import type { Log } from "../../core/log.ts";
import { createGateway, type Gateway, type Surroundings } from "../../gateway.ts";
import type { Connection, ConnectRequest, Intake, Transport } from "../../pipeline.ts";
import type { PinDriver } from "../../sources/gpio/pin-driver.ts";
import type { SerialLine } from "../../sources/modbus/serial-line.ts";
import type { SimulatedBroker } from "../simulated-broker.ts";
import { SimulatedConnection } from "../simulated-connection.ts";

export interface LifeOptions extends Omit<Surroundings, "clock" | "transport" | "witness" | "runtimeDir" | "host"> {
  readonly config: Config;
  readonly clock: Clock;
  readonly log: Log;
  /** The broker at this server's address. */
  readonly broker: (server: string) => SimulatedBroker;
  readonly witness: Intake;
}

/** A clock whose timers die with the life they belong to. */
class MortalClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<Timer>();
  #isOver = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wallMs(): number {
    return this.#clock.wallMs();
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs();
  }

  after(delayMs: number, callback: () => void): Timer {
    if (this.#isOver) return { cancel: () => undefined };
    const timer = this.#clock.after(delayMs, () => {
      this.#timers.delete(timer);
      callback();
    });
    this.#timers.add(timer);
    return {
      cancel: () => {
        this.#timers.delete(timer);
        timer.cancel();
      },
    };
  }

  pending(): number {
    return this.#timers.size;
  }

  end(): void {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }
}

export class Life {
  readonly config: Config;
  readonly #options: LifeOptions;
  readonly #clock: MortalClock;
  readonly #connections = new Set<SimulatedConnection>();
  #gateway: Gateway | undefined;
  #isOver = false;

  constructor(options: LifeOptions) {
    this.config = options.config;
    this.#options = options;
    this.#clock = new MortalClock(options.clock);
  }

  /** Undefined until the stores are open. */
  get gateway(): Gateway | undefined {
    return this.#gateway;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  async start(): Promise<void> {
    const { config, openLine, pins, witness } = this.#options;
    const gateway = await createGateway(config, {
      ...this.#options,
      clock: this.#clock,
      openLine: (line) => this.#mortalLine(openLine(line)),
      pins: this.#mortalPins(pins),
      transport: () => this.#transport(),
      witness: { append: (samples) => this.#isOver || witness.append(samples) },
    });
    if (this.#isOver) return;
    this.#gateway = gateway;
    gateway.start();
  }

  async stop(): Promise<void> {
    await this.#gateway?.stop();
    this.#isOver = true;
  }

  /** From one moment to the next there is no process any more. */
  kill(): void {
    this.#isOver = true;
    this.#clock.end();
    for (const connection of this.#connections) connection.vanish();
  }

  pendingTimers(): number {
    return this.#clock.pending();
  }

  /** Messages handed to brokers and not acknowledged, of the fullest connection. */
  inFlight(): number {
    return Math.max(0, ...[...this.#connections].map((connection) => connection.inFlight()));
  }

  #transport(): Transport {
    return { connect: (request) => (this.#isOver ? never() : this.#connect(request)) };
  }

  async #connect(request: ConnectRequest): Promise<Connection> {
    const connection = await this.#options.broker(request.server).connect(request);
    if (!(connection instanceof SimulatedConnection)) return connection;
    if (this.#isOver) {
      connection.vanish();
      return never();
    }
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    return connection;
  }

  #mortalLine(line: SerialLine): SerialLine {
    const isOver = () => this.#isOver;
    const mortal: SerialLine = {
      onData: () => undefined,
      onLost: () => undefined,
      open: () => (isOver() ? never() : line.open()),
      write: (bytes) => (isOver() ? never() : line.write(bytes)),
      discardInput: () => line.discardInput(),
      pause: () => line.pause(),
      resume: () => line.resume(),
      close: () => (isOver() ? never() : line.close()),
    };
    line.onData = (bytes) => isOver() || mortal.onData(bytes);
    line.onLost = (reason) => isOver() || mortal.onLost(reason);
    return mortal;
  }

  #mortalPins(pins: PinDriver): PinDriver {
    return {
      open: (address, events) =>
        pins.open(address, {
          edge: (level, atMs) => this.#isOver || events.edge(level, atMs),
          lost: (reason) => this.#isOver || events.lost(reason),
        }),
    };
  }
}

function never<T>(): Promise<T> {
  return new Promise(() => undefined);
}
