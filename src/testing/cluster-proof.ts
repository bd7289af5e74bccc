/**
 * A fleet of light gateways at a cluster of three RabbitMQ nodes, which are killed in turn and brought back: is anything
 * missing at any of three observers, each of whom loses the node he is at once, and when are all gateways back?
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostClock, sleep } from "../core/clock.ts";
import { type Random, seededRandom } from "../core/random.ts";
import { type Certificates, writeCertificates } from "./certificates.ts";
import { type Cluster, type QueueType, startCluster } from "./cluster.ts";
import { figuresOf, inWords, loadsOf, megabytes, type NodeFigures } from "./cluster-load.ts";
import { Observer, retainedAt } from "./cluster-observer.ts";
import { Fleet } from "./fleet.ts";
import type { FleetGateway, FleetOrder } from "./fleet-main.ts";
import type { Rabbitmq } from "./rabbitmq.ts";
import { unpackDebian } from "./unit/container.ts";

export interface ClusterProofOptions {
  readonly gateways: number;
  readonly processes: number;
  /** How many of the nodes are killed. */
  readonly kills: number;
  /** How long the load is measured, and how long a node stays away when all gateways are back. */
  readonly phaseMs: number;
  readonly reconnect: FleetOrder["reconnect"];
  /** Each gateway has a value to tell so often. */
  readonly periodMs: number;
  readonly queueType: QueueType;
  readonly seed: number;
  /** Debian 13's RabbitMQ in place of this machine's. Needs root and mmdebstrap. */
  readonly debian13: boolean;
  readonly tell: (line: string) => void;
}

export interface ClusterProof {
  readonly version: string;
  /** Of the nodes that were there, with all gateways connected: at peace, then while each of the killed ones was away. */
  readonly loads: readonly (readonly NodeFigures[])[];
  /** By how much the memory of all nodes had grown at peace for each 100 gateways: RSS, and of it what connections hold. */
  readonly rssBytesPer100: number;
  readonly heldBytesPer100: number;
  /** From a node's death to the last gateway that was connected again, for each kill. */
  readonly backMs: readonly number[];
  readonly counted: number;
  /** For each observer. */
  readonly missing: readonly number[];
  readonly doubled: readonly number[];
}

/** The gateways' user may publish below their topics, and nothing else. */
const RIGHTS = [
  ["add_user", "client", "not used: its certificate is"],
  ["set_permissions", "client", "^$", "^amq\\.topic$", "^$"],
  ["set_topic_permissions", "client", "amq.topic", "^fleet\\..*", "^$"],
] as const;
/** Two TLS handshakes each with RabbitMQ 3, which does not speak MQTT 5, and each dear to Erlang. */
const STAGGER_MS = 60;
const DEBIAN_PACKAGES = "rabbitmq-server,util-linux";
const CONNECT_LIMIT_MS = 300_000;
const HEARD_LIMIT_MS = 120_000;
/** Of queues that keep what they took. What a control has lost never comes. */
const CATCH_UP_LIMIT_MS: Readonly<Record<QueueType, number>> = { quorum: 120_000, classic: 10_000 };
/** Each topic that a late reader asks for by name costs the broker a transaction. */
const LATE_TOPICS = 20;

