/** A capture of a line as a file: YAML, a frame a line, so that it can be read, cut, and replayed by a test. */
import { closeSync, openSync, writeSync } from "node:fs";
import { EXIT, messageOf, UserError } from "../../core/errors.ts";
import type { Overheard } from "../../sources/modbus/overhearing.ts";
import { hexText } from "./frame-words.ts";

/** About 100,000 exchanges. */
const CAPTURE_MAX_BYTES = 10_000_000;

export class Capture {
  readonly #file: string;
  readonly #fd: number;
  readonly #beginMs: number;
  #bytes = 0;
  #full = false;

  /** @throws UserError where the file is there, or cannot be made */
  constructor(file: string, about: { readonly path: string; readonly serial: string }, beginMs: number) {
    this.#file = file;
    this.#beginMs = beginMs;
    try {
      this.#fd = openSync(file, "wx");
    } catch (error) {
      throw new UserError(`${messageOf(error)}; give --capture the name of a new file`, EXIT.io);
    }
    this.#write(`about: ${JSON.stringify(`captured on ${about.path} by sallyport listen`)}\n`);
    this.#write(`serial: ${about.serial}\nframes:\n`);
  }

  /** The limit was reached; what came after it is not in the file. */
  get isFull(): boolean {
    return this.#full;
  }

  note(event: Overheard): void {
    if (this.#full) return;
    this.#write(`  - { ${[`atMs: ${Math.round(event.atMs - this.#beginMs)}`, ...fieldsOf(event)].join(", ")} }\n`);
    this.#full = this.#bytes > CAPTURE_MAX_BYTES;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #write(text: string): void {
    try {
      this.#bytes += writeSync(this.#fd, text);
    } catch (error) {
      throw new UserError(`${this.#file} cannot be written: ${messageOf(error)}`, EXIT.io);
    }
  }
}

function fieldsOf(event: Overheard): readonly string[] {
  if (event.kind === "noise") return [`noise: ${hexText(event.bytes)}`];
  if (event.kind === "stray") return [`stray: ${hexText(event.frame)}`];
  const { request, fate, reply, tookMs } = event;
  const asked = `request: ${hexText(request)}`;
  if (reply === undefined) return [asked, `fate: ${fate}`];
  const word = fate === "damaged" ? "damaged" : "reply";
  return [asked, `${word}: ${hexText(reply)}`, `tookMs: ${Math.round(tookMs ?? 0)}`];
}
