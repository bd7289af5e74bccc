/**
 * A real RabbitMQ with its MQTT plugin over TLS on a loopback port, in a folder of its own that goes with it.
 * It is Debian's package, started beside its service: other node name, ports, cookie and data.
 */
import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { hostClock } from "../core/clock.ts";
import type { Certificates } from "./certificates.ts";
import { Condition } from "./condition.ts";
import { freePort } from "./mosquitto.ts";

export interface RabbitmqOptions {
  readonly certificates: Pick<Certificates, "ca" | "server">;
  /** As one node of several; by default it is alone. */
  readonly place?: RabbitmqPlace;
}

/** What nodes of one cluster must agree on. */
export interface RabbitmqPlace {
  /** `name@localhost` */
  readonly name: string;
  /** Erlang's name server there is run by somebody else. */
  readonly ports: RabbitmqPorts;
  /** Erlang keeps its cookie there: nodes with the same one trust each other. */
  readonly home: string;
  /** Further lines of rabbitmq.conf. */
  readonly settings: readonly string[];
  /** Further words for Erlang. */
  readonly erlang: string;
  /** What runs a program of another Debian than this machine's. */
  readonly within?: readonly string[];
}

export interface RabbitmqPorts {
  readonly mqtt: number;
  /** Where Erlang's nodes find each other. */
  readonly epmd: number;
  readonly distribution: number;
}

export interface Rabbitmq {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** mqtts://localhost:port. Clients need a certificate, whose common name is their user unless they log in. */
  readonly url: string;
  /** The broker's own words, the latest last. */
  log(): string;
  /** `rabbitmqctl` with these words, as its administrator would. */
  control(...words: readonly string[]): Promise<string>;
  stop(): Promise<void>;
  /** As a power cut: SIGKILL. */
  kill(): Promise<void>;
  /** Starts again on the same port, with what it had. */
  start(): Promise<void>;
  /** Stops and removes the folder. Closing twice does nothing. */
  close(): Promise<void>;
}

/** Who may do everything, from this machine only. */
export const RABBITMQ_ADMINISTRATOR = { username: "guest", password: "guest" } as const;

const PROGRAMS = "/usr/lib/rabbitmq/bin";
const PATHS = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", LANG: "C.UTF-8" } as const;
const START_LIMIT_MS = 120_000;
const LOG_MAX_CHARACTERS = 64 * 1024;

export async function startRabbitmq(options: RabbitmqOptions): Promise<Rabbitmq> {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-rabbitmq-"));
  const broker = new RabbitmqProcess(dir, options.place ?? (await alone(dir)), options);
  try {
    await broker.start();
    return broker;
  } catch (error) {
    await broker.close();
    throw error;
  }
}

async function alone(dir: string): Promise<RabbitmqPlace> {
  const ports = { mqtt: await freePort(), epmd: await freePort(), distribution: await freePort() };
  return { name: `sallyport-${ports.mqtt}@localhost`, ports, home: dir, settings: [], erlang: "" };
}

/** Erlang's name server on a loopback port: a node would start one itself, and leave it behind. */
export function startNameServer(port: number, within: readonly string[] = []): ChildProcess {
  const words = ["-port", `${port}`, "-address", "127.0.0.1"];
  return endingWithUs([...within, "epmd", ...words], { ...PATHS, ERL_EPMD_PORT: `${port}` });
}

class RabbitmqProcess implements Rabbitmq {
  readonly name: string;
  readonly port: number;
  readonly url: string;
  readonly #dir: string;
  readonly #place: RabbitmqPlace;
  readonly #options: RabbitmqOptions;
  readonly #condition = new Condition(hostClock);
  #node: ChildProcess | undefined;
  #names: ChildProcess | undefined;
  #log = "";

  constructor(dir: string, place: RabbitmqPlace, options: RabbitmqOptions) {
    this.#dir = dir;
    this.#place = place;
    this.#options = options;
    this.name = place.name;
    this.port = place.ports.mqtt;
    this.url = `mqtts://localhost:${this.port}`;
  }

  get pid(): number {
    const pid = this.#node?.pid;
    if (pid === undefined) throw new Error(`${this.name} is not running`);
    return pid;
  }