export async function proveCluster(options: ClusterProofOptions): Promise<ClusterProof> {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-cluster-proof-"));
  try {
    return await proveIn(dir, options);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function proveIn(dir: string, options: ClusterProofOptions): Promise<ClusterProof> {
  const random = seededRandom(options.seed);
  const certificates = await writeCertificates(dir, hostClock);
  const debian = options.debian13 ? join(dir, "debian") : undefined;
  if (debian !== undefined) await unpackDebian(debian, DEBIAN_PACKAGES, "trixie-rabbitmq");
  const site = new Site(options, certificates, await startCluster({ ...options, certificates, random, debian }));
  try {
    const begun = await site.begin();
    const doomed = shuffled(site.nodes, random).slice(0, options.kills);
    const backMs: number[] = [];
    for (const node of doomed) backMs.push(await site.killAndBringBack(node));
    await site.tellOfLateReaders();
    return { ...begun, backMs, loads: site.loads, ...(await site.closeTheBooks()) };
  } finally {
    await site.close();
  }
}

class Site {
  readonly nodes: readonly Rabbitmq[];
  readonly loads: (readonly NodeFigures[])[] = [];
  readonly #options: ClusterProofOptions;
  readonly #certificates: Certificates;
  readonly #cluster: Cluster;
  readonly #observers: Observer[] = [];
  #fleet: Fleet | undefined;

  constructor(options: ClusterProofOptions, certificates: Certificates, cluster: Cluster) {
    this.#options = options;
    this.#certificates = certificates;
    this.#cluster = cluster;
    this.nodes = cluster.nodes;
  }

  /** Observers, then gateways; then the load of each node at peace is told. */
  async begin(): Promise<Pick<ClusterProof, "version" | "rssBytesPer100" | "heldBytesPer100">> {
    const { gateways, processes, reconnect, periodMs, queueType, tell } = this.#options;
    const certificates = this.#certificates;
    const version = (await this.nodes[0]?.control("version"))?.trim() ?? "";
    tell(`three nodes of RabbitMQ ${version} run; a subscriber's queue is ${queueType}`);
    for (const words of RIGHTS) await this.nodes[0]?.control(...words);
    for (const n of this.nodes.keys()) {
      const nodes = [...this.nodes.slice(n), ...this.nodes.slice(0, n)];
      this.#observers.push(await Observer.open({ certificates, nodes, name: `observer-${n + 1}` }));
    }
    const empty = await loadsOf(this.nodes);
    const load = { processes, reconnect, periodMs, staggerMs: STAGGER_MS };
    this.#fleet = new Fleet({ certificates, gateways: fleetOf(gateways, this.nodes), ...load });
    await this.#fleet.connected(gateways, CONNECT_LIMIT_MS);
    await this.#allHeard();
    tell(`${gateways} gateways are connected, and every observer has heard of each`);
    const full = await this.#measure(this.nodes);
    const sum = (loads: readonly Pick<NodeFigures, "rssBytes" | "heldBytes">[], of: "rssBytes" | "heldBytes") =>
      loads.reduce((total, load) => total + load[of], 0);
    const grown = (of: "rssBytes" | "heldBytes") => ((sum(full, of) - sum(empty, of)) / gateways) * 100;
    const per100 = { rssBytesPer100: grown("rssBytes"), heldBytesPer100: grown("heldBytes") };
    const rss = `RSS is ${megabytes(sum(full, "rssBytes"))} MB, before the gateways ${megabytes(sum(empty, "rssBytes"))}`;
    tell(`  all three: ${rss}; connections hold ${megabytes(per100.heldBytesPer100)} MB for each 100 gateways`);
    return { version, ...per100 };
  }

  async killAndBringBack(node: Rabbitmq): Promise<number> {
    const { gateways, tell } = this.#options;
    const [load] = await loadsOf([node]);
    const lost = Math.max(0, (load?.connections ?? 0) - this.#observers.length);
    const name = `node ${this.nodes.indexOf(node) + 1}`;
    for (const { offline } of this.#observers) offline.clear();
    this.fleet.forgetAttempts();
    const killedMs = hostClock.monotonicMs();
    await node.kill();
    tell(`${name} is killed, with ${load?.connections} connections`);
    await this.fleet.connected(gateways, CONNECT_LIMIT_MS, lost);
    const backMs = hostClock.monotonicMs() - killedMs;
    const wills = Math.max(...this.#observers.map(({ offline }) => offline.size));
    tell(`  all gateways are back after ${seconds(backMs)} s; ${wills} were told offline by their will`);
    await this.#measure(this.nodes.filter((one) => one !== node));
    const startedMs = hostClock.monotonicMs();
    await node.start();
    tell(`  it is there again, ${seconds(hostClock.monotonicMs() - startedMs)} s after its start`);
    await this.#allHeard();
    tell(
      `  every observer has heard of every gateway since, ${seconds(hostClock.monotonicMs() - startedMs)} s after it`,
    );
    return backMs;
  }

  /** What is retained is kept by the node that got it: how many of the gateways does each node know? */
  async tellOfLateReaders(): Promise<void> {
    const { gateways, tell } = this.#options;
    const asked = Math.min(LATE_TOPICS, gateways);
    const topics = Array.from({ length: asked }, (_, n) => `fleet/${nameOf(n)}/status`);
    const sessions = this.#observers[0]?.sessions;
    const found = await Promise.all(
      this.nodes.map(async (node) => ({
        byName: await retainedAt(node, topics, this.#certificates),
        byWildcard: await retainedAt(node, ["fleet/+/status"], this.#certificates),
      })),
    );
    for (const [n, { byName, byWildcard }] of found.entries()) {
      const old = [...byName].filter(([topic, session]) => session < (sessions?.get(topic) ?? 0)).length;
      const known = `${byName.size} of ${asked} gateways by name, ${old} of them outdated`;
      tell(`a late reader at node ${n + 1} finds the status of ${known}; ${byWildcard.size} by fleet/+`);
    }
  }

  async closeTheBooks(): Promise<Pick<ClusterProof, "counted" | "missing" | "doubled">> {
    const counted = await this.fleet.countNoFurther();
    const limitMs = CATCH_UP_LIMIT_MS[this.#options.queueType];
    for (const observer of this.#observers) {
      const complete = () => observer.counts.missing(counted) === 0;
      await observer.until("all values are there", complete, limitMs).catch(() => undefined);
    }
    const rssMB = megabytes(this.fleet.rssBytes());
    this.#options.tell(`the processes of the gateways took ${rssMB} MB at most`);
    return {
      counted: [...counted.values()].reduce((sum, count) => sum + count, 0),
      missing: this.#observers.map(({ counts }) => counts.missing(counted)),
      doubled: this.#observers.map(({ counts }) => counts.doubled),
    };
  }

  async close(): Promise<void> {
    await this.#fleet?.end();
    for (const observer of this.#observers) await observer.close();
    await this.#cluster.close();
  }

  get fleet(): Fleet {
    if (this.#fleet === undefined) throw new Error("the gateways were not started");
    return this.#fleet;
  }

  async #allHeard(): Promise<void> {
    const { gateways } = this.#options;
    for (const { heard } of this.#observers) heard.clear();
    for (const observer of this.#observers) {
      const all = () => observer.heard.size === gateways;
      const seen = () => `(${observer.heard.size})`;
      await observer.until("an observer has heard of all gateways", all, HEARD_LIMIT_MS, seen);
    }
  }

  async #measure(nodes: readonly Rabbitmq[]): Promise<readonly NodeFigures[]> {
    const { phaseMs, tell } = this.#options;
    const before = await loadsOf(nodes);
    await sleep(hostClock, phaseMs);
    const after = await loadsOf(nodes);
    const figures = nodes.flatMap((node, n) => {
      const [since, now] = [before[n], after[n]];
      if (since === undefined || now === undefined) return [];
      return [figuresOf(this.nodes.indexOf(node) + 1, since, now)];
    });
    for (const one of figures) tell(`  ${inWords(one)}`);
    this.loads.push(figures);
    return figures;
  }
}

/** Each order of the nodes in turn: who loses one is spread over the others. */
function fleetOf(gateways: number, nodes: readonly Rabbitmq[]): readonly FleetGateway[] {
  const orders = permutations(nodes.map(({ url }) => url));
  return Array.from({ length: gateways }, (_, n) => ({ name: nameOf(n), servers: orders[n % orders.length] ?? [] }));
}

function nameOf(n: number): string {
  return `gateway-${n + 1}`;
}

function permutations<T>(items: readonly T[]): readonly (readonly T[])[] {
  if (items.length <= 1) return [items];
  return items.flatMap((first) => permutations(items.filter((item) => item !== first)).map((rest) => [first, ...rest]));
}

function shuffled<T>(items: readonly T[], random: Random): readonly T[] {
  const drawn = items.map((item) => ({ item, at: random.next() }));
  return drawn.toSorted((a, b) => a.at - b.at).map(({ item }) => item);
}

function seconds(ms: number): string {
  return (ms / 1_000).toFixed(1);
}
