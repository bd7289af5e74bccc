/**
 * Three RabbitMQ nodes that are one broker, on loopback ports of this machine: Debian's package, MQTT over TLS.
 *
 * A subscriber with QoS 1 and a session that is kept has a queue on the broker. Of what type, `mqtt.durable_queue_type`
 * says, in 3.10 (Debian 12) as in 4.0 (Debian 13). `quorum` is chosen: a message counts as taken when a majority of the
 * nodes has it, and the subscriber finds its queue at any of them. `classic`, the default, lives on one node: while that is
 * away, what is published is acknowledged and dropped, and the subscriber is refused everywhere. It serves as control.
 * A quorum queue has a member on each node that is there when it is made: so all are started before.
 */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Random } from "../core/random.ts";
import type { Certificates } from "./certificates.ts";
import { endProcess, type Rabbitmq, startNameServer, startRabbitmq } from "./rabbitmq.ts";

export type QueueType = "classic" | "quorum";

export interface ClusterOptions {
  readonly certificates: Certificates;
  readonly queueType: QueueType;
  readonly random: Random;
  /** Folder of another Debian, whose RabbitMQ is used. Needs root. */
  readonly debian?: string | undefined;
}

export interface Cluster {
  readonly nodes: readonly Rabbitmq[];
  close(): Promise<void>;
}

const NODES = 3;
/** Below these Linux picks ports for outgoing connections: a node that is away must find its port free. */
const PORTS = { from: 20_000, to: 32_000 };
const PORT_ATTEMPTS = 1_000;
/** Two cores have nothing to give to schedulers that spin while they wait. */
const ERLANG = "+sbwt none +sbwtdcpu none +sbwtdio none";
/** In a mount namespace of its own, which ends with it, it sees this machine at these places. */
const INSIDE =
  'for path in /proc /dev /tmp /etc/hosts; do mount --rbind "$path" "$0$path"; done; exec chroot "$0" "$@"';

export async function startCluster(options: ClusterOptions): Promise<Cluster> {
  const home = await mkdtemp(join(tmpdir(), "sallyport-cluster-"));
  const within = options.debian === undefined ? [] : ["unshare", "--mount", "sh", "-c", INSIDE, options.debian];
  const [epmd = 0, ...ports] = await steadyPorts(1 + 2 * NODES, options.random);
  const names = Array.from({ length: NODES }, (_, n) => `sallyport-${n + 1}-${epmd}@localhost`);
  // One after the other: each joins those before it, and waits for nobody.
  const settings = (n: number) => [
    "cluster_formation.peer_discovery_backend = classic_config",
    ...names.slice(0, n + 1).map((name, place) => `cluster_formation.classic_config.nodes.${place + 1} = ${name}`),
    `mqtt.durable_queue_type = ${options.queueType}`,
  ];
  const nameServer = startNameServer(epmd, within);
  const cluster = new StartedCluster(home, nameServer);
  try {
    await once(nameServer, "spawn");
    for (const [n, name] of names.entries()) {
      const own = { mqtt: ports[2 * n] ?? 0, epmd, distribution: ports[2 * n + 1] ?? 0 };
      const place = { name, ports: own, home, settings: settings(n), erlang: ERLANG, within };
      cluster.nodes.push(await startRabbitmq({ certificates: options.certificates, place }));
    }
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}

class StartedCluster implements Cluster {
  readonly nodes: Rabbitmq[] = [];
  readonly #home: string;
  readonly #nameServer: ChildProcess;

  constructor(home: string, nameServer: ChildProcess) {
    this.#home = home;
    this.#nameServer = nameServer;
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.close();
    await endProcess(this.#nameServer, "SIGKILL");
    await rm(this.#home, { recursive: true, force: true });
  }
}

/** Loopback ports that differ, and that no outgoing connection is given meanwhile. */
async function steadyPorts(count: number, random: Random): Promise<readonly number[]> {
  const held = new Map<number, Server>();
  for (let attempt = 0; held.size < count && attempt < PORT_ATTEMPTS; attempt++) {
    const port = PORTS.from + Math.floor(random.next() * (PORTS.to - PORTS.from));
    const server = createServer().listen(port, "127.0.0.1");
    const isFree = await once(server, "listening").then(
      () => true,
      () => false,
    );
    if (isFree) held.set(port, server);
  }
  await Promise.all([...held.values()].map((server) => once(server.close(), "close")));
  if (held.size < count)
    throw new Error(`only ${held.size} of ${count} ports from ${PORTS.from} to ${PORTS.to} are free`);
  return [...held.keys()];
}
