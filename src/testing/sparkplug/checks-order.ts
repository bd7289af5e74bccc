/** Sequence numbers, the order of births and data, and when it was sent. */
import { ALL, type Check, DATA, eachSent, eachSession } from "./check.ts";
import { deadDevices, silentDevices } from "./silence.ts";
import type { SentMessage, Session, Story } from "./story.ts";

const SEQ_COUNT = 256n;
/** Between a payload's time and the observer's, on a busy machine. */
const SEND_TOLERANCE_MS = 5_000;
/** A clock that does not tell UTC is off by half an hour at least. */
const UTC_TOLERANCE_MS = 20 * 60_000;

/** Each message with the seq that it should carry; it restarts with each birth of the node. */
function eachExpectedSeq(
  session: Session,
  visit: (message: SentMessage, expected: bigint, before: bigint | undefined) => void,
): void {
  let last: bigint | undefined;
  for (const message of session.sent) {
    if (!ALL.includes(message.type) || message.type === "NDEATH") continue;
    const expected = message.type === "NBIRTH" ? 0n : ((last ?? -1n) + 1n) % SEQ_COUNT;
    visit(message, expected, last);
    // A wrong number is told once: those that follow it are held to it.
    last = message.payload?.seq ?? expected;
  }
}

function seqSteps(type: string): Check {
  return (stories, report) =>
    eachSession(stories, (session, story) =>
      eachExpectedSeq(session, (message, expected) => {
        if (message.type !== type) return;
        const seq = message.payload?.seq;
        report.expect(seq === expected, story, message.index, `${type} has seq ${seq}, not ${expected}`);
      }),
    );
}

/** Nothing is proved before it has gone round. */
const seqWraps: Check = (stories, report) =>
  eachSession(stories, (session, story) =>
    eachExpectedSeq(session, ({ type, payload, index }, expected, before) => {
      if (type === "NBIRTH") return;
      if (before === SEQ_COUNT - 1n) report.expect(payload?.seq === 0n, story, index, `seq ${payload?.seq} after 255`);
      else if (payload?.seq !== expected) report.expect(false, story, index, `seq ${payload?.seq} after ${before}`);
    }),
  );

const seqEverywhere: Check = (stories, report) =>
  eachSent(stories, ALL, ({ type, payload, index }, _, story) => {
    if (type === "NDEATH") return;
    const seq = payload?.seq;
    report.expect(seq !== undefined && seq < SEQ_COUNT, story, index, `${type} has seq ${seq}`);
  });

function sentNow(type: string, holdsFor: (message: SentMessage) => boolean = () => true): Check {
  return (stories, report) =>
    eachSent(stories, [type], (message, _, story) => {
      if (!holdsFor(message)) return;
      const offMs = Number(message.payload?.timestamp ?? 0n) - message.atMs;
      report.expect(Math.abs(offMs) <= SEND_TOLERANCE_MS, story, message.index, `${type} is ${offMs} ms off`);
    });
}

function hasHistory({ payload }: SentMessage): boolean {
  return payload?.metrics.some((metric) => metric.isHistorical === true) ?? false;
}

const payloadsInUtc: Check = (stories, report) =>
  eachSent(stories, ALL, ({ type, payload, atMs, index }, _, story) => {
    if (!story.site.farFromUtc || payload?.timestamp === undefined) return;
    const offMs = Number(payload.timestamp) - atMs;
    report.expect(Math.abs(offMs) < UTC_TOLERANCE_MS, story, index, `${type} is ${offMs} ms off UTC`);
  });

const metricsInUtc: Check = (stories, report) =>
  eachSent(stories, ALL, ({ payload, atMs, index }, _, story) => {
    if (!story.site.farFromUtc) return;
    for (const { name, timestamp } of payload?.metrics ?? []) {
      if (timestamp === undefined) continue;
      const offMs = Number(timestamp) - atMs;
      report.expect(Math.abs(offMs) < UTC_TOLERANCE_MS, story, index, `${name} is ${offMs} ms off UTC`);
    }
  });

const firstIsNbirth: Check = (stories, report) =>
  eachSession(stories, ({ sent: [first] }, story) => {
    if (first !== undefined) report.expect(first.type === "NBIRTH", story, first.index, `the first is ${first.topic}`);
  });

const connackComesFirst: Check = (stories, report) =>
  eachSession(stories, ({ sent: [first], accepted }, story) => {
    if (first === undefined) return;
    report.expect(
      accepted !== undefined && accepted < first.index,
      story,
      first.index,
      `${first.topic} before CONNACK`,
    );
  });

const nbirthBeforeDbirth: Check = (stories, report) =>
  eachSession(stories, ({ sent }, story) => {
    const nbirth = sent.find(({ type }) => type === "NBIRTH");
    for (const { type, index } of sent) {
      if (type === "DBIRTH") report.expect((nbirth?.index ?? story.end) < index, story, index, "DBIRTH before NBIRTH");
    }
  });

