/**
 * What a tool on the same machine asks of the running gateway, and the answer: files in the runtime directory, because
 * the gateway listens on nothing. Whoever may write there may ask: its owner and root.
 *
 *     requests/ID.json          what is asked; the gateway takes it away
 *     requests/ID.answer.json   the answer; the tool takes it away
 *     requests/ID.lease         touched by a tool as long as it uses a line: see line-lending.ts
 */
import { constants } from "node:fs";
import { type FileHandle, open, readdir, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Clock, Timer } from "../core/clock.ts";
import { makeDirectory } from "../core/directory.ts";
import { messageOf } from "../core/errors.ts";
import type { Log } from "../core/log.ts";

export const REQUEST_FOLDER = "requests";
export const ANSWER_END = ".answer.json";

export type GatewayRequest =
  /** Forgets what a removed uplink still waits for. */
  | { readonly ask: "forget"; readonly uplink: string }
  /** Gives up the line on that port, as long as the file `requests/<lease>.lease` is touched now and then. */
  | { readonly ask: "lend"; readonly path: string; readonly lease: string }
  /** Leaves a line in the log. */
  | { readonly ask: "note"; readonly text: string };

export interface GatewayAnswer {
  readonly done: boolean;
  /** For people: what was done, or why not. */
  readonly text: string;
  /** Of a line that was lent. */
  readonly lent?: { readonly line: string; readonly forMs: number };
}

/** Each way of asking, and what is done. */
export type RequestHandler = (request: GatewayRequest) => Promise<GatewayAnswer>;

const LOOK_INTERVAL_MS = 1_000;
/** Looked at in one turn; more wait. */
const MAX_REQUESTS = 16;
const MAX_REQUEST_BYTES = 4_096;
/** An answer that nobody took away. */
const ANSWER_KEPT_MS = 60_000;

/** Of what a tool wrote, in one line of the log. */
const LOGGED_MAX_CHARACTERS = 400;

export const LEASE_END = ".lease";
const LEASE_NAME = /^[A-Za-z0-9-]{1,64}$/;
const REQUEST_NAME = /^([A-Za-z0-9-]{1,64})\.json$/;

export interface RequestDeskOptions {
  /** The runtime directory. */
  readonly dir: string;
  readonly handle: RequestHandler;
  readonly clock: Clock;
  readonly log: Log;
}

export class RequestDesk {
  readonly #options: RequestDeskOptions;
  readonly #folder: string;
  #timer: Timer | undefined;
  #looking: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(options: RequestDeskOptions) {
    this.#options = options;
    this.#folder = join(options.dir, REQUEST_FOLDER);
  }

  start(): void {
    try {
      // A tool that root runs would make it so that only root can look into it.
      makeDirectory(this.#folder);
    } catch (thrown) {
      this.#unserved(thrown);
    }
    this.#looking = this.#look();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
  }

  /** A directory that cannot be read or written costs the tools, never the gateway; one bad request not the next one. */
  async #look(): Promise<void> {
    for (const name of await this.#names()) await this.#serve(name).catch((thrown) => this.#unserved(thrown));
    if (this.#stopped) return;
    this.#timer = this.#options.clock.after(LOOK_INTERVAL_MS, () => {
      this.#looking = this.#look();
    });
  }

  async #names(): Promise<string[]> {
    const names = await readdir(this.#folder, { withFileTypes: true }).catch(() => []);
    return names
      .filter((entry) => entry.isFile() && REQUEST_NAME.test(entry.name.replace(ANSWER_END, ".json")))
      .map(({ name }) => name)
      .slice(0, MAX_REQUESTS);
  }

  #unserved(thrown: unknown): void {
    this.#options.log.debug(`requests cannot be served: ${messageOf(thrown)}`);
  }

  async #serve(name: string): Promise<void> {
    const path = join(this.#folder, name);
    if (name.endsWith(ANSWER_END)) {
      const { mtimeMs } = await stat(path);
      if (this.#options.clock.wallMs() - mtimeMs > ANSWER_KEPT_MS) await rm(path, { force: true });
      return;
    }
    const id = REQUEST_NAME.exec(name)?.[1];
    if (id === undefined) return;
    const request = await readRequest(path);
    await rm(path, { force: true });
    const answer = request === undefined ? NOT_UNDERSTOOD : await this.#options.handle(request);
    if (request !== undefined) this.#options.log.notice(`asked to ${wordsOf(request)}: ${answer.text}`);
    await replaceFile(join(this.#folder, `${id}${ANSWER_END}`), JSON.stringify(answer));
  }
}

const NOT_UNDERSTOOD: GatewayAnswer = { done: false, text: "the running gateway does not know this request" };

async function readRequest(path: string): Promise<GatewayRequest | undefined> {
  // Another kind of file may have taken its place since: a pipe would keep the thread that opens it for ever.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    return requestIn(await beginningOf(file));
  } finally {
    await file.close();
  }
}

/** @returns undefined where it is longer than any request, or no regular file */
async function beginningOf(file: FileHandle): Promise<string | undefined> {
  if (!(await file.stat()).isFile()) return undefined;
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_REQUEST_BYTES + 1));
  return bytesRead > MAX_REQUEST_BYTES ? undefined : buffer.toString("utf8", 0, bytesRead);
}

/** What a tool asks, as it stands in its file; undefined where the gateway does not know that. */
export function requestIn(text: string | undefined): GatewayRequest | undefined {
  const { ask, uplink, path, lease, text: note } = recordIn(text);
  if (ask === "forget" && typeof uplink === "string") return { ask, uplink };
  if (ask === "lend" && typeof path === "string" && typeof lease === "string" && LEASE_NAME.test(lease))
    return { ask, path, lease };
  return ask === "note" && typeof note === "string" ? { ask, text: note } : undefined;
}

/** What the gateway answers; undefined where it is another version's, or no answer. */
export function answerIn(text: string): GatewayAnswer | undefined {
  const { done, text: words, lent } = recordIn(text);
  if (typeof done !== "boolean" || typeof words !== "string") return undefined;
  const { line, forMs } = recordOf(lent);
  const isLent = typeof line === "string" && typeof forMs === "number" && Number.isFinite(forMs);
  if (lent !== undefined && !isLent) return undefined;
  return { done, text: words, ...(isLent && { lent: { line, forMs } }) };
}

function recordIn(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    return recordOf(JSON.parse(text ?? ""));
  } catch {
    return {};
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

/** What goes into the log is one line, whoever wrote it. */
export function wordsOf(request: GatewayRequest): string {
  const subject = "uplink" in request ? request.uplink : "path" in request ? request.path : request.text;
  return `${request.ask} ${subject.replace(/[^\x20-\x7e\u00a0-\uffff]/g, " ").slice(0, LOGGED_MAX_CHARACTERS)}`;
}

/** Readers see the old file or the whole new one. */
export async function replaceFile(path: string, text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text);
  await rename(`${path}.tmp`, path);
}
