/** For each check a recording that is right in everything but what the check is for. */
import type { IPublishPacket } from "mqtt-packet";
import {
  atQos1,
  type Break,
  bdSeqOff,
  bornAfter,
  bornBeforeState,
  connects,
  five,
  hosted,
  isConnack,
  isDeath,
  isFarewell,
  isOf,
  isState,
  lateData,
  markedEarly,
  metrics,
  misnumbered,
  moved,
  onSecond,
  onTopic,
  payloads,
  properties,
  propertyValue,
  publishTopic,
  rebirthMetric,
  roundTo256,
  skewed,
  subscriptionsAtQos0,
  unanswered,
  will,
  wills,
  without,
} from "./breaks.ts";
import { metric } from "./made-story.ts";
import { madeInFive, madeInThree, madeWithHost } from "./right-stories.ts";

const TOPICS: readonly (readonly [string, Break])[] = [
  ["group-is-utf8", onTopic("DDATA", "spBv1.0/\ufffd/DDATA/n5/d1")],
  ["node-is-utf8", onTopic("DDATA", "spBv1.0/g/DDATA/\ufffd/d1")],
  ["device-is-utf8", onTopic("DDATA", "spBv1.0/g/DDATA/n5/\ufffd")],
  ["group-is-legal", onTopic("DDATA", "spBv1.0/g+/DDATA/n5/d1")],
  ["node-is-legal", onTopic("DDATA", "spBv1.0/g/DDATA/n#5/d1")],
  ["device-is-legal", onTopic("DDATA", "spBv1.0/g/DDATA/n5/d#")],
  [
    "one-client-per-node",
    five((made) => {
      let n = 0;
      made.changeConnect((packet) => ({ ...packet, clientId: `client-${n++}` }));
    }),
  ],
  ["devices-are-distinct", onTopic("DBIRTH", "spBv1.0/g/DBIRTH/n5/d3")],
  ["names-differ-by-more-than-case", onTopic("DDATA", "spBv1.0/g/DDATA/n5/D1")],
  [
    "metrics-differ-by-more-than-case",
    payloads("DBIRTH", (p) => ({ ...p, metrics: [...p.metrics, metric("R0", { timestamp: p.timestamp })] })),
  ],
  ["topic-form", onTopic("NDATA", "spBv1.0/g/NDATA/n5/x/y")],
  ["namespace", onTopic("NDATA", "spAv1.0/g/NDATA/n5")],
  ["d-messages-name-a-device", onTopic("DDATA", "spBv1.0/g/DDATA/n5")],
  ["n-messages-name-no-device", onTopic("NDATA", "spBv1.0/g/NDATA/n5/d1")],
  ...["NBIRTH", "NDATA", "NDEATH"].map((t) => [`${t.toLowerCase()}-topic`, onTopic(t, `spBv1.0/g/${t}/n6`)] as const),
  ...["DBIRTH", "DDATA", "DDEATH"].map(
    (t) => [`${t.toLowerCase()}-topic`, onTopic(t, `spBv1.0/g/${t}/n6/d1`)] as const,
  ),
  ...["NBIRTH", "NDATA", "DBIRTH", "DDATA", "DDEATH"].map((t) => [`${t.toLowerCase()}-qos-retain`, atQos1(t)] as const),
];

const ORDER: readonly (readonly [string, Break])[] = [
  ["nbirth-seq-is-0", misnumbered("NBIRTH")],
  ...["NDATA", "DBIRTH", "DDATA", "DDEATH"].map((t) => [`${t.toLowerCase()}-seq-steps`, misnumbered(t)] as const),
  [
    "seq-wraps",
    five((made) => made.change("DDATA", { payload: (p) => (p.seq === 0n ? { ...p, seq: 256n } : p) }, "each")),
  ],
  ["seq-everywhere", payloads("NDATA", (p) => ({ ...p, seq: undefined }))],
  ...["NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH"].map((t) => [`${t.toLowerCase()}-sent-now`, skewed(t)] as const),
  [
    "history-sent-now",
    five((made) =>
      made.change("DDATA", { payload: (p) => ({ ...p, timestamp: (p.timestamp ?? 0n) - 60_000n }) }, "each"),
    ),
  ],
  ["payloads-in-utc", skewed("NDATA")],
  ["metrics-in-utc", metrics("DDATA", (m) => ({ ...m, timestamp: (m.timestamp ?? 0n) + 3_600_000n }))],
  [
    "first-is-nbirth",
    five(
      moved(
        (e) => isOf(e, "NBIRTH"),
        (e) => isOf(e, "DBIRTH"),
      ),
    ),
  ],
  ["connack-comes-first", five(moved(isConnack, (e) => isOf(e, "NBIRTH")))],
  [
    "nbirth-before-dbirth",
    five(
      moved(
        (e) => isOf(e, "NBIRTH"),
        (e) => isOf(e, "DBIRTH"),
      ),
    ),
  ],
  ["dbirth-names-its-node", onTopic("DBIRTH", "spBv1.0/g/DBIRTH/n6/d1")],
  [
    "dbirths-follow-nbirth",
    five(
      moved(
        (e) => isOf(e, "DBIRTH"),
        (e) => isOf(e, "DDATA"),
      ),
    ),
  ],
  [
    "ndata-after-births",
    five(
      moved(
        (e) => isOf(e, "NDATA"),
        (e) => isOf(e, "NBIRTH"),
      ),
    ),
  ],
  [
    "ddata-after-births",
    five(
      moved(
        (e) => isOf(e, "DDATA"),
        (e) => isOf(e, "NBIRTH"),
      ),
    ),
  ],
  ["silence-brings-ddeath", five(without((e) => isOf(e, "DDEATH")))],
];

