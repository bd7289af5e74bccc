/** Ways to break one thing of a recording that is right. */
import type { IPublishPacket } from "mqtt-packet";
import { type Edit, type MadeStory, publishOf } from "./made-story.ts";
import type { Metric, Payload, PropertySet } from "./payload-decoder.ts";
import type { Entry } from "./recording.ts";
import { madeInFive, madeWithHost } from "./right-stories.ts";

export interface Break {
  readonly make: () => MadeStory;
  readonly spoil: (made: MadeStory) => void;
}

const REBIRTH = "Node Control/Rebirth";

export function five(spoil: (made: MadeStory) => void): Break {
  return { make: madeInFive, spoil };
}

export function hosted(spoil: (made: MadeStory) => void): Break {
  return { make: madeWithHost, spoil };
}

function published(type: string, edit: Edit, make = madeInFive): Break {
  return { make, spoil: (made) => made.change(type, edit) };
}

export function onTopic(type: string, topic: string): Break {
  return published(type, { packet: { topic } });
}

export const atQos1 = (type: string) => published(type, { packet: { qos: 1 } });

export function payloads(type: string, payload: (payload: Payload) => Payload, make = madeInFive): Break {
  return published(type, { payload }, make);
}

export const skewed = (type: string) => payloads(type, (p) => ({ ...p, timestamp: (p.timestamp ?? 0n) + 3_600_000n }));
export const misnumbered = (type: string) => payloads(type, (p) => ({ ...p, seq: 99n }));

/** Each metric of the first message of the type. */
export function metrics(type: string, edit: (metric: Metric) => Metric, make = madeInFive): Break {
  return payloads(type, (p) => ({ ...p, metrics: p.metrics.map(edit) }), make);
}

export function rebirthMetric(changes: Partial<Metric>): Break {
  return metrics("NBIRTH", (m) => (m.name === REBIRTH ? { ...m, ...changes } : m));
}

export function properties(edit: (set: PropertySet) => PropertySet): Break {
  return metrics("DBIRTH", (m) => (m.properties === undefined ? m : { ...m, properties: edit(m.properties) }));
}

export function propertyValue(changes: Partial<PropertySet["values"][number]>): Break {
  return properties((set) => ({ ...set, values: set.values.map((value) => ({ ...value, ...changes })) }));
}

export function connects(edit: Parameters<MadeStory["changeConnect"]>[0], make = madeInFive): Break {
  return { make, spoil: (made) => made.changeConnect(edit) };
}

export function will(changes: { topic?: string; qos?: 0 | 1; retain?: boolean }): Break {
  return connects((packet) =>
    packet.will === undefined ? packet : { ...packet, will: { ...packet.will, ...changes } },
  );
}

export function wills(edit: (payload: Payload) => Payload): Break {
  return five((made) => made.changeConnect((packet) => packet, edit));
}

/** A count that goes on where it should go round. */
export const roundTo256 = (p: Payload): Payload => ({
  ...p,
  metrics: p.metrics.map((m) =>
    m.value?.content === 0n ? { ...m, value: { field: "long_value", content: 256n } } : m,
  ),
});

export const bdSeqOff = (p: Payload): Payload => ({
  ...p,
  metrics: p.metrics.map((m) => (m.name === "bdSeq" ? { ...m, value: { field: "long_value", content: 77n } } : m)),
});

export function isOf(entry: Entry, type: string): boolean {
  return publishOf(entry, type) !== undefined;
}

export function without(what: (entry: Entry, before: readonly Entry[]) => boolean): (made: MadeStory) => void {
  return (made) => {
    const before: Entry[] = [];
    made.edit((entry) => {
      const gone = what(entry, before);
      before.push(entry);
      return gone ? [] : [entry];
    });
  };
}

function packetOf(entry: Entry) {
  return entry.kind === "packet" ? entry.packet : undefined;
}

