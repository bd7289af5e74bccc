/**
 * A broker for the demo and for tests where no Mosquitto is at hand: aedes with TLS, in a process of its own.
 * MQTT 3.1.1 only. What it retains is lost when it ends.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { hostClock } from "../core/clock.ts";
import type { BrokerFiles, BrokerReport } from "./broker-main.ts";
import type { Certificates } from "./certificates.ts";
import { within } from "./within.ts";

export interface BrokerProcessOptions {
  readonly certificates: Pick<Certificates, "ca" | "server">;
  /** 0 or absent: one that is free. */
  readonly port?: number;
}

export interface BrokerProcess {
  readonly port: number;
  /** mqtts://localhost:port */
  readonly url: string;
  readonly pid: number;
  /** SIGTERM. Resolves when the process is gone; stopping twice does nothing. */
  stop(): Promise<void>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** Starts again on the same port. */
  start(): Promise<void>;
}

const START_LIMIT_MS = 20_000;

/** The broker ends with the process that started it, however that ends. */
export async function startBrokerProcess(options: BrokerProcessOptions): Promise<BrokerProcess> {
  const broker = new ForkedBroker(options);
  await broker.start();
  return broker;
}

class ForkedBroker implements BrokerProcess {
  readonly #options: BrokerProcessOptions;
  #child: ChildProcess | undefined;
  #port: number;

  constructor(options: BrokerProcessOptions) {
    this.#options = options;
    this.#port = options.port ?? 0;
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `mqtts://localhost:${this.#port}`;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("the broker is not running");
    return pid;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error("the broker is running");
    const { certificates } = this.#options;
    const main = fileURLToPath(new URL("./broker-main.ts", import.meta.url));
    const files: BrokerFiles = { port: this.#port, ca: certificates.ca, ...certificates.server };
    // The loader in execArgv is found from here, wherever the parent works.
    const child = fork(main, [JSON.stringify(files)], { cwd: dirname(main), stdio: "inherit" });
    this.#child = child;
    child.once("exit", () => {
      this.#child = undefined;
    });
    const report = new Promise<BrokerReport>((resolve, reject) => {
      child.once("message", (message: BrokerReport) => resolve(message));
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`the broker ended with code ${code}`)));
    });
    try {
      const told = await within(hostClock, report, "the broker listens", START_LIMIT_MS);
      if ("failure" in told) throw new Error(`the broker cannot listen: ${told.failure}`);
      this.#port = told.port;
    } catch (error) {
      await this.kill();
      throw error;
    }
  }

  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}