const SESSIONS: readonly (readonly [string, Break])[] = [
  ["clean-session-311", connects((packet) => ({ ...packet, clean: false }), madeInThree)],
  ["clean-start-5", connects((packet) => ({ ...packet, properties: { sessionExpiryInterval: 60 } }))],
  ["will-is-there", connects(({ will: _, ...packet }) => packet)],
  ["will-topic", will({ topic: "spBv1.0/g/NDEATH/n6" })],
  ["will-is-payload", wills((p) => ({ ...p, flaws: ["it has a field 99"] }))],
  ["will-qos-1", will({ qos: 0 })],
  ["will-unretained", will({ retain: true })],
  ["bdseq-steps", wills(bdSeqOff)],
  ["bdseq-wraps", { make: madeInThree, spoil: (made) => made.changeConnect((packet) => packet, roundTo256) }],
  ["nbirth-has-bdseq", payloads("NBIRTH", (p) => ({ ...p, metrics: p.metrics.filter((m) => m.name !== "bdSeq") }))],
  ["nbirth-bdseq-is-wills", payloads("NBIRTH", bdSeqOff)],
  ["ndeath-is-bdseq", payloads("NDEATH", (p) => ({ ...p, metrics: [...p.metrics, metric("more")] }))],
  ["ndeath-has-no-seq", misnumbered("NDEATH")],
  ["ndeath-bdseq-is-births", payloads("NDEATH", bdSeqOff)],
  ["subscribes-ncmd", subscriptionsAtQos0(/NCMD/, madeInFive)],
  ["subscribes-dcmd", subscriptionsAtQos0(/DCMD/, madeInFive)],
  ["subscribes-state", subscriptionsAtQos0(/STATE/, madeWithHost)],
  ["stop-tells-ndeath", five(without(isDeath))],
  ["stop-ends-the-link", { make: madeInThree, spoil: without((e) => isFarewell(e) || e.kind === "closed") }],
  ["ndeath-before-disconnect-311", { make: madeInThree, spoil: without(isDeath) }],
  [
    "disconnect-with-will-5",
    five((made) =>
      made.edit((e) =>
        isFarewell(e) && e.kind === "packet" ? [{ ...e, packet: { cmd: "disconnect", reasonCode: 0 } }] : [e],
      ),
    ),
  ],
  ["one-server-at-a-time", hosted(without((e) => e.kind === "closed"))],
];

