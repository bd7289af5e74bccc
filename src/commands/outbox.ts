/** `sallyport outbox`: what waits for which broker, and what happened here; forgets or takes over a backlog. */
import { randomUUID } from "node:crypto";
import { chownSync, existsSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { hostClock } from "../core/clock.ts";
import { EXIT, UserError } from "../core/errors.ts";
import { readEvents } from "../diagnostics/event-file.ts";
import { STATUS_FILE, type StatusContent } from "../diagnostics/status-file.ts";
import { parseStatus } from "../diagnostics/status-shape.ts";
import { StorageFailure } from "../store/block-store.ts";
import { isLocked } from "../store/file-lock.ts";
import type { OutboxFile } from "../store/outbox-file.ts";
import { forgetUplink } from "../store/outbox-forget.ts";
import { importOutbox } from "../store/outbox-import.ts";
import { askGateway } from "./ask-gateway.ts";
import { defaultOutbox, isSameFile, openOutbox } from "./export.ts";
import type { CommandIo } from "./io.ts";
import { listing, wrapped } from "./listing.ts";

const HELP = `usage: sallyport outbox [show] [--file FILE] [--json]
       sallyport outbox forget NAME [--file FILE]
       sallyport outbox import OTHER [--file FILE]
       sallyport outbox events [--all] [--file FILE] [--json]

show     how much the outbox holds, of which time, and what waits for whom
forget   drops what waits for an uplink that gateway.yaml names no more;
         without it that is kept until outbox.maxAge
import   takes over the backlog of another gateway: OTHER is the outbox.db on
         its card. Uplinks of the same names send it as history. OTHER is not
         changed. Stop the service before it, start it after it
events   what happened to this gateway: starts and why, configurations, clock,
         certificates, brokers, devices, writes, losses. The last 40, or --all

  --file FILE   default: outbox.db in $STATE_DIRECTORY, else in ./state
  --json        for machines

A running gateway is asked through its runtime directory: $RUNTIME_DIRECTORY,
else the folder of FILE. Exit codes: 0 done, 64 wrong usage, 69 not now or not
this one, 74 the file cannot be used.
`;

import { readArguments } from "./arguments.ts";

/** An older picture of the gateway is no longer true. */
const STATUS_FRESH_MS = 3_000;
const TASKS = ["show", "forget", "import", "events"] as const;
/** Of events, where not all are asked for. */
const LAST_EVENTS = 40;
/** Behind a time, which has a question mark where nobody knew it. */
const EVENT_INDENT = 22;

interface Options {
  readonly task: (typeof TASKS)[number];
  /** The NAME or the OTHER of the task. */
  readonly subject: string;
  readonly file: string;
  readonly runtimeDir: string;
  readonly json: boolean;
  readonly all: boolean;
}

export async function outbox(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args, io);
  if (options === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  try {
    if (options.task === "show") return show(options, io);
    if (options.task === "events") return events(options, io);
    return options.task === "forget" ? await forget(options, io) : takeOver(options, io);
  } catch (thrown) {
    if (!(thrown instanceof StorageFailure)) throw thrown;
    throw new UserError(`${options.file} cannot be used: ${thrown.message}`, EXIT.io);
  }
}

interface Waiting {
  readonly uplink: string;
  /** Samples that its broker has not acknowledged. */
  readonly depth: number;
  /** Records of samples that it did not get, and was not told of yet. */
  readonly losses: number;
  /** As the running gateway tells; `parked`: gateway.yaml names it no more. */
  readonly state: string;
}

function show({ file, runtimeDir, json }: Options, io: CommandIo): number {
  const opened = openOutbox(file);
  try {
    const { isInUse, saved } = opened;
    const summary = opened.summary();
    const status = isInUse ? freshStatus(runtimeDir) : undefined;
    const waiting = waitingIn(opened, status);
    const health = status === undefined ? "" : [status.outbox.health, status.outbox.healthReason].join(" ").trimEnd();
    if (json) {
      io.out(`${JSON.stringify({ file, isInUse, wasClean: saved.wasClean, ...summary, health, uplinks: waiting })}\n`);
      return EXIT.ok;
    }
    const { fromMs, toMs, samples, blocks, fileBytes } = summary;
    const facts = [
      ["size", `${(fileBytes / 1e6).toFixed(1)} MB: ${samples} samples in ${blocks} blocks`],
      ["times", fromMs === null || toMs === null ? "" : `${timeText(fromMs)} to ${timeText(toMs)}`],
      ["gateway", isInUse ? "at work" : saved.wasClean ? "stopped cleanly" : "not running; it did not stop cleanly"],
      ["health", health],
    ].filter(([, value]) => value !== "");
    const rows = waiting.map(({ uplink, depth, losses, state }) => [
      uplink,
      `${depth} waiting`,
      losses === 0 ? "" : `${losses} losses to tell`,
      state,
    ]);
    const layout = { columns: io.columns, indent: 2 };
    io.out(`${file}\n${listing(facts, { ...layout, yielding: [1] })}`);
    io.out(`uplinks\n${rows.length === 0 ? "  none yet\n" : listing(rows, { ...layout, yielding: [3, 0] })}`);
    return EXIT.ok;
  } finally {
    opened.close();
  }
}

function events({ file, json, all }: Options, io: CommandIo): number {
  const known = readEvents(dirname(file));
  const shown = all ? known : known.slice(-LAST_EVENTS);
  if (json) io.out(`${JSON.stringify(shown)}\n`);
  else if (shown.length === 0) io.out(`no events are on record in ${dirname(file)}\n`);
  for (const { ms, unsynced, kind, text } of json ? [] : shown) {
    const body = wrapped(`${kind}: ${text}`, io.columns, EVENT_INDENT);
    io.out(`${timeText(ms)}${unsynced ? "?" : ""}`.padEnd(EVENT_INDENT) + body.slice(EVENT_INDENT));
  }
  return EXIT.ok;
}

function waitingIn(opened: OutboxFile, status: StatusContent | undefined): readonly Waiting[] {
  const { uplinks, losses } = opened.saved;
  return [...uplinks].map(([uplink, progress]) => {
    const report = status?.uplinks.find(({ name }) => name === uplink);
    const stored = progress === undefined ? "progress cannot be read: gets all there is" : "";
    return {
      uplink,
      depth: report?.depth ?? opened.depthOf(uplink),
      losses: losses.get(uplink)?.length ?? 0,
      state: report?.state ?? (progress?.parkedRunMs === undefined ? stored : "parked: not in gateway.yaml"),
    };
  });
}

/** What the gateway at work says of itself; undefined where it says nothing here. */
function freshStatus(runtimeDir: string): StatusContent | undefined {
  try {
    const status = parseStatus(readFileSync(join(runtimeDir, STATUS_FILE), "utf8"));
    if (status === undefined) return undefined;
    return hostClock.wallMs() - status.timestamp < STATUS_FRESH_MS ? status : undefined;
  } catch {
    return undefined;
  }
}

async function forget({ subject: name, file, runtimeDir }: Options, io: CommandIo): Promise<number> {
  if (isLocked(file)) {
    const answer = await askGateway(runtimeDir, { ask: "forget", uplink: name }, randomUUID(), hostClock);
    if (answer === undefined) {
      const remedy = "set RUNTIME_DIRECTORY to the gateway's (systemd: /run/sallyport), or stop it first";
      throw new UserError(
        `the gateway that works on ${file} does not answer in ${runtimeDir}; ${remedy}`,
        EXIT.unavailable,
      );
    }
    if (!answer.done) throw new UserError(answer.text, EXIT.unavailable);
    io.out(`${answer.text}\n`);
    return EXIT.ok;
  }
  // Opening for good would begin a file that is not there, and set a damaged one aside.
  openOutbox(file).close();
  const refused = forgetUplink(file, name, hostClock.wallMs());
  leaveToOwner(file);
  if (refused !== undefined) throw new UserError(refused, EXIT.unavailable);
  io.out(`forgot what waited for ${name}\n`);
  return EXIT.ok;
}

function takeOver({ subject: other, file, json }: Options, io: CommandIo): number {
  if (isSameFile(other, file)) throw new UserError("an outbox cannot take itself over", EXIT.usage);
  // What goes to a place that no gateway looks at would count as taken over, and never be sent.
  if (!existsSync(dirname(file))) {
    throw new UserError(`there is no folder ${dirname(file)}; give the gateway's outbox with --file`, EXIT.unavailable);
  }
  if (isLocked(file)) {
    const remedy = "stop it (systemctl stop sallyport), import, start it again";
    throw new UserError(`a gateway works on ${file}; ${remedy}`, EXIT.unavailable);
  }
  if (isLocked(other)) throw new UserError(`a gateway works on ${other}; stop it for good first`, EXIT.unavailable);
  if (existsSync(file)) openOutbox(file).close();
  const source = openOutbox(other);
  try {
    const { samples, losses, waiting } = importOutbox(source, file, hostClock.wallMs());
    leaveToOwner(file);
    if (json) io.out(`${JSON.stringify({ samples, losses, uplinks: Object.fromEntries(waiting) })}\n`);
    else {
      const rows = [...waiting].map(([name, count]) => [name, `${count} samples`]);
      io.out(`took over ${samples} samples and ${losses} records of losses into ${file}\n`);
      io.out(listing(rows, { columns: io.columns, indent: 2, yielding: [0] }));
    }
    return EXIT.ok;
  } finally {
    source.close();
  }
}

/** What root has made must be the gateway's to write: its user owns the folder. */
function leaveToOwner(file: string): void {
  const { uid, gid } = statSync(dirname(file));
  for (const path of [file, `${file}-lock`]) {
    if (!existsSync(path) || statSync(path).uid === uid) continue;
    try {
      chownSync(path, uid, gid);
    } catch {
      // Whoever is not root works for himself.
    }
  }
}

function timeText(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, "Z");
}

function parse(args: string[], io: CommandIo): Options | "help" {
  return readArguments(HELP, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        file: { type: "string" },
        json: { type: "boolean", default: false },
        all: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    const [word = "show", subject = "", ...more] = positionals;
    const task = TASKS.find((known) => known === word);
    if (task === undefined) throw new Error(`"${word}" is none of ${TASKS.join(", ")}`);
    const takesSubject = task === "forget" || task === "import";
    if (takesSubject && subject === "")
      throw new Error(task === "forget" ? "name the uplink" : "name the other outbox");
    if (more.length > 0 || (!takesSubject && subject !== "")) throw new Error("that is one word too many");
    const file = values.file ?? defaultOutbox(io);
    const runtimeDir = io.env.RUNTIME_DIRECTORY?.split(":")[0] || dirname(file);
    return { task, subject, file, runtimeDir, json: values.json, all: values.all };
  });
}
