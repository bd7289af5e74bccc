/** Names, topics, and how each message is published. */
import { ALL, type Check, eachSent, eachSession, type Report } from "./check.ts";
import type { SiteFacts, Story } from "./story.ts";

const SPARKPLUG_TOPIC = /^[^/]+\/[^/]+\/(?:N(?:BIRTH|DATA|DEATH)\/[^/]+|D(?:BIRTH|DATA|DEATH)\/[^/]+\/[^/]+)$/;
/** What a broken UTF-8 sequence reads as. */
const NOT_UTF8 = "\ufffd";

const LEVEL = { group: 1, node: 3, device: 4 } as const;

/** A level of every topic that the gateway uses, the will's included. */
function eachName(
  stories: readonly Story[],
  level: number,
  visit: (name: string, story: Story, index: number) => void,
): void {
  const at = (topic: string, story: Story, index: number) => {
    const name = topic.split("/")[level];
    if (name !== undefined) visit(name, story, index);
  };
  eachSession(stories, ({ connect, index }, story) => at(connect.will?.topic ?? "", story, index));
  eachSent(stories, ALL, ({ topic, index }, _, story) => at(topic, story, index));
}

function nameIsUtf8(level: number): Check {
  return (stories, report) =>
    eachName(stories, level, (name, story, index) =>
      report.expect(name !== "" && !name.includes(NOT_UTF8), story, index, `${name} is no UTF-8 text`),
    );
}

