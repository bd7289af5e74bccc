/** CONNECT and its will, bdSeq, subscriptions, and how a session ends. */
import { type Check, eachSent, eachSession, type Report } from "./check.ts";
import type { Metric, Payload } from "./payload-decoder.ts";
import type { Session, Story } from "./story.ts";

const INT64 = 4n;
const BDSEQ_COUNT = 256n;
const WITH_WILL = 4;

function everyConnect(check: (session: Session, story: Story, report: Report) => void): Check {
  return (stories, report) => eachSession(stories, (session, story) => check(session, story, report));
}

function cleanIn(version: 4 | 5): Check {
  return everyConnect((session, story, report) => {
    if (session.version !== version) return;
    const { clean, properties } = session.connect;
    report.expect(clean === true, story, session.index, "CONNECT takes up an old session");
    const expiry = properties?.sessionExpiryInterval ?? 0;
    report.expect(expiry === 0, story, session.index, `the session is kept for ${expiry} s`);
  });
}

export function bdSeqs(payload: Payload | undefined): readonly Metric[] {
  return payload?.metrics.filter(({ name }) => name === "bdSeq") ?? [];
}

export function bdSeqOf(payload: Payload | undefined): bigint | undefined {
  const content = bdSeqs(payload)[0]?.value?.content;
  return typeof content === "bigint" ? content : undefined;
}

const willIsThere = everyConnect(({ connect, index }, story, report) =>
  report.expect(connect.will !== undefined, story, index, "CONNECT without a will"),
);

const willTopic = everyConnect(({ connect, index }, story, report) => {
  const { group, node } = story.site;
  report.expect(
    connect.will?.topic === `spBv1.0/${group}/NDEATH/${node}`,
    story,
    index,
    `will on ${connect.will?.topic}`,
  );
});

const willIsPayload = everyConnect(({ will, index }, story, report) =>
  report.expect(will !== undefined && will.flaws.length === 0, story, index, `the will is no payload: ${will?.flaws}`),
);

const willQos = everyConnect(({ connect, index }, story, report) =>
  report.expect(connect.will?.qos === 1, story, index, `the will has QoS ${connect.will?.qos}`),
);

const willUnretained = everyConnect(({ connect, index }, story, report) =>
  report.expect(connect.will?.retain === false, story, index, "the will is retained"),
);

/** Each will with the bdSeq before it: the first of a fresh state is 0, and each CONNECT takes the next. */
function eachWill(
  stories: readonly Story[],
  visit: (session: Session, before: bigint | undefined, story: Story) => void,
): void {
  for (const story of stories) {
    let before: bigint | undefined;
    let since = 0;
    for (const session of story.sessions) {
      for (const { mark, index } of story.marks) {
        if (mark.what === "bdSeq was set" && index > since && index < session.index) before = mark.to;
      }
      visit(session, before, story);
      before = bdSeqOf(session.will) ?? before;
      since = session.index;
    }
  }
}

function nextBdSeq(before: bigint | undefined): bigint {
  return before === undefined ? 0n : (before + 1n) % BDSEQ_COUNT;
}

const bdSeqSteps: Check = (stories, report) =>
  eachWill(stories, ({ will, index }, before, story) => {
    const bdSeq = bdSeqOf(will);
    report.expect(bdSeq === nextBdSeq(before), story, index, `bdSeq ${bdSeq} after ${before}`);
  });

/** Nothing is proved before it has gone round. */
const bdSeqWraps: Check = (stories, report) =>
  eachWill(stories, ({ will, index }, before, story) => {
    const [metric] = bdSeqs(will);
    const isInt64 = metric?.datatype === INT64 && metric.value?.field === "long_value";
    if (!isInt64)
      report.expect(false, story, index, `bdSeq has datatype ${metric?.datatype} in ${metric?.value?.field}`);
    if (before !== BDSEQ_COUNT - 1n) return;
    report.expect(bdSeqOf(will) === 0n, story, index, `bdSeq ${bdSeqOf(will)} after ${before}`);
  });

