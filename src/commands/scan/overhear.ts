/** Whether somebody talks on a line already, and at which settings: found out without a byte of our own. */
import type { SerialSettings } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import type { SerialLine } from "../../sources/modbus/serial-line.ts";
import { Ear } from "../listen/ear.ts";
import { LineBook } from "../listen/line-book.ts";

/** One may be chance: so a checksum fits once in 65,536 times. */
const FRAMES_SURE = 2;
/** A stray byte or two come from switching the direction, or from plugging in. */
const BYTES_TALKING = 8;

export type Traffic =
  | { readonly kind: "silent" }
  | { readonly kind: "master"; readonly serial: SerialSettings; readonly book: LineBook }
  /** Bytes, and no frame at any of the settings. */
  | { readonly kind: "unclear"; readonly bytes: number };

export interface OverhearOptions {
  readonly settings: readonly SerialSettings[];
  readonly openLine: (serial: SerialSettings) => SerialLine;
  readonly listenMs: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onListening: (serial: SerialSettings) => void;
}

/** A line that is silent at one setting is silent at all: then one is enough. */
export async function overhearLine(options: OverhearOptions): Promise<Traffic> {
  let heardBytes = 0;
  for (const serial of options.settings) {
    options.onListening(serial);
    const book = await listenAt(serial, options);
    const { bytes } = book.totals();
    heardBytes += bytes;
    if (book.frames >= FRAMES_SURE) return { kind: "master", serial, book };
    if (heardBytes < BYTES_TALKING || options.signal.aborted) return { kind: "silent" };
  }
  return { kind: "unclear", bytes: heardBytes };
}

async function listenAt(serial: SerialSettings, options: OverhearOptions): Promise<LineBook> {
  const { openLine, listenMs, clock, signal } = options;
  const book = new LineBook();
  const ear = new Ear({ line: openLine(serial), serial, clock });
  ear.onBytes = (bytes, atMs) => book.heard(bytes.length, atMs);
  ear.onHeard = (event) => book.note(event);
  const lost = new AbortController();
  ear.onLost = (reason) => lost.abort(reason);
  await ear.open();
  try {
    await ear.until(AbortSignal.any([signal, lost.signal]), listenMs);
    if (lost.signal.aborted) throw new Error(String(lost.signal.reason));
  } finally {
    await ear.close();
  }
  return book;
}
