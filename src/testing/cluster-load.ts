/** What each node of a cluster has to carry: connections and messages, processor and memory. */
import { hostClock } from "../core/clock.ts";
import { cpuSecondsOf, residentBytesOf } from "./process-figures.ts";
import type { Rabbitmq } from "./rabbitmq.ts";
import { connectionsAt } from "./sockets.ts";

/** Of one node at one moment; what is counted is counted since its start. */
export interface NodeLoad {
  readonly atMs: number;
  readonly connections: number;
  readonly rssBytes: number;
  /** What processes of Erlang and their binaries hold after a collection: connections, not what queues keep. */
  readonly heldBytes: number;
  readonly cpuMs: number;
  /** Messages from clients connected to this node; to them. */
  readonly received: number;
  readonly delivered: number;
}

const SECOND_MS = 1_000;

export async function loadsOf(nodes: readonly Rabbitmq[]): Promise<readonly NodeLoad[]> {
  const counters = await countersOf(nodes);
  return await Promise.all(
    nodes.map(async ({ pid, port }, n) => ({
      atMs: hostClock.monotonicMs(),
      connections: await connectionsAt(port),
      rssBytes: (await residentBytesOf(pid)).now,
      heldBytes: counters[n]?.heldBytes ?? Number.NaN,
      cpuMs: (await cpuSecondsOf(pid)) * SECOND_MS,
      received: counters[n]?.received ?? Number.NaN,
      delivered: counters[n]?.delivered ?? Number.NaN,
    })),
  );
}

/** What a node had to carry between two moments. */
export interface NodeFigures {
  readonly node: number;
  readonly connections: number;
  readonly receivedPerS: number;
  readonly deliveredPerS: number;
  /** Of one core. */
  readonly cpuPercent: number;
  readonly rssBytes: number;
  readonly heldBytes: number;
}

export function figuresOf(node: number, since: NodeLoad, now: NodeLoad): NodeFigures {
  const perMs = (of: "received" | "delivered" | "cpuMs") => (now[of] - since[of]) / (now.atMs - since.atMs);
  return {
    node,
    connections: now.connections,
    receivedPerS: perMs("received") * SECOND_MS,
    deliveredPerS: perMs("delivered") * SECOND_MS,
    cpuPercent: perMs("cpuMs") * 100,
    rssBytes: now.rssBytes,
    heldBytes: now.heldBytes,
  };
}

export function inWords({ node, connections, receivedPerS, deliveredPerS, cpuPercent, rssBytes }: NodeFigures): string {
  return [
    `node ${node}: ${connections} connections`,
    `${receivedPerS.toFixed(1)} messages/s in, ${deliveredPerS.toFixed(1)} out`,
    `${cpuPercent.toFixed(0)} % of a core`,
    `RSS ${megabytes(rssBytes)} MB`,
  ].join(", ");
}

export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(0);
}

/** Asked of one node for all: each question costs the start of a program. */
async function countersOf(
  nodes: readonly Rabbitmq[],
): Promise<readonly Pick<NodeLoad, "received" | "delivered" | "heldBytes">[]> {
  const names = nodes.map(({ name }) => `'${name}'`).join(",");
  const sum = (counter: string) => `lists:sum([maps:get(${counter},C,0)||C<-maps:values(M)])`;
  const held = "lists:sum([B||{_,B}<-erpc:call(N,erlang,memory,[[processes,binary]])])";
  const three = `{${sum("messages_received_total")},${sum("messages_delivered_total")},${held}}`;
  const collected = "erpc:call(N,rabbit_runtime,gc_all_processes,[]),M=erpc:call(N,rabbit_global_counters,overview,[])";
  const all = `[begin ${collected},${three} end||N<-[${names}]].`;
  const told = (await nodes[0]?.control("eval", all)) ?? "";
  return [...told.matchAll(/\{(\d+),\s*(\d+),\s*(\d+)\}/g)].map(([, received, delivered, heldBytes]) => ({
    received: Number(received),
    delivered: Number(delivered),
    heldBytes: Number(heldBytes),
  }));
}