const nbirthHasBdSeq: Check = (stories, report) =>
  eachSent(stories, ["NBIRTH"], ({ payload, index }, _, story) =>
    report.expect(bdSeqs(payload).length === 1, story, index, `NBIRTH has ${bdSeqs(payload).length} bdSeq`),
  );

const nbirthBdSeqIsWills: Check = (stories, report) =>
  eachSent(stories, ["NBIRTH"], ({ payload, index }, { will }, story) => {
    const [metric] = bdSeqs(payload);
    report.expect(metric?.datatype === INT64, story, index, `bdSeq has datatype ${metric?.datatype}`);
    const bdSeq = bdSeqOf(payload);
    report.expect(
      bdSeq !== undefined && bdSeq === bdSeqOf(will),
      story,
      index,
      `${bdSeq}, in the will ${bdSeqOf(will)}`,
    );
  });

/** Wills and published deaths. */
function eachDeath(
  stories: readonly Story[],
  visit: (death: Payload | undefined, story: Story, index: number) => void,
) {
  eachSession(stories, ({ will, index }, story) => visit(will, story, index));
  eachSent(stories, ["NDEATH"], ({ payload, index }, _, story) => visit(payload, story, index));
}

const ndeathIsBdSeq: Check = (stories, report) =>
  eachDeath(stories, (death, story, index) => {
    const names = death?.metrics.map(({ name }) => name) ?? [];
    report.expect(names.length === 1 && names[0] === "bdSeq", story, index, `NDEATH holds ${names.join(", ")}`);
  });

const ndeathHasNoSeq: Check = (stories, report) =>
  eachDeath(stories, (death, story, index) =>
    report.expect(death !== undefined && death.seq === undefined, story, index, `NDEATH has seq ${death?.seq}`),
  );

const ndeathBdSeqIsBirths: Check = (stories, report) =>
  eachSession(stories, ({ sent, will, index }, story) => {
    const birth = bdSeqOf(sent.find(({ type }) => type === "NBIRTH")?.payload);
    if (birth === undefined) return;
    report.expect(bdSeqOf(will) === birth, story, index, `the will has ${bdSeqOf(will)}, NBIRTH ${birth}`);
    for (const { type, payload, index: at } of sent) {
      if (type === "NDEATH")
        report.expect(bdSeqOf(payload) === birth, story, at, `${bdSeqOf(payload)}, NBIRTH ${birth}`);
    }
  });

/** Subscribed at QoS 1 before the first birth, in each session that has one. */
function subscribed(filters: (story: Story) => readonly (readonly string[])[]): Check {
  return (stories, report) =>
    eachSession(stories, ({ subscriptions, sent: [first] }, story) => {
      if (first === undefined) return;
      for (const anyOf of filters(story)) {
        const found = subscriptions.find(
          ({ filter, qos, index }) => anyOf.includes(filter) && qos === 1 && index < first.index,
        );
        report.expect(found !== undefined, story, first.index, `no subscription of ${anyOf[0]} at QoS 1 before it`);
      }
    });
}

const subscribesNcmd = subscribed(({ site }) => [[`spBv1.0/${site.group}/NCMD/${site.node}`]]);
const subscribesDcmd = subscribed(({ site: { group, node, devices } }) => {
  const root = `spBv1.0/${group}/DCMD/${node}`;
  return devices.map((device) => [`${root}/${device}`, `${root}/+`, `${root}/#`]);
});

/** After every CONNECT that was accepted, births or not. */
const subscribesState: Check = (stories, report) =>
  eachSession(stories, ({ subscriptions, accepted, closed, index }, story) => {
    const { primaryHost, servers } = story.site;
    if (primaryHost === undefined || servers.length < 2 || accepted === undefined || closed?.by === "observer") return;
    const found = subscriptions.some(({ filter, qos }) => filter === `spBv1.0/STATE/${primaryHost}` && qos === 1);
    report.expect(found, story, index, `no subscription of the STATE of ${primaryHost} at QoS 1`);
  });

