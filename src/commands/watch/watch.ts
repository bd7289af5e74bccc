/** `sallyport watch`: live values of the running service, from its status.json. */
import { parseArgs } from "node:util";
import { hostClock, sleep } from "../../core/clock.ts";
import { EXIT, UserError } from "../../core/errors.ts";
import { readArguments } from "../arguments.ts";
import type { CommandIo } from "../io.ts";
import { machineText } from "../machine-text.ts";
import { findGateway } from "../running-gateway.ts";
import { Rates } from "./rates.ts";
import { draw, FIRST_VIEW, onKey, type Picture, type View, withinTags } from "./view.ts";

const USAGE = "usage: sallyport watch [--filter TEXT] [--once] [--json]";

const HELP = `${USAGE}

Shows every tag of the running gateway with its value, its status in words and
its age; the lines with how busy they are and how much fails; the uplinks with
what waits for them and when it will have gone. Reads a file that the service
writes once a second; nothing is asked of it and nothing is changed.

  f  filter by a part of the name     p  pause, go on
  s  sort: name, trouble first, oldest first
  t  only what is not ok              g  the gateway's own tags, too
  j k, arrows, d u, pages: move       q  quit

A ! in front, and a value in brackets, mean: not ok; the value is the last one
known. Only what changed is sent, so a serial console is fast enough.

  --filter TEXT  begin with this filter
  --once         one picture, all tags, then end; so it does without a terminal
  --json         the picture for machines (status.json), once

The service is looked for in $RUNTIME_DIRECTORY, $STATE_DIRECTORY, else in
/run/sallyport and ./state. Exit codes: 0 ended, 64 wrong usage, 69 no gateway
runs here, or this user may not see it.
`;

const LOOK_EVERY_MS = 1_000;
/** A key shows at once. */
const KEYS_EVERY_MS = 50;

/** Terminal control (ECMA-48). */
const ENTER = "\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const CLEAR_TO_END = "\x1b[K";

interface Options {
  readonly filter: string;
  readonly once: boolean;
  readonly json: boolean;
}

export async function watch(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args);
  if (options === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const found = findGateway(io);
  if (found === undefined) {
    const remedy = "is it started, and may this user see it (sudo)? Set RUNTIME_DIRECTORY to its runtime directory";
    throw new UserError(`no gateway is seen running on this machine; ${remedy}`, EXIT.unavailable);
  }
  const view = { ...FIRST_VIEW, filter: options.filter };
  if (options.json) {
    io.out(machineText(found.status));
  } else if (options.once || !io.isTerminal) {
    const picture = { status: found.status, isFresh: true, nowMs: hostClock.wallMs(), rates: new Rates() };
    const lines = draw(view, picture, { columns: io.columns, rows: Number.MAX_SAFE_INTEGER });
    // The last two are the keys, which nobody can press.
    io.out(`${lines.slice(0, -2).join("\n")}\n`);
  } else {
    await live(view, io);
  }
  return EXIT.ok;
}

async function live(first: View, io: CommandIo): Promise<void> {
  const clock = hostClock;
  const screen = new Screen(io);
  const rates = new Rates();
  let view = first;
  let dirty = true;
  let picture: Picture = { status: undefined, isFresh: false, nowMs: clock.wallMs(), rates };
  const stopKeys = io.onKey((key) => {
    view = withinTags(onKey(view, key), picture, io);
    dirty = true;
  });
  io.out(ENTER);
  try {
    let lookedMs = Number.NEGATIVE_INFINITY;
    while (!view.isOver && !io.signal.aborted) {
      if (clock.monotonicMs() - lookedMs >= LOOK_EVERY_MS) {
        lookedMs = clock.monotonicMs();
        const status = findGateway(io)?.status;
        if (status !== undefined) rates.note(status);
        if (!view.isPaused) {
          picture = { status: status ?? picture.status, isFresh: status !== undefined, nowMs: clock.wallMs(), rates };
          dirty = true;
        }
      }
      if (dirty) screen.show((size) => draw(view, picture, size));
      dirty = false;
      await sleep(clock, KEYS_EVERY_MS);
    }
  } finally {
    stopKeys();
    io.out(LEAVE);
  }
}

/** Sends the lines that changed, and nothing else: a serial console takes a second for a thousand letters. */
class Screen {
  readonly #io: CommandIo;
  #shown: readonly string[] = [];
  #size = "";

  constructor(io: CommandIo) {
    this.#io = io;
  }

  show(lines: (size: { readonly columns: number; readonly rows: number }) => readonly string[]): void {
    const size = { columns: this.#io.columns, rows: this.#io.rows };
    const name = `${size.columns} ${size.rows}`;
    if (name !== this.#size) this.#shown = [];
    this.#size = name;
    const next = lines(size)
      .slice(0, size.rows)
      .map((line) => line.slice(0, size.columns));
    const count = Math.max(next.length, this.#shown.length);
    const changed = Array.from({ length: count }, (_, row) => row).filter((row) => next[row] !== this.#shown[row]);
    this.#io.out(changed.map((row) => `\x1b[${row + 1};1H${next[row] ?? ""}${CLEAR_TO_END}`).join(""));
    this.#shown = next;
  }
}

function parse(args: string[]): Options | "help" {
  return readArguments(USAGE, () => {
    const { values } = parseArgs({
      args,
      options: {
        filter: { type: "string", default: "" },
        once: { type: "boolean", default: false },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    return values.help ? "help" : { filter: values.filter, once: values.once, json: values.json };
  });
}
