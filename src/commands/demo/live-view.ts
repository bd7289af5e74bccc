/** The demo in a terminal: draws the screen a few times a second and turns keys into actions. */
import { hostClock, sleep } from "../../core/clock.ts";
import { EXIT } from "../../core/errors.ts";
import { isGood, STATUSES } from "../../core/quality.ts";
import { nameOfValue, type Tag, type Value } from "../../core/tag.ts";
import type { Sample } from "../../pipeline.ts";
import type { LedgerSummary } from "../../testing/ledger.ts";
import type { CommandIo } from "../io.ts";
import { drawScreen, type ScreenRow } from "./screen.ts";
import type { DemoSite } from "./site.ts";
import type { Action } from "./story.ts";

const FRAME_MS = 250;
const EVENTS_KEPT = 50;
/** Devices of the plant; the gateway's own tags would fill the screen. */
const SHOWN_DEVICES = ["meter", "pump", "tank", "inputs"];

/** Terminal control (ECMA-48): other screen buffer and no cursor, and back; to the top; clear what is behind. */
const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

export interface LiveViewOptions {
  readonly forMs: number | undefined;
  readonly summary: (summary: LedgerSummary) => string;
}

export async function liveView(site: DemoSite, options: LiveViewOptions, io: CommandIo): Promise<number> {
  const events: string[] = [];
  const tell = (text: string) => {
    events.push(`${site.runningS().toFixed(1).padStart(6)} s  ${text}`);
    if (events.length > EVENTS_KEPT) events.shift();
  };
  let quit = false;
  site.farEnd.onEvent = tell;
  const stopKeys = io.onKey((key) => {
    const action = actionOf(key, site);
    if (key === "q") quit = true;
    else if (action !== undefined) tell(site.act(action));
  });
  io.out(ENTER);
  try {
    const untilS = options.forMs === undefined ? Number.POSITIVE_INFINITY : options.forMs / 1000;
    while (!quit && !io.signal.aborted && site.runningS() < untilS) {
      io.out(frame(site, events, io));
      await sleep(hostClock, FRAME_MS);
    }
  } finally {
    stopKeys();
    io.out(LEAVE);
  }
  await site.gateway.stop();
  const summary = site.ledger.summary();
  io.out(`${options.summary({ ...summary, lost: 0 })}\n`);
  if (summary.lost > 0)
    io.out(`${summary.lost} samples waited in the outbox; a gateway that starts again would send them\n`);
  return EXIT.ok;
}

function actionOf(key: string, site: DemoSite): Action | undefined {
  switch (key) {
    case "b":
      return site.brokerCut ? "restore broker" : "cut broker";
    case "d":
      return site.pumpDead ? "revive device" : "kill device";
    case "i":
      return "toggle input";
    default:
      return undefined;
  }
}

function frame(
  site: DemoSite,
  events: readonly string[],
  { rows, columns }: Pick<CommandIo, "rows" | "columns">,
): string {
  const [uplink] = site.gateway.uplinks();
  const lines = drawScreen(
    {
      serial: site.serial,
      runningS: site.runningS(),
      rows: SHOWN_DEVICES.flatMap((device) => deviceRows(site, device)),
      uplinkState: uplink?.state ?? "",
      depth: uplink?.depth ?? 0,
      summary: site.ledger.summary(),
      events,
      brokerCut: site.brokerCut,
      pumpDead: site.pumpDead,
    },
    rows,
  );
  // A line that wrapped, or one too many, would scroll the picture away.
  const fitting = lines.slice(0, rows).map((line) => `${line.slice(0, columns)}${CLEAR_LINE}`);
  return `${HOME}${fitting.join("\r\n")}${CLEAR_BELOW}`;
}

function deviceRows(site: DemoSite, device: string): readonly ScreenRow[] {
  const nowMs = hostClock.wallMs();
  const tags = new Map(site.gateway.values.devices().flatMap(({ tags }) => tags.map((tag) => [tag.id, tag] as const)));
  return site.gateway.values.snapshot(device).map((sample) => {
    const far = site.farEnd.tag(sample.tag.id);
    return {
      id: sample.tag.id,
      value: valueText(sample, tags.get(sample.tag.id)),
      status: STATUSES[sample.status].words,
      ageS: (nowMs - sample.sourceTimestampMs) / 1000,
      farValue: far === undefined ? "-" : shortValue(far.value),
      farStatus: far === undefined ? "nothing yet" : far.words,
      farAgeS: far === undefined ? undefined : (nowMs - far.timestampMs) / 1000,
    };
  });
}

/** A value that is not good is shown in brackets: it is the last one known. */
function valueText({ value, status }: Sample, tag: Tag | undefined): string {
  const shown = (tag && nameOfValue(tag, value)) ?? shortValue(value);
  return `${isGood(status) ? shown : `(${shown})`} ${tag?.units ?? ""}`.trimEnd();
}

function shortValue(value: Value | undefined): string {
  if (value === null || value === undefined) return "-";
  if (typeof value === "boolean") return value ? "on" : "off";
  return typeof value === "number" ? String(Math.round(value * 100) / 100) : String(value);
}