/** Sessions that were live when the gateway was told to stop. */
function eachStop(stories: readonly Story[], visit: (session: Session, story: Story) => void): void {
  for (const story of stories) {
    for (const { mark, index } of story.marks) {
      if (mark.what !== "told to stop") continue;
      for (const session of story.sessions) {
        const isLive = session.sent.some((m) => m.index < index) && (session.closed?.index ?? story.end) > index;
        if (isLive && session.closed?.by !== "observer") visit(session, story);
      }
    }
  }
}

const stopTellsNdeath: Check = (stories, report) =>
  eachStop(stories, ({ sent, closed }, story) => {
    const told = sent.at(-1)?.type === "NDEATH";
    report.expect(told, story, closed?.index ?? story.end, `told to stop, it said ${sent.at(-1)?.type} at last`);
  });

const stopEndsTheLink: Check = (stories, report) =>
  eachStop(stories, ({ farewell, closed }, story) =>
    report.expect(farewell !== undefined || closed !== undefined, story, story.end, "told to stop, it stays connected"),
  );

/** Every DISCONNECT of a session that was born, whatever the reason. */
function eachFarewell(version: 4 | 5, check: (session: Session, story: Story, report: Report) => void): Check {
  return (stories, report) =>
    eachSession(stories, (session, story) => {
      const isBorn = session.sent.length > 0;
      if (session.version === version && isBorn && session.farewell !== undefined) check(session, story, report);
    });
}

const ndeathBeforeDisconnect311 = eachFarewell(4, ({ sent, farewell }, story, report) => {
  const index = farewell?.index ?? story.end;
  const death = sent.findLast((m) => m.index < index);
  report.expect(death?.type === "NDEATH", story, index, `DISCONNECT after ${death?.type}`);
});

const disconnectWithWill5 = eachFarewell(5, ({ farewell }, story, report) =>
  report.expect(farewell?.reasonCode === WITH_WILL, story, farewell?.index ?? 0, `reason ${farewell?.reasonCode}`),
);

/** The broker hears the end of one before the begin of the next. */
const oneServerAtATime: Check = (stories, report) => {
  for (const story of stories) {
    if (story.site.servers.length < 2) continue;
    for (const [i, { index, server }] of story.sessions.entries()) {
      const open = story.sessions.slice(0, i).filter(({ closed }) => (closed?.index ?? story.end) > index);
      const others = open.map((other) => other.server).join(", ");
      report.expect(open.length === 0, story, index, `CONNECT to ${server} while connected to ${others}`);
    }
  }
};

export const SESSION_CHECKS: Readonly<Record<string, Check>> = {
  "clean-session-311": cleanIn(4),
  "clean-start-5": cleanIn(5),
  "will-is-there": willIsThere,
  "will-topic": willTopic,
  "will-is-payload": willIsPayload,
  "will-qos-1": willQos,
  "will-unretained": willUnretained,
  "bdseq-steps": bdSeqSteps,
  "bdseq-wraps": bdSeqWraps,
  "nbirth-has-bdseq": nbirthHasBdSeq,
  "nbirth-bdseq-is-wills": nbirthBdSeqIsWills,
  "ndeath-is-bdseq": ndeathIsBdSeq,
  "ndeath-has-no-seq": ndeathHasNoSeq,
  "ndeath-bdseq-is-births": ndeathBdSeqIsBirths,
  "subscribes-ncmd": subscribesNcmd,
  "subscribes-dcmd": subscribesDcmd,
  "subscribes-state": subscribesState,
  "stop-tells-ndeath": stopTellsNdeath,
  "stop-ends-the-link": stopEndsTheLink,
  "ndeath-before-disconnect-311": ndeathBeforeDisconnect311,
  "disconnect-with-will-5": disconnectWithWill5,
  "one-server-at-a-time": oneServerAtATime,
};
