/** `sallyport export`: what an outbox holds, as lines for people's other tools. */
import { closeSync, openSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { hostClock } from "../core/clock.ts";
import { EXIT, messageOf, UserError } from "../core/errors.ts";
import type { NumberedSample } from "../pipeline.ts";
import { StorageFailure } from "../store/block-store.ts";
import { OutboxFile, type TimeSpan } from "../store/outbox-file.ts";
import { contains, type Ranges } from "../store/ranges.ts";
import { decimalOfFloat32, jsonOfValue } from "../uplinks/json/json-value.ts";
import { readArguments } from "./arguments.ts";
import type { CommandIo } from "./io.ts";
import { parsePointInTime } from "./point-in-time.ts";

const HELP = `usage: sallyport export [FILE] [--from TIME] [--to TIME] [--format csv|jsonl]

Writes the samples that an outbox holds, oldest first. The outbox is not
changed: not that of a running gateway, and not the one on the card of a dead
gateway in a laptop. It holds what no broker has acknowledged yet.

  FILE            outbox.db; default: in $STATE_DIRECTORY, else in ./state
  --from TIME     first time: 2026-11-01, 2026-11-01T14:30, or 36h for 36 hours
                  ago. UTC where no offset is given
  --to TIME       last time
  --format F      csv (default): time,tag,value,status,epoch
                  jsonl: {"id":…,"v":…,"q":…,"t":…,"e":…}, as on the wire
  --tag ID        only this tag (pump-1/speed), or device (pump-1); repeatable
  --uplink NAME   only what this uplink's broker has not acknowledged
  --output FILE   instead of standard output

An outbox that no gateway works on is read from a copy in $TMPDIR or /tmp.
Exit codes: 0 all was read, 64 wrong usage, 74 the file cannot be read, or a
part of it is damaged (what could be read was written).

  sallyport export /media/card/outbox.db --format csv --output backlog.csv
`;

/** So much text is handed on at a time. */
const CHUNK_CHARS = 65_536;

type Format = "csv" | "jsonl";

interface Options {
  readonly file: string;
  readonly span: TimeSpan;
  readonly format: Format;
  readonly tags: readonly string[];
  readonly uplink: string | undefined;
  readonly output: string | undefined;
}

export async function exportSamples(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args, io);
  if (options === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const outbox = openOutbox(options.file);
  try {
    refuseToOverwrite(options);
    const pending = options.uplink === undefined ? undefined : waitingFor(outbox, options.uplink);
    const count = await write(outbox, options, pending, io);
    return conclude(outbox, count, io);
  } catch (thrown) {
    if (thrown instanceof StorageFailure) throw unreadable(options.file, thrown);
    throw thrown;
  } finally {
    outbox.close();
  }
}

/** Nothing that is typed in haste may cost a backlog. */
function refuseToOverwrite({ file, output }: Options): void {
  if (output === undefined || !["", "-wal", "-shm", "-lock"].some((part) => isSameFile(output, `${file}${part}`)))
    return;
  throw new UserError(`--output ${output} is the outbox itself; name another file`, EXIT.usage);
}

/** By whatever path. */
export function isSameFile(path: string, other: string): boolean {
  const [a, b] = [path, other].map((name) => statSync(name, { throwIfNoEntry: false }));
  return a !== undefined && b !== undefined && a.ino === b.ino && a.dev === b.dev;
}

/** @throws UserError where it is not to be read */
export function openOutbox(file: string): OutboxFile {
  try {
    return new OutboxFile(file);
  } catch (thrown) {
    if (thrown instanceof StorageFailure) throw unreadable(file, thrown);
    throw thrown;
  }
}

/** Where the service keeps it unless it was told otherwise. */
export function defaultOutbox(io: CommandIo): string {
  return join(io.env.STATE_DIRECTORY?.split(":")[0] || "state", "outbox.db");
}

function unreadable(file: string, { message }: StorageFailure): UserError {
  return new UserError(`${file} cannot be read: ${message}`, EXIT.io);
}

function waitingFor(outbox: OutboxFile, name: string): Ranges {
  const { uplinks } = outbox.saved;
  if (!uplinks.has(name)) {
    const known = [...uplinks.keys()].join(", ");
    throw new UserError(`this outbox knows no uplink ${name}; it knows ${known || "none"}`, EXIT.usage);
  }
  // Progress that cannot be read counts as none: twice rather than never.
  return uplinks.get(name)?.pending ?? [{ from: 0, to: Number.POSITIVE_INFINITY }];
}

/** @returns samples written */
async function write(
  outbox: OutboxFile,
  { span, format, tags, output }: Options,
  pending: Ranges | undefined,
  io: CommandIo,
): Promise<number> {
  const sink = output === undefined ? terminalSink(io) : fileSink(output);
  const wanted = ({ tag, number }: NumberedSample) =>
    (tags.length === 0 || tags.includes(tag.id) || tags.includes(tag.device)) &&
    (pending === undefined || contains(pending, number));
  let text = format === "csv" ? "time,tag,value,status,epoch\n" : "";
  let count = 0;
  try {
    for (const sample of outbox.samples(span)) {
      if (!wanted(sample)) continue;
      text += format === "csv" ? csvLine(sample) : jsonLine(sample);
      count++;
      if (text.length < CHUNK_CHARS) continue;
      await sink.write(text);
      text = "";
      if (io.signal.aborted) break;
    }
    await sink.write(text);
  } finally {
    sink.close();
  }
  return count;
}

function conclude({ damaged }: OutboxFile, count: number, io: CommandIo): number {
  if (!io.signal.aborted) io.err(`${count} samples\n`);
  for (const { block, problem } of damaged) {
    const span = `${new Date(block.fromMs).toISOString()} to ${new Date(block.toMs).toISOString()}`;
    io.err(`a block of ${block.samples} samples, ${span}, is damaged: ${problem}\n`);
  }
  return damaged.length === 0 ? EXIT.ok : EXIT.io;
}

interface TextSink {
  write(text: string): Promise<void>;
  close(): void;
}

function terminalSink(io: CommandIo): TextSink {
  return {
    async write(text) {
      io.out(text);
      await io.written?.();
    },
    close: () => undefined,
  };
}

function fileSink(path: string): TextSink {
  const attempt = <T>(task: () => T): T => {
    try {
      return task();
    } catch (thrown) {
      throw new UserError(`cannot write ${path}: ${messageOf(thrown)}`, EXIT.io);
    }
  };
  const file = attempt(() => openSync(path, "w"));
  return {
    async write(text) {
      attempt(() => writeFileSync(file, text));
    },
    close: () => closeSync(file),
  };
}

function csvLine({ tag, value, status, sourceTimestampMs, epoch }: NumberedSample): string {
  const plain = typeof value === "number" && tag.type === "float32" ? decimalOfFloat32(value) : value;
  const fields = [
    new Date(sourceTimestampMs).toISOString(),
    tag.id,
    plain === null ? "" : String(plain),
    status,
    epoch,
  ];
  return `${fields.map((field) => csvField(String(field))).join(",")}\n`;
}

/** RFC 4180, 2.5–2.7. */
function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function jsonLine({ tag, value, status, sourceTimestampMs, epoch }: NumberedSample): string {
  const quality = status === "Good" ? '"q":true' : `"q":false,"s":"${status}"`;
  const id = JSON.stringify(tag.id);
  return `{"id":${id},"v":${jsonOfValue(value, tag.type)},${quality},"t":${sourceTimestampMs},"e":${epoch}}\n`;
}

function parse(args: string[], io: CommandIo): Options | "help" {
  return readArguments(HELP, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        from: { type: "string" },
        to: { type: "string" },
        format: { type: "string", default: "csv" },
        tag: { type: "string", multiple: true, default: [] },
        uplink: { type: "string" },
        output: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    if (positionals.length > 1) throw new Error("name one file only");
    const format = values.json ? "jsonl" : values.format;
    if (format !== "csv" && format !== "jsonl") throw new Error("--format is csv or jsonl");
    const nowMs = hostClock.wallMs();
    const time = (text: string | undefined, otherwise: number) =>
      text === undefined ? otherwise : parsePointInTime(text, nowMs);
    return {
      file: positionals[0] ?? defaultOutbox(io),
      span: { fromMs: time(values.from, Number.NEGATIVE_INFINITY), toMs: time(values.to, Number.POSITIVE_INFINITY) },
      format,
      tags: values.tag,
      uplink: values.uplink,
      output: values.output,
    };
  });
}
