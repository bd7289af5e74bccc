/** A real Mosquitto with TLS on a loopback port, in a folder of its own that goes with it. */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { hostClock } from "../core/clock.ts";
import type { Certificates, Identity } from "./certificates.ts";
import { Condition } from "./condition.ts";

export interface MosquittoOptions {
  readonly certificates: Certificates;
  /** What the broker shows; by default the server certificate that is in order. */
  readonly identity?: Identity;
  /** False: clients need no certificate. */
  readonly clientCertificates?: boolean;
  /** User names with their passwords; without, nobody has to log in. */
  readonly users?: Readonly<Record<string, string>>;
  /** Topic filters that nobody may write to. */
  readonly deniedTopics?: readonly string[];
  readonly maxPacketBytes?: number;
  /** Listen without TLS, to prove that nobody comes. */
  readonly plaintext?: boolean;
  /** Speak MQTT inside WebSockets too, on a second port. */
  readonly webSocket?: boolean;
  /** Where it listens; by default on the loopback address. */
  readonly address?: string;
  /** Makes its whole configuration for a port, in place of all that stands above. */
  readonly configuration?: (port: number) => string;
  /** Gets the broker's words as they come. */
  readonly onLog?: (text: string) => void;
}

export interface Mosquitto {
  readonly port: number;
  /** mqtts://localhost:port */
  readonly url: string;
  /** wss://localhost:…; undefined where not asked for. */
  readonly webSocketUrl: string | undefined;
  readonly pid: number;
  /** The broker's own words, the latest last. */
  log(): string;
  /** As `systemctl stop`: sessions and retained messages are kept for the next start. */
  stop(): Promise<void>;
  /** As a power cut: SIGKILL. */
  kill(): Promise<void>;
  /** Starts again on the same port. */
  start(): Promise<void>;
  /** Stops and removes the folder. Closing twice does nothing. */
  close(): Promise<void>;
}

const PROGRAM = "/usr/sbin/mosquitto";
const START_LIMIT_MS = 10_000;
const PORT_ATTEMPTS = 5;
const LOG_MAX_CHARACTERS = 64 * 1024;

export async function startMosquitto(options: MosquittoOptions): Promise<Mosquitto> {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-mosquitto-"));
  for (let attempt = 1; ; attempt++) {
    const [port, webSocketPort] = await freePorts();
    const ports = { port, ...(options.webSocket === true && { webSocketPort }) };
    const broker = new MosquittoProcess(dir, ports, options);
    try {
      await broker.start();
      return broker;
    } catch (error) {
      // Somebody else may have taken the port in between.
      const again = attempt < PORT_ATTEMPTS && broker.log().includes("Address already in use");
      if (again) continue;
      await broker.close();
      throw error;
    }
  }
}

/** A loopback port that nobody listens on, as far as one can know. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts();
  return port;
}

/** Two that differ: both are held before either is let go. */
async function freePorts(): Promise<readonly [number, number]> {
  const servers = [createServer(), createServer()] as const;
  const [first, second] = servers;
  await Promise.all(servers.map((server) => once(server.listen(0, "127.0.0.1"), "listening")));
  const ports = [portOf(first), portOf(second)] as const;
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}

function portOf(server: Server): number {
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the system gave no port");
  return address.port;
}

interface Ports {
  readonly port: number;
  readonly webSocketPort?: number;
}

class MosquittoProcess implements Mosquitto {
  readonly port: number;
  readonly url: string;
  readonly webSocketUrl: string | undefined;
  readonly #ports: Ports;
  readonly #dir: string;
  readonly #options: MosquittoOptions;
  readonly #condition = new Condition(hostClock);
  #child: ChildProcess | undefined;
  #log = "";

  constructor(dir: string, ports: Ports, options: MosquittoOptions) {
    this.#dir = dir;
    this.#ports = ports;
    this.port = ports.port;
    this.url = `mqtts://localhost:${ports.port}`;
    this.webSocketUrl = ports.webSocketPort === undefined ? undefined : `wss://localhost:${ports.webSocketPort}`;
    this.#options = options;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("mosquitto is not running");
    return pid;
  }

