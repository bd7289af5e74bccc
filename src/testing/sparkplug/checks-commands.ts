/** What the gateway makes of the commands that reach it. Whether hosts send them rightly is not ours. */
import { type Check, DATA, type Report } from "./check.ts";
import { bdSeqOf } from "./checks-session.ts";
import type { Metric } from "./payload-decoder.ts";
import { deadDevices, silentDevices } from "./silence.ts";
import type { HeardMessage, SentMessage, Session, Story } from "./story.ts";

const REBIRTH = "Node Control/Rebirth";
/** A payload made before the command arrived may still be on its way. */
const IN_FLIGHT_MS = 2_000;
/** Whoever asks so soon after a birth is answered together with all who ask in that time; data go on until then. */
const COALESCED_MS = 5_000;

export interface Heard {
  readonly story: Story;
  readonly session: Session;
  readonly command: HeardMessage;
  readonly metrics: readonly Metric[];
}

/** Commands that reached the gateway. */
function eachCommand(stories: readonly Story[], visit: (heard: Heard) => void): void {
  for (const story of stories) {
    for (const session of story.sessions) {
      for (const command of session.heard) {
        const isCommand = /^spBv1\.0\/[^/]+\/[ND]CMD\//.test(command.topic);
        if (!isCommand || !command.passed) continue;
        visit({ story, session, command, metrics: command.payload?.metrics ?? [] });
      }
    }
  }
}

/** A request for rebirth as the specification has it: by name, true, an NCMD of this node, not retained. */
function isRebirth({ story: { site }, command, metrics }: Heard): boolean {
  const own = command.topic === `spBv1.0/${site.group}/NCMD/${site.node}` && !command.retain;
  return own && metrics.some(({ name, value }) => name === REBIRTH && value?.content === true);
}

function nextBirth({ session, command }: Heard): SentMessage | undefined {
  return session.sent.find(({ type, index }) => type === "NBIRTH" && index > command.index);
}

/** Births that are asked for come at once, or together with others after the pause. */
const ANSWER_MAX_MS = 10_000;

/** The session ended before an answer was due. */
function wasCutShort({ session, command }: Heard): boolean {
  return (session.sent.at(-1)?.atMs ?? 0) - command.atMs < ANSWER_MAX_MS;
}

function eachRebirth(check: (heard: Heard, birth: SentMessage, report: Report) => void): Check {
  return (stories, report) =>
    eachCommand(stories, (heard) => {
      if (!isRebirth(heard)) return;
      const birth = nextBirth(heard);
      if (birth !== undefined) check(heard, birth, report);
      else if (!wasCutShort(heard)) report.expect(false, heard.story, heard.command.index, "Rebirth without an NBIRTH");
    });
}

const rebirthStopsData = eachRebirth(({ story, session, command }, birth, report) => {
  const last = session.sent.findLast(({ type, index }) => type === "NBIRTH" && index < command.index);
  if (last !== undefined && command.atMs - last.atMs < COALESCED_MS) return;
  const late = session.sent.find(
    ({ type, index, atMs }) =>
      DATA.includes(type) && index > command.index && index < birth.index && atMs - command.atMs > IN_FLIGHT_MS,
  );
  report.expect(late === undefined, story, late?.index ?? command.index, "data between Rebirth and NBIRTH");
});

const rebirthBearsAll = eachRebirth(({ story, session }, birth, report) => {
  const silent = silentDevices(story, birth.index);
  const dead = deadDevices(session, birth.index);
  const following = session.sent.filter(({ index }) => index > birth.index);
  const data = following.findIndex(({ type }) => !["DBIRTH"].includes(type));
  const born = following.slice(0, data < 0 ? undefined : data).map(({ device }) => device);
  const missing = story.site.devices.filter((d) => !silent.has(d) && !dead.has(d) && !born.includes(d));
  report.expect(missing.length === 0, story, birth.index, `Rebirth without DBIRTH of ${missing.join(", ")}`);
});

const rebirthKeepsBdSeq = eachRebirth(({ story, session }, birth, report) =>
  report.expect(
    bdSeqOf(birth.payload) === bdSeqOf(session.will),
    story,
    birth.index,
    `bdSeq ${bdSeqOf(birth.payload)}`,
  ),
);

