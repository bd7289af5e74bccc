/** The demo's picture: what the gateway holds on the left, what the broker's side holds on the right. Text in, text out. */
import type { LedgerSummary } from "../../testing/ledger.ts";
import { cut } from "../listing.ts";

export interface ScreenRow {
  readonly id: string;
  /** With its unit, ready to show. */
  readonly value: string;
  /** The status in words. */
  readonly status: string;
  readonly ageS: number;
  readonly farValue: string;
  /** The far side's own idea of quality: ok, the status in words, or `not current`. */
  readonly farStatus: string;
  readonly farAgeS: number | undefined;
}

export interface ScreenState {
  readonly serial: string;
  readonly runningS: number;
  readonly rows: readonly ScreenRow[];
  readonly uplinkState: string;
  readonly depth: number;
  readonly summary: LedgerSummary;
  /** Newest last. */
  readonly events: readonly string[];
  readonly brokerCut: boolean;
  readonly pumpDead: boolean;
}

const COLUMNS = 80;
const LEFT = { id: 17, value: 13, status: 12, age: 5 } as const;
const RIGHT = { value: 10, status: 12, age: 4 } as const;
const RULE = "─".repeat(COLUMNS);
/** Lines of the picture that are not tags or events. */
const FRAME_LINES = 11;
const EVENTS_MIN = 3;

/** Draws at most `rows` lines of 80 columns, without colour: the words carry it all. */
export function drawScreen(state: ScreenState, rows: number): readonly string[] {
  const room = Math.max(rows - FRAME_LINES, EVENTS_MIN + 1);
  const tagRows = state.rows.slice(0, Math.max(1, room - EVENTS_MIN));
  const events = state.events.slice(-Math.max(EVENTS_MIN, room - tagRows.length));
  const { summary } = state;
  return [
    fit(`SALLYPORT DEMO   serial line: ${state.serial}`, COLUMNS - 10) + clockFace(state.runningS).padStart(10),
    RULE,
    `${fit("THE GATEWAY HOLDS", 50)}│ THE BROKER'S SIDE HOLDS`,
    rowText("tag", "value", "status", "age", "value", "status", "age"),
    ...tagRows.map(tagText),
    RULE,
    `uplink ${fit(state.uplinkState, 42)} waiting in the outbox: ${state.depth}`,
    `taken in ${summary.takenIn}   arrived live ${summary.live}   as history ${summary.history}   duplicates ${summary.duplicates}`,
    RULE,
    ...events.map((event) => fit(event, COLUMNS)),
    RULE,
    fit(
      `[b] ${state.brokerCut ? "restore" : "cut"} the broker  [d] ${state.pumpDead ? "revive" : "kill"} the pump  [i] toggle the door  [q] quit`,
      COLUMNS,
    ),
  ].map((line) => line.trimEnd());
}

function tagText(row: ScreenRow): string {
  const farAge = row.farAgeS === undefined ? "-" : ageText(row.farAgeS);
  return rowText(row.id, row.value, row.status, ageText(row.ageS), row.farValue, row.farStatus, farAge);
}

function rowText(
  id: string,
  value: string,
  status: string,
  age: string,
  farValue: string,
  farStatus: string,
  farAge: string,
): string {
  const left = `${fit(id, LEFT.id)}${fitRight(value, LEFT.value)} ${fit(status, LEFT.status)}${fitRight(age, LEFT.age)}`;
  const right = `${fitRight(farValue, RIGHT.value)} ${fit(farStatus, RIGHT.status)}${fitRight(farAge, RIGHT.age)}`;
  return `${fit(left, 50)}│${right}`;
}

/** Cuts or pads to exactly `width`, with a mark where something was cut. */
function fit(text: string, width: number): string {
  return cut(text, width).padEnd(width);
}

function fitRight(text: string, width: number): string {
  return text.length <= width ? text.padStart(width) : fit(text, width);
}

function ageText(seconds: number): string {
  if (seconds < 100) return `${Math.max(0, Math.floor(seconds))} s`;
  return seconds < 6000 ? `${Math.floor(seconds / 60)} m` : `${Math.floor(seconds / 3600)} h`;
}

function clockFace(seconds: number): string {
  const two = (n: number) => String(Math.floor(n)).padStart(2, "0");
  return `${two(seconds / 60)}:${two(seconds % 60)}`;
}