/** The first of these comes right after the first of those. */
export function moved(
  isMoved: (entry: Entry) => boolean,
  isBefore: (entry: Entry) => boolean,
): (made: MadeStory) => void {
  return (made) => {
    const from = made.entries.findIndex(isMoved);
    const [entry] = made.entries.splice(from, 1);
    const to = made.entries.findIndex(isBefore);
    if (entry === undefined || from < 0 || to < 0) throw new Error("nothing to move");
    made.entries.splice(to + 1, 0, entry);
  };
}

export function subscriptionsAtQos0(filter: RegExp, make: () => MadeStory): Break {
  return {
    make,
    spoil: (made) =>
      made.edit((entry) => {
        if (entry.kind !== "packet" || entry.packet?.cmd !== "subscribe") return [entry];
        const subscriptions = entry.packet.subscriptions.map((s) =>
          filter.test(s.topic) ? { ...s, qos: 0 as const } : s,
        );
        return [{ ...entry, packet: { ...entry.packet, subscriptions } }];
      }),
  };
}

/** A birth of the node after what is chosen, as if that had asked for it. */
export function bornAfter(what: (packet: IPublishPacket) => boolean): Break {
  return five((made) => {
    const birth = made.entries.find((entry) => isOf(entry, "NBIRTH"));
    made.edit((entry) => {
      const packet = packetOf(entry);
      const chosen = packet?.cmd === "publish" && entry.kind === "packet" && entry.from === "broker" && what(packet);
      return chosen && birth !== undefined ? [entry, birth, birth] : [entry];
    });
  });
}

export const isState = (entry: Entry) =>
  packetOf(entry)?.cmd === "publish" && String(publishTopic(entry)).includes("/STATE/");
export function publishTopic(entry: Entry): string | undefined {
  const packet = packetOf(entry);
  return packet?.cmd === "publish" ? packet.topic : undefined;
}

/** The births come before the STATE that they must wait for, which is this one in order. */
export function bornBeforeState(nth: number): Break {
  return hosted((made) => {
    const state = made.entries.filter(isState)[nth];
    const birth = made.entries.findIndex((entry) => entry !== state && isOf(entry, "NBIRTH"));
    const [entry] = made.entries.splice(birth, 1);
    if (entry === undefined || state === undefined) throw new Error("nothing to move");
    made.entries.splice(made.entries.indexOf(state), 0, entry);
  });
}

export const unanswered = five(
  without((entry, before) => isOf(entry, "NBIRTH") && before.some((e) => isOf(e, "NBIRTH"))),
);
export const isDeath = (entry: Entry) => isOf(entry, "NDEATH");
export const isFarewell = (entry: Entry) => packetOf(entry)?.cmd === "disconnect";
export const isConnack = (entry: Entry) => packetOf(entry)?.cmd === "connack";

/** Whether entries of the second session of a story with a host begin here. */
export const onSecond = (entry: Entry) => entry.kind !== "mark" && entry.connection === 2;

/** What was marked was so long before, from the first births on. */
export function markedEarly(what: string): Break {
  return five((made) => {
    const mark = made.entries.find((entry) => entry.kind === "mark" && entry.mark.what === what);
    const birth = made.entries.find((entry) => isOf(entry, "DBIRTH"));
    if (mark === undefined || birth === undefined) throw new Error("nothing to move");
    made.edit((entry) => (entry === birth ? [entry, { ...mark, atMs: entry.atMs }] : entry === mark ? [] : [entry]));
  });
}

export const lateData = five((made) => {
  const data = made.entries.find((entry) => isOf(entry, "DDATA"));
  made.edit((entry) => {
    const isCommand = publishTopic(entry) === "spBv1.0/g/NCMD/n5" && data !== undefined;
    return isCommand && made.entries.indexOf(entry) > 100 ? [entry, { ...data, atMs: entry.atMs + 3_000 }] : [entry];
  });
});