const METRICS: readonly (readonly [string, Break])[] = [
  ...["NBIRTH", "DBIRTH"].map(
    (t) => [`${t.toLowerCase()}-is-payload`, payloads(t, (p) => ({ ...p, flaws: ["a name is no UTF-8"] }))] as const,
  ),
  ["nbirth-is-whole", metrics("NBIRTH", (m) => ({ ...m, value: undefined }))],
  ["dbirth-is-whole", metrics("DBIRTH", (m) => ({ ...m, isNull: true }))],
  ["ndata-is-born", metrics("NDATA", (m) => ({ ...m, name: "other" }))],
  ["ddata-is-born", metrics("DDATA", (m) => ({ ...m, value: { field: "float_value", content: 1 } }))],
  ["ndata-has-metrics", payloads("NDATA", (p) => ({ ...p, metrics: [] }))],
  ["ddata-tells-changes", five(without((e) => isOf(e, "DDATA") && publishTopic(e)?.endsWith("/d2") === true))],
  ["rebirth-is-there", rebirthMetric({ name: "Node Control/Reboot" })],
  ["rebirth-has-no-alias", rebirthMetric({ alias: 9n })],
  ["rebirth-is-boolean", rebirthMetric({ datatype: 3n })],
  ["rebirth-is-false", rebirthMetric({ value: { field: "boolean_value", content: true } })],
  ["rebirth-is-false-boolean", rebirthMetric({ datatype: 3n })],
  ["ndata-is-change", metrics("NDATA", (m) => ({ ...m, value: { field: "long_value", content: 1n } }))],
  [
    "ddata-is-change",
    five((made) =>
      made.change(
        "DDATA",
        {
          payload: (p) => ({
            ...p,
            metrics: p.metrics.map((m) => ({ ...m, value: { field: "int_value", content: 5n } })),
          }),
        },
        "each",
      ),
    ),
  ],
  ["standing-is-silence", markedEarly("values stand")],
  ["node-in-time-order", metrics("NBIRTH", (m) => (m.name === "uptime" ? { ...m, timestamp: 1n } : m))],
  [
    "device-in-time-order",
    payloads("DDATA", (p) => ({ ...p, metrics: [...p.metrics, ...p.metrics.map((m) => ({ ...m, timestamp: 1n }))] })),
  ],
  ["metric-has-name-or-alias", metrics("DDATA", (m) => ({ ...m, name: undefined }))],
  ["metric-has-time", metrics("NDATA", (m) => ({ ...m, timestamp: undefined }))],
  ["aliases-are-unique", metrics("DBIRTH", (m) => ({ ...m, alias: 1n }), madeInThree)],
  ["births-have-aliases", metrics("DBIRTH", (m) => ({ ...m, alias: undefined }), madeInThree)],
  ["data-has-aliases-only", metrics("DDATA", (m) => ({ ...m, name: "r0" }), madeInThree)],
  ["datatype-is-uint32", metrics("DBIRTH", (m) => ({ ...m, datatype: 2n ** 32n }))],
  ["datatype-is-known", metrics("DBIRTH", (m) => ({ ...m, datatype: 99n }))],
  ["births-have-datatypes", metrics("DBIRTH", (m) => ({ ...m, datatype: undefined }))],
  ["data-has-no-datatypes", metrics("DDATA", (m) => ({ ...m, datatype: 6n }))],
  ["property-keys-match-values", properties((set) => ({ ...set, keys: [...set.keys, "more"] }))],
  ["property-type-is-uint32", propertyValue({ type: 2n ** 32n })],
  ["property-type-is-known", propertyValue({ type: 22n })],
  ["birth-properties-have-types", propertyValue({ type: undefined })],
  ["quality-is-int32", propertyValue({ type: 7n })],
  ["quality-is-0-192-500", propertyValue({ value: { field: "int_value", content: 64n } })],
  ["no-datasets", metrics("DDATA", (m) => ({ ...m, value: { field: "dataset_value", content: undefined } }))],
  ["no-templates", metrics("NBIRTH", (m) => ({ ...m, value: { field: "template_value", content: undefined } }))],
];

const HOSTS: readonly (readonly [string, Break])[] = [
  ["host-is-waited-for", bornBeforeState(0)],
  ["only-its-host-counts", bornBeforeState(0)],
  ["host-must-be-online", bornBeforeState(1)],
  ["stale-online-is-ignored", bornBeforeState(2)],
  ["next-server-waits-too", hosted(without((e) => onSecond(e) && isState(e)))],
  ["host-loss-tells-ndeath", hosted(without(isDeath))],
  ["host-loss-ends-session", hosted(without((e) => e.kind === "closed"))],
  ["host-loss-moves-on", hosted((made) => made.edit((e) => (e.kind === "opened" ? [{ ...e, server: "a" }] : [e])))],
  ["stale-offline-is-ignored", hosted(without((e, before) => isOf(e, "DDATA") && before.filter(isState).length === 4))],
];

const isNcmd = (packet: IPublishPacket) => packet.topic.includes("NCMD");
const isDcmd = (packet: IPublishPacket) => packet.topic.includes("DCMD");

const COMMANDS: readonly (readonly [string, Break])[] = [
  ["rebirth-stops-data", lateData],
  [
    "rebirth-bears-all",
    five(without((e, before) => isOf(e, "DBIRTH") && before.filter((b) => isOf(b, "NBIRTH")).length === 2)),
  ],
  ["rebirth-keeps-bdseq", five((made) => made.change("NBIRTH", { payload: bdSeqOff }, "each"))],
  ...[
    "ncmd-is-heard",
    "ncmd-at-qos-0",
    "ncmd-with-time",
    "ncmd-without-time",
    "ncmd-without-seq",
    "metric-without-time",
  ].map((check) => [check, unanswered] as const),
  [
    "rebirth-by-name-beside-aliases",
    {
      make: madeInThree,
      spoil: without((e, before) => isOf(e, "NBIRTH") && before.some((b) => isOf(b, "NBIRTH"))),
    },
  ],
  ...["rebirth-false-is-nothing", "unknown-ncmd-is-harmless", "wrong-ncmd-is-harmless", "retained-ncmd-is-nothing"].map(
    (check) => [check, bornAfter(isNcmd)] as const,
  ),
  ...["dcmd-is-harmless", "unknown-dcmd-is-harmless", "wrong-dcmd-is-harmless", "retained-dcmd-is-nothing"].map(
    (check) => [check, bornAfter(isDcmd)] as const,
  ),
];

export const BREAKS: ReadonlyMap<string, Break> = new Map([
  ...TOPICS,
  ...ORDER,
  ...SESSIONS,
  ...METRICS,
  ...HOSTS,
  ...COMMANDS,
]);
