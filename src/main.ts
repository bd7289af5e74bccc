#!/usr/bin/env node
/** argv, signals, exit codes: the only file that touches `process`. */
import { once } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runCommandLine } from "./commands/cli.ts";
import type { CommandIo } from "./commands/io.ts";
import { EXIT } from "./core/errors.ts";

const COLUMNS_DEFAULT = 80;
const ROWS_DEFAULT = 24;
const CTRL_C = "\x03";

// Where there is room V8 lets its heap grow to several times of what lives before it collects. Told so, to 1.3 times.
setFlagsFromString("--optimize-for-size");
// Samples that waited for the first connection teach V8 to make all later ones old from their birth; it never unlearns.
setFlagsFromString("--no-allocation-site-pretenuring");

const stopping = new AbortController();
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => stopping.abort());
let onHangup = () => stopping.abort();
process.on("SIGHUP", () => onHangup());
// Node's own answer is a debugger that listens on a port and gives away everything in memory.
process.on("SIGUSR1", () => undefined);

// A log line that cannot be written must cost no data: the gateway goes on without it.
process.stderr.on("error", () => undefined);

// A result that cannot be written is told by the exit code; one that nobody reads any more (`… | head`) ends the work.
let outputFailed = false;
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") outputFailed = true;
  stopping.abort();
});

// What nobody expected is our bug: say so with its trace and end; the service manager starts us again.
for (const event of ["uncaughtException", "unhandledRejection"] as const) {
  process.on(event, (thrown: unknown) => {
    process.stderr.write(`sallyport: a bug, please report it: ${thrown instanceof Error ? thrown.stack : thrown}\n`);
    process.exit(EXIT.software);
  });
}

function onKey(listener: (key: string) => void): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => undefined;
  let isHeard = true;
  const onData = (data: Buffer) => {
    // In raw mode the terminal no longer turns Ctrl-C into a signal.
    // Keys pressed in haste arrive together; the first may be all that was asked for.
    for (const key of data.toString("utf8")) {
      if (key === CTRL_C) stopping.abort();
      else if (isHeard) listener(key);
    }
  };
  stdin.setRawMode(true);
  stdin.on("data", onData);
  // A stream that was paused stays so for a new listener.
  stdin.resume();
  return () => {
    isHeard = false;
    stdin.off("data", onData);
    stdin.setRawMode(false);
    stdin.pause();
  };
}

/** Until the pipe has taken what waits for it, or nobody reads it any more. */
function written(): Promise<void> {
  const { stdout } = process;
  if (!stdout.writableNeedDrain || stopping.signal.aborted) return Promise.resolve();
  return once(stdout, "drain", { signal: stopping.signal }).then(
    () => undefined,
    () => undefined,
  );
}

const io: CommandIo = {
  out: (text) => void process.stdout.write(text),
  written,
  err: (text) => void process.stderr.write(text),
  isTerminal: process.stdout.isTTY === true,
  hasKeyboard: process.stdin.isTTY === true,
  get columns() {
    // A serial console tells 0.
    return process.stdout.columns || COLUMNS_DEFAULT;
  },
  get rows() {
    return process.stdout.rows || ROWS_DEFAULT;
  },
  env: process.env,
  signal: stopping.signal,
  onHangup(listener) {
    onHangup = listener;
  },
  onKey,
};

// Written output must reach a pipe before the exit; a leaked handle must not keep the process.
const code = await runCommandLine(process.argv.slice(2), io);
await new Promise<void>((resolve) => process.stdout.write("", () => resolve()));
process.exit(outputFailed && code === EXIT.ok ? EXIT.io : code);