/** Looked at where such a request came; it must lead to a birth. */
function isServed(kind: (heard: Heard) => boolean): Check {
  return (stories, report) =>
    eachCommand(stories, (heard) => {
      if (!isRebirth(heard) || !kind(heard) || (nextBirth(heard) === undefined && wasCutShort(heard))) return;
      report.expect(nextBirth(heard) !== undefined, heard.story, heard.command.index, "Rebirth was not served");
    });
}

/** Looked at where such a command came; until the next one it changes nothing, and the session goes on. */
function isHarmless(kind: (heard: Heard) => boolean): Check {
  return (stories, report) =>
    eachCommand(stories, (heard) => {
      if (isRebirth(heard) || !kind(heard)) return;
      const { story, session, command } = heard;
      const next = session.heard.find(({ topic, index }) => /\/[ND]CMD\//.test(topic) && index > command.index);
      const until = next?.index ?? session.closed?.index ?? story.end;
      const after = session.sent.filter(({ index }) => index > command.index && index < until);
      const births = after.filter(({ type }) => type === "NBIRTH").length;
      // What comes with the subscriptions comes before the first birth.
      const due = command.index < (session.sent[0]?.index ?? story.end) ? 1 : 0;
      report.expect(births <= due, story, command.index, `${command.topic} led to a birth`);
      const goesOn = session.sent.some(({ type, index }) => DATA.includes(type) && index > command.index);
      report.expect(goesOn, story, command.index, `no data after ${command.topic}`);
    });
}

const isNcmd = ({ command }: Heard) => command.topic.includes("/NCMD/");
const isDcmd = ({ command }: Heard) => command.topic.includes("/DCMD/");
const named = ({ metrics }: Heard, name: string) => metrics.some((metric) => metric.name === name);
const isUnknown = (heard: Heard) => named(heard, "no such metric");
const isWrongType = ({ metrics }: Heard) =>
  metrics.some(({ name, value }) => name !== "no such metric" && name !== REBIRTH && value?.field === "string_value") ||
  metrics.some(({ name, value }) => name === REBIRTH && value !== undefined && value.field !== "boolean_value");
const isPlain = (heard: Heard) =>
  !isUnknown(heard) && !isWrongType(heard) && !named(heard, REBIRTH) && !heard.command.retain;
const withoutMetricTime = ({ metrics }: Heard) => metrics.every(({ timestamp }) => timestamp === undefined);

export const COMMAND_CHECKS: Readonly<Record<string, Check>> = {
  "rebirth-stops-data": rebirthStopsData,
  "rebirth-bears-all": rebirthBearsAll,
  "rebirth-keeps-bdseq": rebirthKeepsBdSeq,
  "ncmd-is-heard": isServed(() => true),
  "ncmd-at-qos-0": isServed(({ command }) => command.qos === 0),
  "ncmd-with-time": isServed(({ command }) => command.payload?.timestamp !== undefined),
  "ncmd-without-time": isServed(({ command }) => command.payload?.timestamp === undefined),
  "ncmd-without-seq": isServed(({ command }) => command.payload?.seq === undefined),
  "metric-without-time": isServed(withoutMetricTime),
  "rebirth-by-name-beside-aliases": isServed(({ story }) => story.site.aliases),
  "rebirth-false-is-nothing": isHarmless(
    (heard) => named(heard, REBIRTH) && !isWrongType(heard) && !heard.command.retain,
  ),
  "retained-ncmd-is-nothing": isHarmless((heard) => isNcmd(heard) && heard.command.retain),
  "unknown-ncmd-is-harmless": isHarmless((heard) => isNcmd(heard) && isUnknown(heard)),
  "wrong-ncmd-is-harmless": isHarmless((heard) => isNcmd(heard) && isWrongType(heard)),
  "retained-dcmd-is-nothing": isHarmless((heard) => isDcmd(heard) && heard.command.retain),
  "dcmd-is-harmless": isHarmless((heard) => isDcmd(heard) && isPlain(heard)),
  "unknown-dcmd-is-harmless": isHarmless((heard) => isDcmd(heard) && isUnknown(heard)),
  "wrong-dcmd-is-harmless": isHarmless((heard) => isDcmd(heard) && isWrongType(heard)),
};