  log(): string {
    return this.#log;
  }

  async control(...words: readonly string[]): Promise<string> {
    const [program = "", ...first] = [...(this.#place.within ?? []), `${PROGRAMS}/rabbitmqctl`];
    const { stdout } = await promisify(execFile)(program, [...first, ...words], { env: this.#environment() });
    return stdout;
  }

  async start(): Promise<void> {
    if (this.#node !== undefined) throw new Error("RabbitMQ is running");
    const { ports, within = [] } = this.#place;
    await writeFile(join(this.#dir, "rabbitmq.conf"), configuration(this.#place, this.#options));
    await writeFile(join(this.#dir, "plugins"), "[rabbitmq_mqtt, rabbitmq_auth_mechanism_ssl].\n");
    this.#log = "";
    if (this.#options.place === undefined) {
      this.#names = startNameServer(ports.epmd);
      await once(this.#names, "spawn");
    }
    const node = endingWithUs([...within, `${PROGRAMS}/rabbitmq-server`], this.#environment());
    this.#node = node;
    for (const stream of [node.stdout, node.stderr]) {
      stream?.setEncoding("utf8").on("data", (text: string) => {
        this.#log = (this.#log + text).slice(-LOG_MAX_CHARACTERS);
        this.#condition.changed();
      });
    }
    let ended = false;
    node.once("exit", () => {
      ended = true;
      this.#condition.changed();
    });
    const running = () => /Server startup complete/.test(this.#log);
    const seen = () => this.#log.slice(-2_000);
    await this.#condition.until("RabbitMQ runs", () => running() || ended, START_LIMIT_MS, seen);
    if (ended) throw new Error(`RabbitMQ does not start: ${seen()}`);
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
    const [node, names] = [this.#node, this.#names];
    this.#node = undefined;
    this.#names = undefined;
    await endProcess(node, signal);
    await endProcess(names, "SIGKILL");
  }

  #environment(): NodeJS.ProcessEnv {
    const dir = this.#dir;
    const { name, ports, home, erlang } = this.#place;
    return {
      ...PATHS,
      HOME: home,
      ERL_EPMD_PORT: `${ports.epmd}`,
      ERL_EPMD_ADDRESS: "127.0.0.1",
      RABBITMQ_NODENAME: name,
      RABBITMQ_DIST_PORT: `${ports.distribution}`,
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `-kernel inet_dist_use_interface {127,0,0,1} ${erlang}`.trim(),
      RABBITMQ_MNESIA_BASE: dir,
      RABBITMQ_LOG_BASE: dir,
      RABBITMQ_LOGS: "-",
      RABBITMQ_CONF_ENV_FILE: "/dev/null",
      RABBITMQ_CONFIG_FILE: join(dir, "rabbitmq.conf"),
      RABBITMQ_ENABLED_PLUGINS_FILE: join(dir, "plugins"),
      // Its script then becomes the node, in place of a parent that would survive us.
      RUNNING_UNDER_SYSTEMD: "1",
    };
  }
}

/** setpriv: it ends with the test, however the test ends. */
function endingWithUs(words: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  return spawn("setpriv", ["--pdeathsig", "KILL", ...words], { env, stdio: ["ignore", "pipe", "pipe"] });
}

export async function endProcess(child: ChildProcess | undefined, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

function configuration({ ports, settings }: RabbitmqPlace, { certificates }: RabbitmqOptions): string {
  return [
    "listeners.tcp = none",
    "mqtt.listeners.tcp = none",
    `mqtt.listeners.ssl.default = 127.0.0.1:${ports.mqtt}`,
    "mqtt.allow_anonymous = false",
    "mqtt.ssl_cert_login = true",
    "ssl_cert_login_from = common_name",
    `ssl_options.cacertfile = ${certificates.ca}`,
    `ssl_options.certfile = ${certificates.server.certificate}`,
    `ssl_options.keyfile = ${certificates.server.key}`,
    "ssl_options.verify = verify_peer",
    "ssl_options.fail_if_no_peer_cert = true",
    "log.file = false",
    "log.console = true",
    ...settings,
    "",
  ].join("\n");
}