  log(): string {
    return this.#log;
  }

  async start(): Promise<void> {
    if (this.#child !== undefined) throw new Error("mosquitto is running");
    const config = join(this.#dir, "mosquitto.conf");
    await writeFile(config, await configuration(this.#dir, this.#ports, this.#options));
    this.#log = "";
    // setpriv: the broker ends with the test, however the test ends.
    const child = spawn("setpriv", ["--pdeathsig", "KILL", PROGRAM, "-c", config], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    this.#child = child;
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#log = (this.#log + text).slice(-LOG_MAX_CHARACTERS);
      this.#options.onLog?.(text);
      this.#condition.changed();
    });
    child.once("exit", () => {
      this.#child = undefined;
      this.#condition.changed();
    });
    const running = () => /mosquitto version \S+ running/.test(this.#log);
    const ended = () => this.#child !== child;
    await this.#condition.until(
      "mosquitto runs",
      () => running() || ended(),
      START_LIMIT_MS,
      () => this.#log,
    );
    if (ended()) throw new Error(`mosquitto does not start: ${this.#log}`);
  }

  stop(): Promise<void> {
    return this.#end("SIGTERM");
  }

  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  async close(): Promise<void> {
    await this.#end("SIGKILL");
    await rm(this.#dir, { recursive: true, force: true });
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }
}

async function configuration(dir: string, ports: Ports, options: MosquittoOptions): Promise<string> {
  // Started by root it would drop its rights and could no longer read the keys of the test.
  const always = ["user root", "log_dest stderr"];
  if (options.configuration !== undefined) return `${always.join("\n")}\n${options.configuration(ports.port)}`;
  const lines = [
    ...always,
    "log_type all",
    "persistence true",
    `persistence_location ${dir}/`,
    // A subscriber that is away misses nothing. Not 0, unlimited: 2.0.11 then hangs up on a message it refuses.
    "max_queued_messages 10000000",
    `allow_anonymous ${options.users === undefined}`,
  ];
  if (options.maxPacketBytes !== undefined) lines.push(`max_packet_size ${options.maxPacketBytes}`);
  if (options.users !== undefined) lines.push(`password_file ${await passwordFile(dir, options.users)}`);
  if (options.deniedTopics !== undefined) lines.push(`acl_file ${await accessList(dir, options.deniedTopics)}`);
  lines.push(...listener(ports.port, options));
  if (ports.webSocketPort !== undefined) lines.push(...listener(ports.webSocketPort, options), "protocol websockets");
  return `${lines.join("\n")}\n`;
}

function listener(port: number, options: MosquittoOptions): string[] {
  const address = `listener ${port} ${options.address ?? "127.0.0.1"}`;
  if (options.plaintext === true) return [address];
  const identity = options.identity ?? options.certificates.server;
  return [
    address,
    `cafile ${options.certificates.ca}`,
    `certfile ${identity.certificate}`,
    `keyfile ${identity.key}`,
    `require_certificate ${options.clientCertificates ?? true}`,
  ];
}

async function passwordFile(dir: string, users: Readonly<Record<string, string>>): Promise<string> {
  const path = join(dir, "passwords");
  const plain = Object.entries(users).map(([name, password]) => `${name}:${password}\n`);
  await writeFile(path, plain.join(""), { mode: 0o600 });
  await promisify(execFile)("mosquitto_passwd", ["-U", path]);
  return path;
}

async function accessList(dir: string, denied: readonly string[]): Promise<string> {
  const path = join(dir, "acl");
  const rules = ["pattern readwrite #", ...denied.map((topic) => `pattern deny ${topic}`)];
  await writeFile(path, `${rules.join("\n")}\n`, { mode: 0o600 });
  return path;
}
