/** The picture of `watch`: what the keys chose, and the lines that show it. Text only, pure. */
import { isGood } from "../../core/quality.ts";
import type { StatusContent, TagStatus } from "../../diagnostics/status-file.ts";
import type { DeviceReport, LineReport, UplinkReport } from "../../pipeline.ts";
import { cut } from "../listing.ts";
import type { Rates } from "./rates.ts";

const SORTS = ["name", "trouble", "age"] as const;

export interface View {
  readonly filter: string;
  /** Letters go into the filter. */
  readonly isTyping: boolean;
  readonly sort: (typeof SORTS)[number];
  readonly isPaused: boolean;
  readonly onlyTrouble: boolean;
  /** The gateway's own tags, too. */
  readonly showsOwn: boolean;
  /** Tags above the first one shown. */
  readonly top: number;
  /** A key that sends several letters has begun. */
  readonly escape: "" | "\x1b" | "\x1b[";
  readonly isOver: boolean;
}

export const FIRST_VIEW: View = {
  filter: "",
  isTyping: false,
  sort: "name",
  isPaused: false,
  onlyTrouble: false,
  showsOwn: false,
  top: 0,
  escape: "",
  isOver: false,
};

const FILTER_MAX_CHARACTERS = 40;
const PAGE_TAGS = 10;
const OWN_DEVICE = "gateway";
const SMALLEST = { columns: 40, rows: 10 } as const;
/** Lines and uplinks shown one by one. */
const PARTS_SHOWN_MAX = 4;

export function onKey(view: View, key: string): View {
  if (view.escape !== "" || key === "\x1b") return onEscape(view, key);
  if (view.isTyping) return onTyped(view, key);
  switch (key) {
    case "q":
      return { ...view, isOver: true };
    case "f":
    case "/":
      return { ...view, isTyping: true };
    case "s":
      return { ...view, top: 0, sort: SORTS[(SORTS.indexOf(view.sort) + 1) % SORTS.length] ?? "name" };
    case "p":
    case " ":
      return { ...view, isPaused: !view.isPaused };
    case "t":
      return { ...view, top: 0, onlyTrouble: !view.onlyTrouble };
    case "g":
      return { ...view, top: 0, showsOwn: !view.showsOwn };
    default:
      return { ...view, top: Math.max(0, view.top + (STEPS[key] ?? 0)) };
  }
}

const STEPS: Readonly<Record<string, number>> = { j: 1, k: -1, d: PAGE_TAGS, u: -PAGE_TAGS };

/** Arrows and pages come as several letters. */
const ESCAPED: Readonly<Record<string, string>> = { A: "k", B: "j", "5": "u", "6": "d" };

function onEscape(view: View, key: string): View {
  if (key === "\x1b") return { ...view, isTyping: false, escape: "\x1b" };
  if (view.escape === "\x1b") return key === "[" ? { ...view, escape: "\x1b[" } : onKey({ ...view, escape: "" }, key);
  const meant = ESCAPED[key];
  return meant === undefined ? { ...view, escape: "" } : onKey({ ...view, escape: "" }, meant);
}

function onTyped(view: View, key: string): View {
  if (key === "\r" || key === "\n") return { ...view, isTyping: false };
  if (key === "\x7f" || key === "\b") return { ...view, filter: view.filter.slice(0, -1), top: 0 };
  if (key < " ") return view;
  return { ...view, filter: (view.filter + key).slice(0, FILTER_MAX_CHARACTERS), top: 0 };
}

export interface Picture {
  /** Undefined: no gateway was seen yet. */
  readonly status: StatusContent | undefined;
  /** It is there now; else the picture is its last one. */
  readonly isFresh: boolean;
  readonly nowMs: number;
  readonly rates: Rates;
}

interface Row {
  readonly id: string;
  readonly tag: TagStatus;
}

/** Tags of the view in its order. */
export function rowsOf(view: View, status: StatusContent): readonly Row[] {
  const filter = view.filter.toLowerCase();
  const rows = status.devices
    .filter(({ name }) => view.showsOwn || name !== OWN_DEVICE)
    .flatMap(({ name, tags }) => tags.map((tag) => ({ id: `${name}/${tag.name}`, tag })))
    .filter(({ id, tag }) => `${id} ${tag.words}`.toLowerCase().includes(filter))
    .filter(({ tag }) => !view.onlyTrouble || !isGood(tag.status));
  if (view.sort === "trouble") return rows.toSorted((a, b) => trouble(b.tag) - trouble(a.tag));
  return view.sort === "age" ? rows.toSorted((a, b) => a.tag.timestamp - b.tag.timestamp) : rows;
}

