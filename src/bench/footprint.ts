/**
 * What the gateway takes from a board: `npm run bench:footprint [-- --short] [--only 1000_tags] [--json]`.
 *
 * The release, unpacked, as a process of its own with the unit's environment; four lines of devices on terminal pairs whose every
 * register changes at every read; a Mosquitto with TLS; a subscriber. At 100, 1,000 and 10,000 tags, each read once a
 * second, and with one tag that is read once an hour, which is idle.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { CountingPlantOptions } from "../testing/counting-plant.ts";
import { atMost, type Figure, hasMissed, reportText, told } from "./figure.ts";
import { liveOnce } from "./footprint-life.ts";
import { unpackRelease } from "./footprint-release.ts";

interface Case {
  readonly name: string;
  readonly load: CountingPlantOptions;
  readonly rssMaxMB?: number;
  readonly cpuMaxPercent?: number;
}

const EACH_SECOND_MS = 1_000;
const EACH_HOUR_MS = 3_600_000;
const CASES: readonly Case[] = [
  { name: "idle", load: { lines: 1, devicesPerLine: 1, tagsPerDevice: 1, scanRateMs: EACH_HOUR_MS } },
  { name: "100_tags", load: { lines: 4, devicesPerLine: 1, tagsPerDevice: 25, scanRateMs: EACH_SECOND_MS } },
  {
    name: "1000_tags",
    load: { lines: 4, devicesPerLine: 5, tagsPerDevice: 50, scanRateMs: EACH_SECOND_MS },
    rssMaxMB: 75,
    cpuMaxPercent: 6,
  },
  {
    name: "10000_tags",
    load: { lines: 4, devicesPerLine: 25, tagsPerDevice: 100, scanRateMs: EACH_SECOND_MS },
    rssMaxMB: 110,
  },
];
const FIRST_SAMPLE_MAX_MS = 1_000;
const LONG = { warmUpMs: 30_000, measureMs: 60_000 };
const SHORT = { warmUpMs: 5_000, measureMs: 10_000 };
const INSTALLED_MAX_MB = 25;

const { values: options } = parseArgs({
  options: { short: { type: "boolean" }, only: { type: "string" }, json: { type: "boolean" } },
});
const span = options.short ? SHORT : LONG;
const all = CASES.map(({ name }) => name);
const names = options.only?.split(",") ?? all;
if (!names.every((name) => all.includes(name))) throw new Error(`--only takes some of ${all.join(",")}`);
const dir = await mkdtemp(join(tmpdir(), "sallyport-footprint-"));
const figures: Figure[] = [];
try {
  const { program, bytes } = unpackRelease(join(dir, "release"));
  figures.push(atMost("installed", bytes / 1e6, "MB", INSTALLED_MAX_MB));
  for (const each of CASES.filter(({ name }) => names.includes(name))) {
    process.stderr.write(`${each.name}: ${(span.warmUpMs + span.measureMs) / 1_000} s\n`);
    figures.push(...(await figuresOf(each, program, join(dir, each.name))));
  }
} finally {
  await rm(dir, { recursive: true, force: true });
}
process.stdout.write(reportText({ loadAverage: loadavg()[0] ?? Number.NaN, figures }, options.json));
process.exitCode = hasMissed(figures) ? 1 : 0;

async function figuresOf(
  { name, load, rssMaxMB, cpuMaxPercent }: Case,
  program: string,
  folder: string,
): Promise<Figure[]> {
  const life = await liveOnce({ folder, program, load, ...span });
  const rssMB = life.rssBytes / 1e6;
  const cpuPercent = (life.cpuS * 100) / (span.measureMs / 1_000);
  return [
    atMost(`${name}_first_sample`, life.firstSampleMs, "ms", FIRST_SAMPLE_MAX_MS),
    rssMaxMB === undefined ? told(`${name}_rss`, rssMB, "MB") : atMost(`${name}_rss`, rssMB, "MB", rssMaxMB),
    told(`${name}_rss_peak`, life.rssPeakBytes / 1e6, "MB"),
    cpuMaxPercent === undefined
      ? told(`${name}_cpu`, cpuPercent, "%")
      : atMost(`${name}_cpu`, cpuPercent, "%", cpuMaxPercent),
    told(`${name}_values`, life.values / (span.measureMs / 1_000), "values/s"),
    ...(name === "idle" ? [] : [told(`${name}_wire`, life.sentBytes / life.values, "B/sample")]),
  ];
}
