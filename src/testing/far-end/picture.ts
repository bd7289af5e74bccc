/**
 * What a consumer may believe of one gateway, composed from every link of the chain between a device and itself:
 *
 *     device ──► gateway ──► broker ──(bridge)──► broker ──► consumer
 *     status     presence               notification          its own connection
 *
 * A pure reducer. A value is current only while every link is known to hold; else `reason` names the one next to the
 * consumer that is not, because of what lies behind it nothing can be known.
 */
import { hearJson, type JsonNode, jsonCutOff, jsonDoubt, jsonNode, type Sign } from "./json-node.ts";
import type { Arrival, Shown } from "./shown.ts";
import {
  hearSparkplug,
  type SparkplugNode,
  sparkplugDoubt,
  sparkplugMissed,
  sparkplugNode,
  wantsRebirth,
} from "./sparkplug-node.ts";

export interface Route {
  /** Which gateway, and in which format. */
  readonly from:
    | { readonly format: "json"; readonly topic: string }
    | { readonly format: "sparkplug"; readonly group: string; readonly name: string };
  /** Notification topics of the bridges that its messages cross, as they are at the consumer's broker. */
  readonly bridges: readonly string[];
}

export interface Picture {
  readonly bridges: ReadonlyMap<string, Bridge>;
  readonly isListening: boolean;
  readonly node: JsonNode | SparkplugNode;
}

interface Bridge {
  readonly state: "unknown" | "up" | "down";
  /** When this was heard, by the consumer's clock. */
  readonly sinceMs: number;
}

export type FarEvent =
  | { readonly type: "listening" }
  | { readonly type: "cut off" }
  | { readonly type: "arrival"; readonly arrival: Arrival };

export interface Belief {
  /** Every link from the gateway to here holds. */
  readonly isCurrent: boolean;
  /** It is current, and the gateway vouches for it. */
  readonly isGood: boolean;
  /** Why it is not good, in words; empty where it is. */
  readonly reason: string;
  /** The last one told, also where it is not current; undefined where none was. */
  readonly shown: Shown | undefined;
}

/** Gateway and consumer agree about the time to within this, as long as the gateway does not say `unsynced`. */
export const CLOCK_ERROR_MS = 500;
/** What crossed a bridge later than this after it was sent tells of the past. */
export const LATE_AFTER_MS = 5_000;

const BRIDGE_UP = "1";

export function unknownPicture({ from, bridges }: Route): Picture {
  return {
    bridges: unheard(bridges, 0),
    isListening: false,
    node: from.format === "json" ? jsonNode(from.topic, bridges.length > 0) : sparkplugNode(from.group, from.name),
  };
}

export function nextPicture(picture: Picture, event: FarEvent, nowMs: number): Picture {
  if (event.type === "listening") return { ...picture, isListening: true };
  if (event.type === "cut off") return cutOff(picture, nowMs);
  const { arrival } = event;
  if (picture.bridges.has(arrival.topic)) return afterNotification(picture, arrival, nowMs);
  return { ...picture, node: heard(picture.node, arrival, nowMs) };
}

/** @param id device/tag */
export function beliefOf(picture: Picture, id: string, nowMs: number): Belief {
  const broken = doubt(picture, id.slice(0, id.indexOf("/")), nowMs);
  const shown = shownIn(picture.node, id);
  const reason = broken || unsound(shown);
  return { isCurrent: broken === "", isGood: reason === "", reason, shown };
}

/** Whether the gateway has to be asked to tell everything anew. Only Sparkplug can be asked. */
export function mustAskForBirth({ isListening, bridges, node }: Picture): boolean {
  const isOpen = isListening && [...bridges.values()].every(({ state }) => state === "up");
  return isOpen && "group" in node && wantsRebirth(node);
}

function doubt({ isListening, bridges, node }: Picture, device: string, nowMs: number): string {
  if (!isListening) return "the consumer is cut off";
  for (const [topic, { state }] of bridges) if (state !== "up") return `the bridge ${topic} is ${state}`;
  if ("group" in node) return sparkplugDoubt(node, device);
  return jsonDoubt(node, device, nowMs) || backlogDoubt(node.sign, bridges);
}

/**
 * A bridge that is back first delivers what it kept meanwhile: the past. It is over with the first message that was
 * sent after the return; and as long as messages are not late.
 */
function backlogDoubt(sign: Sign | undefined, bridges: Picture["bridges"]): string {
  if (bridges.size === 0) return "";
  if (sign === undefined) return "the gateway's time is not known";
  const backMs = Math.max(...[...bridges.values()].map(({ sinceMs }) => sinceMs));
  if (sign.sentAtMs > sign.arrivedAtMs + CLOCK_ERROR_MS) return "the gateway's clock is ahead";
  if (sign.sentAtMs <= backMs + CLOCK_ERROR_MS) return "nothing was sent yet since the bridge is back";
  return sign.arrivedAtMs - sign.sentAtMs > LATE_AFTER_MS ? "the bridge delivers the past" : "";
}

function unheard(topics: readonly string[], sinceMs: number): Picture["bridges"] {
  return new Map(topics.map((topic) => [topic, { state: "unknown", sinceMs }]));
}

function heard(node: Picture["node"], arrival: Arrival, nowMs: number): Picture["node"] {
  return "group" in node ? hearSparkplug(node, arrival) : hearJson(node, arrival, nowMs);
}

function cutOff(picture: Picture, nowMs: number): Picture {
  const node =
    "group" in picture.node
      ? sparkplugMissed(picture.node, "the consumer was cut off since the birth")
      : jsonCutOff(picture.node);
  const bridges = unheard([...picture.bridges.keys()], nowMs);
  return { isListening: false, bridges, node };
}

/** Each "1" is a new connection, also where no "0" was heard before it. */
function afterNotification(picture: Picture, { topic, payload }: Arrival, nowMs: number): Picture {
  const state = Buffer.from(payload).toString() === BRIDGE_UP ? "up" : "down";
  const bridges = new Map(picture.bridges).set(topic, { state, sinceMs: nowMs });
  // What is sent at QoS 0 is kept by no bridge; JSON tells by its own numbers whether anything is missing.
  const node =
    "group" in picture.node ? sparkplugMissed(picture.node, `${topic} was down since the birth`) : picture.node;
  return { ...picture, bridges, node };
}

function unsound(shown: Shown | undefined): string {
  if (shown === undefined) return "nothing was told of it yet";
  return shown.status === "Good" ? "" : `the gateway says ${shown.status}`;
}

function shownIn(node: Picture["node"], id: string): Shown | undefined {
  if (!("group" in node)) return node.tags.get(id);
  const slash = id.indexOf("/");
  return node.born.get(id.slice(0, slash))?.get(id.slice(slash + 1));
}
