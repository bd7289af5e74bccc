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
}

export interface Rabbitmq {
  readonly port: number;
  /** mqtts://localhost:port. Clients need a certificate, whose common name is their user unless they log in. */
  readonly url: string;
  /** The broker's own words, the latest last. */
  log(): string;
  /** `rabbitmqctl` with these words, as its administrator would. */
  control(...words: readonly string[]): Promise<string>;
  stop(): Promise<void>;
  /** Starts again on the same port, with what it had. */
  start(): Promise<void>;
  /** Stops and removes the folder. Closing twice does nothing. */
  close(): Promise<void>;
}

/** Who may do everything, from this machine only. */
export const RABBITMQ_ADMINISTRATOR = { username: "guest", password: "guest" } as const;

const PROGRAMS = "/usr/lib/rabbitmq/bin";
const START_LIMIT_MS = 120_000;
const LOG_MAX_CHARACTERS = 64 * 1024;

export async function startRabbitmq(options: RabbitmqOptions): Promise<Rabbitmq> {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-rabbitmq-"));
  const ports = { mqtt: await freePort(), epmd: await freePort(), distribution: await freePort() };
  const broker = new RabbitmqProcess(dir, ports, options);
  try {
    await broker.start();
    return broker;
  } catch (error) {
    await broker.close();
    throw error;
  }
}

interface Ports {
  readonly mqtt: number;
  /** Where Erlang's nodes find each other. */
  readonly epmd: number;
  readonly distribution: number;
}

class RabbitmqProcess implements Rabbitmq {
  readonly port: number;
  readonly url: string;
  readonly #dir: string;
  readonly #ports: Ports;
  readonly #options: RabbitmqOptions;
  readonly #condition = new Condition(hostClock);
  /** The node and Erlang's name server, which it would otherwise leave behind. */
  #children: readonly ChildProcess[] = [];
  #log = "";

  constructor(dir: string, ports: Ports, options: RabbitmqOptions) {
    this.#dir = dir;
    this.#ports = ports;
    this.#options = options;
    this.port = ports.mqtt;
    this.url = `mqtts://localhost:${ports.mqtt}`;
  }

  log(): string {
    return this.#log;
  }

  async control(...words: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(`${PROGRAMS}/rabbitmqctl`, words, { env: this.#environment() });
    return stdout;
  }

  async start(): Promise<void> {
    if (this.#children.length > 0) throw new Error("RabbitMQ is running");
    await writeFile(join(this.#dir, "rabbitmq.conf"), configuration(this.#ports, this.#options));
    await writeFile(join(this.#dir, "plugins"), "[rabbitmq_mqtt, rabbitmq_auth_mechanism_ssl].\n");
    this.#log = "";
    const names = this.#spawn("epmd", ["-port", `${this.#ports.epmd}`, "-address", "127.0.0.1"]);
    await once(names, "spawn");
    const node = this.#spawn(`${PROGRAMS}/rabbitmq-server`, []);
    this.#children = [node, names];
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

  async stop(): Promise<void> {
    const [node, names] = this.#children;
    this.#children = [];
    await end(node, "SIGTERM");
    await end(names, "SIGKILL");
  }

  async close(): Promise<void> {
    const children = this.#children;
    this.#children = [];
    for (const child of children) await end(child, "SIGKILL");
    await rm(this.#dir, { recursive: true, force: true });
  }

  #spawn(program: string, words: readonly string[]): ChildProcess {
    // setpriv: it ends with the test, however the test ends.
    return spawn("setpriv", ["--pdeathsig", "KILL", program, ...words], {
      env: this.#environment(),
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  #environment(): NodeJS.ProcessEnv {
    const dir = this.#dir;
    return {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      LANG: "C.UTF-8",
      // Erlang keeps its cookie there.
      HOME: dir,
      ERL_EPMD_PORT: `${this.#ports.epmd}`,
      ERL_EPMD_ADDRESS: "127.0.0.1",
      RABBITMQ_NODENAME: `sallyport-${this.#ports.mqtt}@localhost`,
      RABBITMQ_DIST_PORT: `${this.#ports.distribution}`,
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: "-kernel inet_dist_use_interface {127,0,0,1}",
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

async function end(child: ChildProcess | undefined, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

function configuration(ports: Ports, { certificates }: RabbitmqOptions): string {
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
    "",
  ].join("\n");
}