function trouble({ status }: TagStatus): number {
  if (isGood(status)) return 0;
  return status.startsWith("Bad") ? 2 : 1;
}

/** At most `rows` lines of at most `columns` characters. Words carry it all; there is no colour. */
export function draw(
  view: View,
  picture: Picture,
  size: { readonly columns: number; readonly rows: number },
): string[] {
  const columns = Math.max(SMALLEST.columns, size.columns);
  const rule = "-".repeat(columns);
  const { status } = picture;
  const foot = [rule, view.isTyping ? `filter: ${view.filter}_   [Enter] done` : keysText(view, columns)];
  if (status === undefined)
    return ["SALLYPORT  no gateway is seen on this machine", ...foot].map((line) => fit(line, columns));
  const parts = partsText(status, picture.rates, size.rows);
  const all = rowsOf(view, status);
  const room = roomFor(parts, size.rows);
  const top = Math.min(view.top, Math.max(0, all.length - room));
  const shown = all.slice(top, top + room);
  const counts = all.length === 0 ? "no tags" : `tags ${top + 1}-${top + shown.length} of ${all.length}`;
  const head = headText(view, picture, status, columns);
  return [
    `${fit(head, columns - counts.length - 1).padEnd(columns - counts.length)}${counts}`,
    rule,
    tagLine(columns, " ", "tag", "value", columns < WIDE_COLUMNS ? "" : "units", "status", "age"),
    ...shown.map(({ id, tag }) => tagText(columns, id, tag, picture)),
    rule,
    ...parts,
    ...foot,
  ].map((line) => fit(line, columns).trimEnd());
}

/** The view, scrolled no further than to the last tag: else the way back would be as long as what was pressed too often. */
export function withinTags(view: View, { status, rates }: Picture, size: { readonly rows: number }): View {
  const room = status === undefined ? 0 : roomFor(partsText(status, rates, size.rows), size.rows);
  const tags = status === undefined ? 0 : rowsOf(view, status).length;
  return { ...view, top: Math.min(view.top, Math.max(0, tags - room)) };
}

/** For tags; the rest takes its rules, its head and its keys. */
function roomFor(parts: readonly string[], rows: number): number {
  return Math.max(1, Math.max(SMALLEST.rows, rows) - parts.length - FRAME_ROWS);
}

const FRAME_ROWS = 6;

/** All of it; on a small screen what is amiss first, and how much more there is. */
function partsText(status: StatusContent, rates: Rates, rows: number): readonly string[] {
  const all = [...linesText(status.lines, rates), ...uplinksText(status.uplinks, rates), ...outboxText(status)];
  const room = Math.max(SMALLEST.rows, rows) - FRAME_ROWS - 1;
  if (all.length <= room) return all;
  const isAmiss = (text: string) => text.startsWith("!");
  const shown = [...all.filter(isAmiss), ...all.filter((text) => !isAmiss(text))].slice(0, room - 1);
  return [...shown, `  and ${all.length - shown.length} more`];
}

function headText(view: View, { isFresh, nowMs }: Picture, status: StatusContent, columns: number): string {
  const at = new Date(status.timestamp).toISOString().slice(11, 19);
  const state = isFresh ? "running" : `NOT RUNNING for ${ageText(nowMs - status.timestamp)}`;
  const chosen = [
    ...(view.isPaused ? ["PAUSED"] : []),
    ...(view.filter === "" ? [] : [`filter "${view.filter}"`]),
    ...(view.onlyTrouble ? ["trouble only"] : []),
  ];
  // Where not all fits, the age of the picture comes first: else old values would look like those of now.
  const parts = columns < WIDE_COLUMNS ? [state, ...chosen, at] : ["SALLYPORT", `${at} UTC`, state, ...chosen];
  return parts.join("  ");
}

function keysText({ sort, isPaused, onlyTrouble }: View, columns: number): string {
  if (columns < WIDE_COLUMNS) return `[f]ilter [s]ort [t]rouble [p]${isPaused ? "go on" : "ause"} [q]uit`;
  const pause = isPaused ? "go on" : "pause";
  return `[f] filter [s] sort: ${sort} [t] ${onlyTrouble ? "all" : "trouble"} [g] own tags [p] ${pause} [j/k] move [q] quit`;
}

function tagText(columns: number, id: string, tag: TagStatus, { nowMs }: Picture): string {
  const good = isGood(tag.status);
  const value = tag.text ?? valueText(tag.value);
  const age = ageText(nowMs - tag.timestamp);
  return tagLine(columns, good ? " " : "!", id, good ? value : `(${value})`, tag.units ?? "", tag.words, age);
}