function nameIsLegal(level: number): Check {
  return (stories, report) =>
    eachName(stories, level, (name, story, index) =>
      report.expect(!/[+#\0]/.test(name), story, index, `${name} has a character that no topic name may have`),
    );
}

function topicOf({ group, node }: SiteFacts, type: string, device: string | undefined): string {
  return ["spBv1.0", group, type, node, ...(device === undefined ? [] : [device])].join("/");
}

function hasItsTopic(type: string): Check {
  return (stories, report) =>
    eachSent(stories, [type], ({ topic, device, index }, _, story) => {
      const right = type.startsWith("D") ? story.site.devices.includes(device ?? "") : device === undefined;
      report.expect(right && topic === topicOf(story.site, type, device), story, index, `${type} on ${topic}`);
    });
}

function goesOnceUnretained(type: string): Check {
  return (stories, report) =>
    eachSent(stories, [type], ({ qos, retain, index }, _, story) => {
      report.expect(qos === 0, story, index, `${type} at QoS ${qos}`);
      report.expect(!retain, story, index, `${type} retained`);
    });
}

const everyTopic =
  (holds: (topic: string) => boolean, types: readonly string[] = []): Check =>
  (stories, report) =>
    eachSession(stories, (session, story) => {
      for (const { topic, type, index } of session.sent) {
        if (types.length === 0 || types.includes(type)) report.expect(holds(topic), story, index, `the topic ${topic}`);
      }
    });

/** Whether names differ by letter case alone. */
function expectDistinct(names: Iterable<string>, report: Report, story: Story): void {
  const seen = new Map<string, string>();
  for (const name of names) {
    const other = seen.get(name.toLowerCase());
    report.expect(other === undefined || other === name, story, story.end, `${name} and ${other} differ by case only`);
    seen.set(name.toLowerCase(), name);
  }
}

/** The client ids that were seen under each group and node. */
function clients(stories: readonly Story[]): ReadonlyMap<string, ReadonlySet<string>> {
  const found = new Map<string, Set<string>>();
  eachSent(stories, ["NBIRTH"], ({ topic }, { connect }) => {
    found.set(topic, (found.get(topic) ?? new Set()).add(connect.clientId));
  });
  return found;
}

const oneClientPerNode: Check = (stories, report) => {
  const found = clients(stories);
  for (const story of stories) {
    const ids = found.get(topicOf(story.site, "NBIRTH", undefined));
    if (ids !== undefined) report.expect(ids.size === 1, story, story.end, `one node, clients ${[...ids].join(", ")}`);
  }
};

const devicesAreDistinct: Check = (stories, report) => {
  eachSent(stories, ["DBIRTH"], ({ device, index }, _, { site, ...story }) =>
    report.expect(
      site.devices.filter((known) => known === device).length === 1,
      { site, ...story },
      index,
      `${device}`,
    ),
  );
};

const namesDifferByMoreThanCase: Check = (stories, report) => {
  for (const story of stories) {
    const ids = new Set<string>();
    eachName([story], LEVEL.group, (name) => ids.add(name));
    eachName([story], LEVEL.node, (name) => ids.add(name));
    eachName([story], LEVEL.device, (name) => ids.add(name));
    expectDistinct(ids, report, story);
  }
};

const metricsDifferByMoreThanCase: Check = (stories, report) => {
  for (const story of stories) {
    const byTopic = new Map<string, Set<string>>();
    eachSent([story], ["NBIRTH", "DBIRTH"], ({ topic, payload }) => {
      const names = byTopic.get(topic) ?? new Set<string>();
      byTopic.set(topic, names);
      for (const { name } of payload?.metrics ?? []) names.add(name ?? "");
    });
    for (const names of byTopic.values()) expectDistinct(names, report, story);
  }
};

const sameDeviceUnderTwoNodes: Check = (stories, report) => {
  const nodesOf = new Map<string, Set<string>>();
  eachSent(stories, ["DBIRTH"], ({ device = "" }, _, { site }) => {
    nodesOf.set(device, (nodesOf.get(device) ?? new Set()).add(`${site.group}/${site.node}`));
  });
  for (const nodes of nodesOf.values()) if (nodes.size > 1) report.look();
};

const D_TYPES = ["DBIRTH", "DDATA", "DDEATH"];
const N_TYPES = ["NBIRTH", "NDATA", "NDEATH"];

export const TOPIC_CHECKS: Readonly<Record<string, Check>> = {
  "group-is-utf8": nameIsUtf8(LEVEL.group),
  "node-is-utf8": nameIsUtf8(LEVEL.node),
  "device-is-utf8": nameIsUtf8(LEVEL.device),
  "group-is-legal": nameIsLegal(LEVEL.group),
  "node-is-legal": nameIsLegal(LEVEL.node),
  "device-is-legal": nameIsLegal(LEVEL.device),
  "one-client-per-node": oneClientPerNode,
  "devices-are-distinct": devicesAreDistinct,
  "names-differ-by-more-than-case": namesDifferByMoreThanCase,
  "metrics-differ-by-more-than-case": metricsDifferByMoreThanCase,
  "same-device-under-two-nodes": sameDeviceUnderTwoNodes,
  "topic-form": everyTopic((topic) => SPARKPLUG_TOPIC.test(topic)),
  namespace: everyTopic((topic) => topic.startsWith("spBv1.0/")),
  "d-messages-name-a-device": everyTopic((topic) => topic.split("/").length === 5, D_TYPES),
  "n-messages-name-no-device": everyTopic((topic) => topic.split("/").length === 4, N_TYPES),
  "nbirth-topic": hasItsTopic("NBIRTH"),
  "ndata-topic": hasItsTopic("NDATA"),
  "ndeath-topic": hasItsTopic("NDEATH"),
  "dbirth-topic": hasItsTopic("DBIRTH"),
  "ddata-topic": hasItsTopic("DDATA"),
  "ddeath-topic": hasItsTopic("DDEATH"),
  "nbirth-qos-retain": goesOnceUnretained("NBIRTH"),
  "ndata-qos-retain": goesOnceUnretained("NDATA"),
  "dbirth-qos-retain": goesOnceUnretained("DBIRTH"),
  "ddata-qos-retain": goesOnceUnretained("DDATA"),
  "ddeath-qos-retain": goesOnceUnretained("DDEATH"),
};
