/**
 * The record of events beside the outbox: a line of JSON each, in two files that take turns, so that it is bounded and
 * can be read with nothing but eyes. A card that refuses costs lines of this record, never the gateway.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { open, rename, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";
import type { RecordedEvent } from "./event.ts";

export const EVENT_FILE = "events.jsonl";
const FORMER_FILE = "events.old.jsonl";
/** Of each of the two: some thousand events. */
const FILE_MAX_BYTES = 262_144;
/** While the card takes nothing. */
const WAITING_MAX = 200;
/** For its owner and the group, as the journal is: it names brokers and devices. */
const FILE_MODE = 0o640;
const LINE_FEED = 10;
/** Of a Date. */
const TIME_MAX_MS = 8.64e15;
const HASH_CHARS = 16;

/** What both files hold, the oldest first; lines that were cut off or damaged are left out. */
export function readEvents(dir: string): readonly RecordedEvent[] {
  return [FORMER_FILE, EVENT_FILE].flatMap((name) => eventsIn(textOf(join(dir, name))));
}

export class EventFile {
  readonly #path: string;
  readonly #formerPath: string;
  readonly #log: Log;
  #waiting: string[] = [];
  #writing: Promise<void> | undefined;
  #failed = false;

  constructor(dir: string, log: Log) {
    this.#path = join(dir, EVENT_FILE);
    this.#formerPath = join(dir, FORMER_FILE);
    this.#log = log;
  }

  add(event: RecordedEvent): void {
    this.#waiting = [...this.#waiting, `${JSON.stringify(event)}\n`].slice(-WAITING_MAX);
    void this.flush();
  }

  /** Writes what waits, also what failed before; resolves when that was tried. */
  async flush(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
    if (this.#waiting.length === 0) return;
    this.#writing = this.#write();
    await this.#writing;
  }

  async #write(): Promise<void> {
    const lines = this.#waiting;
    this.#waiting = [];
    try {
      await this.#append(lines.join(""));
      if (this.#failed) this.#log.notice(`${this.#path} can be written again`);
      this.#failed = false;
    } catch (thrown) {
      if (!this.#failed) this.#log.warning(`cannot write ${this.#path}: ${messageOf(thrown)}`);
      this.#failed = true;
      this.#waiting = [...lines, ...this.#waiting].slice(-WAITING_MAX);
    } finally {
      this.#writing = undefined;
    }
  }

  async #append(text: string): Promise<void> {
    const sizeBytes = await stat(this.#path).then(
      ({ size }) => size,
      () => 0,
    );
    if (sizeBytes + Buffer.byteLength(text) > FILE_MAX_BYTES) await rename(this.#path, this.#formerPath);
    const file = await open(this.#path, "a+", FILE_MODE);
    try {
      const { size } = await file.stat();
      // A power cut may have left half a line: it must not spoil this one.
      const { buffer, bytesRead } = await file.read(Buffer.alloc(1), 0, 1, Math.max(0, size - 1));
      const isWhole = bytesRead === 0 || buffer[0] === LINE_FEED;
      await file.appendFile(isWhole ? text : `\n${text}`);
      await file.datasync();
    } finally {
      await file.close();
    }
  }
}

/** SHA-256, its beginning; undefined where there is no such file. */
export function hashOfFile(path: string): string | undefined {
  try {
    return createHash("sha256").update(readFileSync(path)).digest("hex").slice(0, HASH_CHARS);
  } catch {
    return undefined;
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path).subarray(-FILE_MAX_BYTES).toString("utf8");
  } catch {
    return "";
  }
}

/** The events in a text of lines, as far as they are some. */
export function eventsIn(text: string): readonly RecordedEvent[] {
  return text.split("\n").flatMap((line) => eventOf(line) ?? []);
}

function eventOf(line: string): RecordedEvent | undefined {
  try {
    const event: RecordedEvent = JSON.parse(line);
    const isTime = typeof event.ms === "number" && Math.abs(event.ms) <= TIME_MAX_MS;
    const isOne = isTime && Number.isSafeInteger(event.number);
    return isOne && typeof event.kind === "string" && typeof event.text === "string" ? event : undefined;
  } catch {
    return undefined;
  }
}
