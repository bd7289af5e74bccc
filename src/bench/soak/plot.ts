/** A soak's record as SVG: panels over one time axis, in colours that are read on light and dark paper alike. */
import type { Look } from "./look.ts";
import type { Point } from "./trend.ts";
import { pointsOf } from "./verdict.ts";

interface Series {
  readonly name: string;
  readonly points: readonly Point[];
}

interface Panel {
  readonly title: string;
  readonly series: readonly Series[];
}

const WIDTH = 900;
const LEFT = 64;
const RIGHT = 16;
const TOP = 28;
const PANEL = 96;
const GAP = 40;
const PLOT_WIDTH = WIDTH - LEFT - RIGHT;
const INK = "#7f8791";
const COLOURS = ["#3f83c9", "#d0812c", "#4a9c5d", "#b25fae"] as const;
const TICKS_WANTED = 4;
const HOURS_TICKS_WANTED = 8;
const S_PER_HOUR = 3_600;
const S_PER_MINUTE = 60;

export function plotOf(looks: readonly Look[]): string {
  const endS = Math.max(1, looks.at(-1)?.s ?? 1);
  const panels = panelsOf(looks);
  const height = TOP + panels.length * (PANEL + GAP);
  const x = (s: number) => LEFT + (s / endS) * PLOT_WIDTH;
  const drawn = panels.map((panel, nth) => panelSvg(panel, TOP + nth * (PANEL + GAP), x, endS));
  const bands = troubles(looks).map(({ fromS, toS }) => {
    const width = Math.max(0.5, x(toS) - x(fromS)).toFixed(1);
    return `<rect x="${x(fromS).toFixed(1)}" y="${TOP}" width="${width}" height="${height - TOP - GAP}" fill="${INK}" opacity="0.15"/>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="sans-serif" font-size="11" fill="${INK}">
${bands.join("\n")}
${drawn.join("\n")}
</svg>
`;
}

function panelsOf(looks: readonly Look[]): readonly Panel[] {
  const of = (name: string, take: (look: Look) => number | undefined): Series => ({
    name,
    points: pointsOf(looks, take),
  });
  const inMB = (bytes: number | undefined) => (bytes === undefined ? undefined : bytes / 1e6);
  const uplinks = [...new Set(looks.flatMap(({ delays }) => Object.keys(delays)))];
  return [
    { title: "RSS, MB", series: [of("RSS", ({ rssBytes }) => inMB(rssBytes))] },
    {
      title: "within it, MB",
      series: [
        of("heap in use", ({ heapBytes }) => inMB(heapBytes)),
        of("external", ({ externalBytes }) => inMB(externalBytes)),
      ],
    },
    {
      title: "handles and timers",
      series: [of("open files", ({ handles }) => handles), of("timers", ({ timers }) => timers)],
    },
    { title: "event loop late, ms", series: [of("p99", ({ loopDelayP99Ms }) => loopDelayP99Ms)] },
    {
      title: "files, MB",
      series: [
        of("outbox.db", ({ outboxBytes }) => inMB(outboxBytes)),
        of("its WAL", ({ walBytes }) => inMB(walBytes)),
      ],
    },
    { title: "samples that wait", series: [of("depth", ({ depth }) => depth)] },
    {
      title: "reply to subscriber, live, p99, ms",
      series: uplinks.map((uplink) =>
        of(uplink, ({ delays }) => (delays[uplink]?.values === 0 ? undefined : delays[uplink]?.p99Ms)),
      ),
    },
  ];
}

/** While a trouble was on, or not all was there again. */
function troubles(looks: readonly Look[]): readonly { readonly fromS: number; readonly toS: number }[] {
  const spans: { fromS: number; toS: number }[] = [];
  let from: number | undefined;
  for (const { s, quietS } of looks) {
    if (quietS < 0) from ??= s;
    else if (from !== undefined) {
      spans.push({ fromS: from, toS: s });
      from = undefined;
    }
  }
  return spans;
}

function panelSvg({ title, series }: Panel, top: number, x: (s: number) => number, endS: number): string {
  const values = series.flatMap(({ points }) => points.map(({ value }) => value));
  const greatest = values.reduce((a, b) => Math.max(a, b), 0);
  const step = roundStep((greatest || 1) / TICKS_WANTED);
  const max = Math.max(step, Math.ceil(greatest / step) * step);
  const y = (value: number) => top + PANEL - (value / max) * PANEL;
  const parts = [`<text x="${LEFT}" y="${top - 8}" font-weight="bold">${title}</text>`];
  for (let value = 0; value <= max + step / 2; value += step) {
    const at = y(value).toFixed(1);
    parts.push(`<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${at}" y2="${at}" stroke="${INK}" stroke-opacity="0.3"/>`);
    parts.push(`<text x="${LEFT - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${shown(value)}</text>`);
  }
  parts.push(...timeTicks(endS, x, top + PANEL));
  for (const [nth, { name, points }] of series.entries()) {
    const colour = COLOURS[nth % COLOURS.length] ?? INK;
    const place = WIDTH - RIGHT - (series.length - 1 - nth) * 90;
    parts.push(`<text x="${place}" y="${top - 8}" text-anchor="end" fill="${colour}">${name}</text>`);
    parts.push(`<path d="${pathOf(points, x, y)}" fill="none" stroke="${colour}" stroke-width="1.2"/>`);
  }
  return parts.join("\n");
}

/** The least and the greatest of each pixel, so that thousands of points stay a small file and no peak is left out. */
function pathOf(points: readonly Point[], x: (s: number) => number, y: (value: number) => number): string {
  const columns = new Map<number, { low: number; high: number }>();
  for (const { s, value } of points) {
    const column = Math.round(x(s));
    const known = columns.get(column);
    if (known === undefined) columns.set(column, { low: value, high: value });
    else columns.set(column, { low: Math.min(known.low, value), high: Math.max(known.high, value) });
  }
  const places = [...columns].flatMap(([column, { low, high }]) =>
    low === high
      ? [`${column},${y(low).toFixed(1)}`]
      : [`${column},${y(low).toFixed(1)}`, `${column},${y(high).toFixed(1)}`],
  );
  return places.length === 0 ? "" : `M${places.join("L")}`;
}

function timeTicks(endS: number, x: (s: number) => number, bottom: number): readonly string[] {
  const unitS = endS >= 2 * S_PER_HOUR ? S_PER_HOUR : S_PER_MINUTE;
  const step = roundStep(endS / unitS / HOURS_TICKS_WANTED);
  const ticks: string[] = [];
  for (let at = 0; at * unitS <= endS; at += step) {
    const unit = at === 0 ? (unitS === S_PER_HOUR ? " h" : " min") : "";
    ticks.push(
      `<text x="${x(at * unitS).toFixed(1)}" y="${bottom + 14}" text-anchor="middle">${shown(at)}${unit}</text>`,
    );
  }
  return ticks;
}

/** 1, 2 or 5 times a power of ten, at least so much. */
export function roundStep(atLeast: number): number {
  const power = 10 ** Math.floor(Math.log10(atLeast));
  return ([1, 2, 5, 10].find((factor) => factor * power >= atLeast * 0.999) ?? 10) * power;
}

function shown(value: number): string {
  return String(Number(value.toPrecision(3)));
}
