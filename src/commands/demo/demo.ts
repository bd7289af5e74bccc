import { parseArgs } from "node:util";
import { parseDuration } from "../../config/values.ts";
import { hostClock, sleep } from "../../core/clock.ts";
import { EXIT } from "../../core/errors.ts";
import type { LedgerSummary } from "../../testing/ledger.ts";
import { readArguments } from "../arguments.ts";
import type { CommandIo } from "../io.ts";
import { liveView } from "./live-view.ts";
import { DemoSite } from "./site.ts";
import { type Action, storySteps } from "./story.ts";

const STORY_DEFAULT_MS = 20_000;
/** After the last fault everything must arrive within this. */
const CATCH_UP_LIMIT_MS = 15_000;
const LOOK_MS = 50;

const HELP = `usage: sallyport demo [--for 20s] [--story] [--json]

Runs the real gateway against simulated devices and inputs, with an embedded
TLS broker in a second process. On the left what the gateway holds, on the
right what the broker's side holds. Keys cut the broker, kill a device, toggle
an input; what was missed arrives afterwards, marked as history.

  --for DURATION  end after so long; a story lasts 20s unless told otherwise
  --story         play an outage by itself, a line an event. This is what it
                  does without a terminal. Exit 0 only if nothing was lost.
  --json          the story's summary as JSON
`;

export async function demo(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args);
  if (options.help) {
    io.out(HELP);
    return EXIT.ok;
  }
  const site = await DemoSite.open();
  try {
    site.start();
    if (options.story || !io.isTerminal) return await story(site, options, io);
    return await liveView(site, { forMs: options.forMs, summary: summaryText }, io);
  } finally {
    await site.close();
  }
}

interface DemoOptions {
  readonly forMs: number | undefined;
  readonly story: boolean;
  readonly json: boolean;
  readonly help: boolean;
}

/** Plays the story, waits until all has arrived, and judges. */
async function story(site: DemoSite, options: DemoOptions, io: CommandIo): Promise<number> {
  const totalMs = options.forMs ?? STORY_DEFAULT_MS;
  const say = (text: string) => {
    if (!options.json) io.out(`${site.runningS().toFixed(1).padStart(6)} s  ${text}\n`);
  };
  say(`serial line: ${site.serial}`);
  site.farEnd.onEvent = say;
  for (const step of storySteps(totalMs)) {
    if (!(await sleepUntil(site, step.atMs, io.signal))) break;
    say(site.act(step.action));
  }
  await sleepUntil(site, totalMs, io.signal);
  const before = site.ledger.summary().takenIn;
  for (const action of undoing(site)) say(site.act(action));
  await caughtUp(site);
  await site.gateway.stop();
  await caughtUp(site);
  const summary = site.ledger.summary();
  const violations = site.ledger.violations();
  const kept = site.gateway.outbox();
  const good =
    summary.lost === 0 && summary.toldLost === 0 && violations.length === 0 && before > 0 && summary.history > 0;
  if (options.json) io.out(`${JSON.stringify({ ...summary, violations, newest: kept.newest })}\n`);
  else io.out(`\n${summaryText(summary)}\n`);
  for (const violation of violations) io.err(`wrong: ${violation}\n`);
  for (const missing of site.ledger.missing(5)) io.err(`lost: ${missing}\n`);
  return good ? EXIT.ok : EXIT.failed;
}

function undoing(site: DemoSite): readonly Action[] {
  return [
    ...(site.brokerCut ? (["restore broker"] as const) : []),
    ...(site.pumpDead ? (["revive device"] as const) : []),
  ];
}

function summaryText(summary: LedgerSummary): string {
  const row = (name: string, count: number) => `${name.padEnd(12)}${String(count).padStart(8)}`;
  return [
    row("taken in", summary.takenIn),
    row("live", summary.live),
    row("history", summary.history),
    row("lost", summary.lost + summary.toldLost),
    row("duplicates", summary.duplicates),
  ].join("\n");
}

async function caughtUp(site: DemoSite): Promise<void> {
  const deadlineMs = hostClock.monotonicMs() + CATCH_UP_LIMIT_MS;
  while (site.ledger.summary().lost > 0 && hostClock.monotonicMs() < deadlineMs) await sleep(hostClock, LOOK_MS);
}

/** False when told to stop before that time. */
async function sleepUntil(site: DemoSite, atMs: number, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const leftMs = atMs - site.runningS() * 1000;
    if (leftMs <= 0) return true;
    await sleep(hostClock, Math.min(leftMs, LOOK_MS));
  }
  return false;
}

function parse(args: string[]): DemoOptions {
  return readArguments(HELP, () => {
    const { values } = parseArgs({
      args,
      options: {
        for: { type: "string" },
        story: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return {
      forMs: values.for === undefined ? undefined : parseDuration(values.for),
      story: values.story,
      json: values.json,
      help: values.help,
    };
  });
}