const dbirthNamesItsNode: Check = (stories, report) =>
  eachSession(stories, ({ sent }, story) => {
    let group: string | undefined;
    let node: string | undefined;
    for (const { type, topic, index } of sent) {
      const levels = topic.split("/");
      if (type === "NBIRTH") [, group, , node] = levels;
      if (type !== "DBIRTH") continue;
      report.expect(
        levels[1] === group && levels[3] === node,
        story,
        index,
        `${topic} after NBIRTH of ${group}/${node}`,
      );
    }
  });

/** Only a device that was lost when the node was born may be born amid data. */
const dbirthsFollowNbirth: Check = (stories, report) =>
  eachSession(stories, (session, story) => {
    let born = new Set<string>();
    let excused = new Set<string>();
    let data = false;
    for (const { type, device = "", index } of session.sent) {
      if (type === "NBIRTH") {
        born = new Set();
        excused = new Set([...silentDevices(story, index), ...deadDevices(session, index)]);
        data = false;
      }
      if (DATA.includes(type)) data = true;
      if (type !== "DBIRTH") continue;
      const late = data && !born.has(device) && !excused.has(device);
      report.expect(!late, story, index, `DBIRTH of ${device} after data`);
      born.add(device);
    }
  });

const ndataAfterBirths: Check = (stories, report) =>
  eachSession(stories, (session, story) => {
    const { sent } = session;
    for (const [i, message] of sent.entries()) {
      if (message.type !== "NDATA") continue;
      const nbirth = sent.slice(0, i).findLastIndex(({ type }) => type === "NBIRTH");
      const missing = nbirth < 0 ? ["the node"] : unborn(story, session, nbirth, message);
      report.expect(missing.length === 0, story, message.index, `NDATA before the birth of ${missing.join(", ")}`);
    }
  });

/** Devices that answered when the node was born and that this message came before. */
function unborn(story: Story, session: Session, nbirth: number, message: SentMessage): readonly string[] {
  const { sent } = session;
  const from = sent[nbirth]?.index ?? 0;
  const excused = new Set([...silentDevices(story, from), ...deadDevices(session, from)]);
  const born = sent.filter(({ type, index }) => type === "DBIRTH" && index > from && index < message.index);
  return story.site.devices.filter((device) => !excused.has(device) && !born.some((birth) => birth.device === device));
}

const ddataAfterBirths: Check = (stories, report) =>
  eachSession(stories, ({ sent }, story) => {
    let alive = new Set<string>();
    for (const { type, device = "", index } of sent) {
      if (type === "NBIRTH") alive = new Set();
      if (type === "DBIRTH") alive.add(device);
      if (type === "DDEATH") alive.delete(device);
      if (type === "DDATA") report.expect(alive.has(device), story, index, `DDATA of ${device}, which is not born`);
    }
  });

/** In each session that is born while it falls silent; and its return is a birth. */
const silenceBringsDdeath: Check = (stories, report) =>
  eachSession(stories, ({ sent, closed }, story) => {
    for (const { mark, index } of story.marks) {
      if (mark.what !== "device fell silent") continue;
      const { device } = mark;
      const back = story.marks.find(
        (m) => m.index > index && m.mark.what === "device answers again" && m.mark.device === device,
      );
      const until = back?.index ?? story.end;
      const isBorn = sent.some((m) => m.type === "DBIRTH" && m.device === device && m.index < index);
      if (!isBorn || (closed?.index ?? story.end) < until) continue;
      const died = sent.some((m) => m.type === "DDEATH" && m.device === device && m.index > index && m.index < until);
      report.expect(died, story, index, `${device} is silent without a DDEATH`);
    }
  });

export const ORDER_CHECKS: Readonly<Record<string, Check>> = {
  "nbirth-seq-is-0": seqSteps("NBIRTH"),
  "ndata-seq-steps": seqSteps("NDATA"),
  "dbirth-seq-steps": seqSteps("DBIRTH"),
  "ddata-seq-steps": seqSteps("DDATA"),
  "ddeath-seq-steps": seqSteps("DDEATH"),
  "seq-wraps": seqWraps,
  "seq-everywhere": seqEverywhere,
  "nbirth-sent-now": sentNow("NBIRTH"),
  "dbirth-sent-now": sentNow("DBIRTH"),
  "ndata-sent-now": sentNow("NDATA"),
  "ddata-sent-now": sentNow("DDATA"),
  "history-sent-now": sentNow("DDATA", hasHistory),
  "ddeath-sent-now": sentNow("DDEATH"),
  "payloads-in-utc": payloadsInUtc,
  "metrics-in-utc": metricsInUtc,
  "first-is-nbirth": firstIsNbirth,
  "connack-comes-first": connackComesFirst,
  "nbirth-before-dbirth": nbirthBeforeDbirth,
  "dbirth-names-its-node": dbirthNamesItsNode,
  "dbirths-follow-nbirth": dbirthsFollowNbirth,
  "ndata-after-births": ndataAfterBirths,
  "ddata-after-births": ddataAfterBirths,
  "silence-brings-ddeath": silenceBringsDdeath,
};