/** Below that a smaller table is shown, and fewer words. */
const WIDE_COLUMNS = 70;
const WIDTHS = { value: 13, units: 6, status: 21, age: 5 } as const;
const NARROW_WIDTHS = { value: 9, units: 3, status: 9, age: 4 } as const;

/** The name takes what the others leave. */
function tagLine(
  columns: number,
  mark: string,
  id: string,
  value: string,
  units: string,
  words: string,
  age: string,
): string {
  const widths = columns < WIDE_COLUMNS ? NARROW_WIDTHS : WIDTHS;
  const taken = 1 + widths.value + widths.units + widths.status + widths.age + 4;
  const name = fit(id, Math.max(8, columns - taken)).padEnd(Math.max(8, columns - taken));
  const middle = `${fit(value, widths.value).padStart(widths.value)} ${fit(units, widths.units).padEnd(widths.units)}`;
  return `${mark}${name} ${middle} ${fit(words, widths.status).padEnd(widths.status)} ${age.padStart(widths.age)}`;
}

function linesText(lines: readonly LineReport[], rates: Rates): string[] {
  return limited(lines, "lines", ({ name, fault, lent, utilisation, missedPeriods, devices }) => {
    if (lent === true) return `  line ${name}: ${fault}, not read meanwhile`;
    if (fault !== "") return `! line ${name}: ${fault}`;
    const { requestsPerS, failedPercent } = rates.line(name);
    const lost = devices.filter((device) => device.lost).map((device: DeviceReport) => device.name);
    const failed = failedPercent === undefined ? "" : `, ${percentText(failedPercent)} % fail`;
    const parts = [
      ...(lost.length > 0 ? [`LOST: ${lost.join(" ")}`] : []),
      `${Math.round(utilisation)} % busy`,
      ...(requestsPerS === undefined ? [] : [`${requestsPerS.toFixed(1)} requests/s${failed}`]),
      ...(missedPeriods > 0 ? [`${missedPeriods} reads missed`] : []),
    ];
    return `${lost.length > 0 ? "!" : " "} line ${name}: ${parts.join(", ")}`;
  });
}

function uplinksText(uplinks: readonly UplinkReport[], rates: Rates): string[] {
  return limited(uplinks, "uplinks", ({ name, state, depth, dropped }) => {
    const { replayedPerS, drainS } = rates.uplink(name);
    const drain = drainS === undefined ? "" : `, empty in ${ageText(drainS * 1_000)}`;
    const parts = [
      depth === 0 ? "nothing waits" : `${depth} wait${drain}`,
      ...(replayedPerS > 0 ? [`replays ${Math.round(replayedPerS)}/s`] : []),
      ...(dropped > 0 ? [`${dropped} lost`] : []),
    ];
    return `${state === "connected" ? " " : "!"} uplink ${name}: ${parts.join(", ")}; ${state}`;
  });
}

function outboxText({ outbox }: StatusContent): string[] {
  return outbox.health === "ok" ? [] : [`! outbox ${outbox.health}: ${outbox.healthReason}`];
}

function limited<Part>(parts: readonly Part[], noun: string, text: (part: Part) => string): string[] {
  const shown = parts.slice(0, PARTS_SHOWN_MAX).map(text);
  return parts.length === shown.length ? shown : [...shown, `  and ${parts.length - shown.length} more ${noun}`];
}

function percentText(percent: number): string {
  return percent > 0 && percent < 1 ? "<1" : `${Math.round(percent)}`;
}

function valueText(value: TagStatus["value"]): string {
  if (value === null) return "-";
  if (typeof value === "boolean") return value ? "on" : "off";
  return typeof value === "number" ? numberText(value) : String(value);
}

/** Four decimals are enough to watch, but what is small is not nothing. */
function numberText(value: number): string {
  const size = Math.abs(value);
  const isPlain = value === 0 || (size >= PLAIN_MIN && size < PLAIN_MAX);
  if (!isPlain) return value.toExponential(EXPONENT_DIGITS);
  return String(Math.round(value * 1e4) / 1e4);
}

const PLAIN_MIN = 0.001;
const PLAIN_MAX = 1e13;
const EXPONENT_DIGITS = 3;

export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 100) return `${seconds} s`;
  if (seconds < 6_000) return `${Math.floor(seconds / 60)} m`;
  return seconds < 360_000 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} d`;
}

/** What a device calls itself must not steer the terminal. */
const CONTROL = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Cut, with a mark where something was cut. */
function fit(text: string, width: number): string {
  return cut(text.replaceAll(CONTROL, "·"), width);
}
