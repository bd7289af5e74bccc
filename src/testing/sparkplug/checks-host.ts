/** The primary host: births wait for it, and a session ends with it. */
import { ALL, type Check, DATA, type Report } from "./check.ts";
import { type StateMessage, statesOf } from "./state-messages.ts";
import type { Session, Story } from "./story.ts";

interface Hosted {
  readonly story: Story;
  readonly session: Session;
  /** Its place among the sessions of the story. */
  readonly place: number;
  readonly states: readonly StateMessage[];
  /** Index of the first STATE that says online and is not stale; the end where none does. */
  readonly onlineAt: number;
  /** Index of the first message of this node, the end where there is none. */
  readonly bornAt: number;
}

/** Sessions of a site with a primary host, from CONNACK on. */
function eachHosted(check: (hosted: Hosted, report: Report) => void): Check {
  return (stories, report) => {
    for (const story of stories) {
      if (story.site.primaryHost === undefined) continue;
      for (const [place, session] of story.sessions.entries()) {
        if (session.accepted === undefined) continue;
        const states = statesOf(story, session);
        const onlineAt = states.find(({ online, stale }) => online && !stale)?.index ?? story.end;
        const bornAt = session.sent.find(({ type }) => ALL.includes(type) && type !== "NDEATH")?.index ?? story.end;
        check({ story, session, place, states, onlineAt, bornAt }, report);
      }
    }
  };
}

/** A rule over what stood between the node and its birth: looked at where there was such a thing. */
function waits(what: string, isThere: (hosted: Hosted) => boolean): Check {
  return eachHosted((hosted, report) => {
    const { story, onlineAt, bornAt } = hosted;
    if (isThere(hosted)) report.expect(bornAt >= onlineAt, story, bornAt, `born ${what}`);
  });
}

function heardBefore({ states, onlineAt }: Hosted, kind: (state: StateMessage) => boolean): boolean {
  return states.some((state) => state.index < onlineAt && kind(state));
}

/** Another host said that it is online while this session waited. */
function otherHostOnline({ story, session, onlineAt }: Hosted): boolean {
  return story.marks.some(
    ({ mark, index }) =>
      mark.what === "another host is online" &&
      mark.server === session.server &&
      index > (session.accepted ?? story.end) &&
      index < onlineAt,
  );
}

/** The first STATE that ends this session. */
function offlineOf({ states, onlineAt }: Hosted): StateMessage | undefined {
  return states.find(({ online, stale, index }) => !online && !stale && index > onlineAt);
}

function eachHostLoss(check: (loss: StateMessage, hosted: Hosted, report: Report) => void): Check {
  return eachHosted((hosted, report) => {
    const loss = offlineOf(hosted);
    if (loss !== undefined && hosted.bornAt < loss.index) check(loss, hosted, report);
  });
}

/** A payload made before the news arrived may still be on its way. */
const IN_FLIGHT_MS = 2_000;

const lossTellsNdeath = eachHostLoss((loss, { story, session }, report) => {
  const after = session.sent.filter(({ index }) => index > loss.index);
  const late = after.find((m) => DATA.includes(m.type) && m.atMs - loss.atMs > IN_FLIGHT_MS);
  report.expect(late === undefined, story, late?.index ?? loss.index, "data after the host went offline");
  report.expect(after.at(-1)?.type === "NDEATH", story, loss.index, `the host offline, it said ${after.at(-1)?.type}`);
  report.expect(session.closed !== undefined, story, loss.index, "the session goes on without its host");
  const again = story.sessions.some(({ index }) => index > loss.index);
  report.expect(again, story, loss.index, "no CONNECT after the host went offline");
});

const lossEndsSession = eachHostLoss((loss, { story, session }, report) =>
  report.expect((session.closed?.index ?? 0) > loss.index, story, loss.index, "the session goes on without its host"),
);

const lossMovesOn = eachHostLoss((loss, { story, session, place }, report) => {
  const { servers } = story.site;
  const next = servers[(servers.indexOf(session.server) + 1) % servers.length];
  const server = story.sessions[place + 1]?.server;
  if (servers.length > 1) report.expect(server === next, story, loss.index, `after ${session.server} came ${server}`);
});

const staleOfflineIsIgnored = eachHosted(({ story, session, states, onlineAt }, report) => {
  for (const state of states) {
    if (state.online || !state.stale || state.index < onlineAt) continue;
    const goesOn = session.sent.some(({ type, index }) => DATA.includes(type) && index > state.index);
    const between = session.sent.some(
      ({ type, index }) => type === "NDEATH" && index > state.index && index < nextState(state, states, story),
    );
    report.expect(goesOn && !between, story, state.index, "an offline that was older ended the session");
  }
});

function nextState(state: StateMessage, states: readonly StateMessage[], story: Story): number {
  return states.find(({ index }) => index > state.index)?.index ?? story.end;
}

export const HOST_CHECKS: Readonly<Record<string, Check>> = {
  "host-is-waited-for": waits(
    "without its host",
    ({ onlineAt, session, story }) => onlineAt > (session.accepted ?? story.end),
  ),
  "only-its-host-counts": waits("for another host", otherHostOnline),
  "host-must-be-online": waits("for a host that is offline", (h) => heardBefore(h, ({ online }) => !online)),
  "stale-online-is-ignored": waits("for a STATE of old", (h) => heardBefore(h, ({ online, stale }) => online && stale)),
  "next-server-waits-too": waits("without its host", ({ story, session }) => session.server !== story.site.servers[0]),
  "host-loss-tells-ndeath": lossTellsNdeath,
  "host-loss-ends-session": lossEndsSession,
  "host-loss-moves-on": lossMovesOn,
  "stale-offline-is-ignored": staleOfflineIsIgnored,
};
