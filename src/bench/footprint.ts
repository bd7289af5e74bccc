/**
 * What the gateway takes from a board: `npm run bench:footprint [-- --short] [--only idle,1000_tags] [--json]`.
 *
 * The release, unpacked, as a process of its own with the unit's environment; four lines of devices on terminal pairs whose every
 * register changes at every read; a Mosquitto with TLS; a subscriber. At 100, 1,000 and 10,000 tags, each read once a
 * second, and with one tag that is read once an hour, which is idle. 10,000 twice: each written out, and those of a model.
 */
import { loadavg } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import type { CountingPlantOptions } from "../testing/counting-plant.ts";
import { readCommandLine, someOf } from "./command-line.ts";
import { atLeast, atMost, type Figure, hasMissed, reportText, told } from "./figure.ts";
import { liveOnce } from "./footprint-life.ts";
import { unpackRelease } from "./footprint-release.ts";
import { openScratch } from "./scratch.ts";

const USAGE = "npm run bench:footprint [-- --short] [--only idle,1000_tags] [--json]";

interface Case {
  readonly name: string;
  readonly load: CountingPlantOptions;
  readonly byModel?: true;
  readonly rssMaxMB?: number;
  readonly cpuMaxPercent?: number;
}

const IDLE = "idle";
const EACH_SECOND_MS = 1_000;
const EACH_HOUR_MS = 3_600_000;
const MANY = { lines: 4, devicesPerLine: 25, tagsPerDevice: 100, scanRateMs: EACH_SECOND_MS };
const CASES: readonly Case[] = [
  { name: IDLE, load: { lines: 1, devicesPerLine: 1, tagsPerDevice: 1, scanRateMs: EACH_HOUR_MS } },
  { name: "100_tags", load: { lines: 4, devicesPerLine: 1, tagsPerDevice: 25, scanRateMs: EACH_SECOND_MS } },
  {
    name: "1000_tags",
    load: { lines: 4, devicesPerLine: 5, tagsPerDevice: 50, scanRateMs: EACH_SECOND_MS },
    rssMaxMB: 75,
    cpuMaxPercent: 6,
  },
  { name: "10000_tags", load: MANY, rssMaxMB: 110 },
  { name: "10000_tags_of_a_model", load: MANY, byModel: true, rssMaxMB: 110 },
];
const FIRST_SAMPLE_MAX_MS = 1_000;
const LONG = { warmUpMs: 30_000, measureMs: 60_000 };
const SHORT = { warmUpMs: 5_000, measureMs: 10_000 };
const INSTALLED_MAX_MB = 25;
/** What a load costs is told of the whole load only. */
const VALUES_MIN = 0.98;

const { span, names, json } = readCommandLine(USAGE, () => {
  const { values } = parseArgs({
    options: { short: { type: "boolean" }, only: { type: "string" }, json: { type: "boolean" } },
  });
  const all = CASES.map(({ name }) => name);
  return { span: values.short ? SHORT : LONG, names: someOf("--only", values.only, all), json: values.json };
});
const dir = openScratch("footprint");
const { program, bytes } = unpackRelease(join(dir, "release"));
const figures: Figure[] = [atMost("installed", bytes / 1e6, "MB", INSTALLED_MAX_MB)];
for (const each of CASES.filter(({ name }) => names.includes(name))) {
  process.stderr.write(`${each.name}: ${(span.warmUpMs + span.measureMs) / 1_000} s\n`);
  figures.push(...(await figuresOf(each, program, join(dir, each.name))));
}
process.stdout.write(reportText({ loadAverage: loadavg()[0] ?? Number.NaN, figures }, json));
process.exitCode = hasMissed(figures) ? 1 : 0;

async function figuresOf(
  { name, load, byModel, rssMaxMB, cpuMaxPercent }: Case,
  program: string,
  folder: string,
): Promise<Figure[]> {
  const life = await liveOnce({ folder, program, load, ...(byModel && { byModel }), ...span });
  const rssMB = life.rssBytes / 1e6;
  const measureS = span.measureMs / 1_000;
  const cpuPercent = (life.cpuS * 100) / measureS;
  const valuesPerS = life.values / measureS;
  const wantedPerS = (load.lines * load.devicesPerLine * load.tagsPerDevice * 1_000) / load.scanRateMs;
  return [
    atMost(`${name}_first_sample`, life.firstSampleMs, "ms", FIRST_SAMPLE_MAX_MS),
    rssMaxMB === undefined ? told(`${name}_rss`, rssMB, "MB") : atMost(`${name}_rss`, rssMB, "MB", rssMaxMB),
    told(`${name}_rss_peak`, life.rssPeakBytes / 1e6, "MB"),
    cpuMaxPercent === undefined
      ? told(`${name}_cpu`, cpuPercent, "%")
      : atMost(`${name}_cpu`, cpuPercent, "%", cpuMaxPercent),
    ...(name === IDLE
      ? [told(`${name}_values`, valuesPerS, "values/s")]
      : [
          atLeast(`${name}_values`, valuesPerS, "values/s", wantedPerS * VALUES_MIN),
          told(`${name}_wire`, life.sentBytes / life.values, "B/sample"),
        ]),
  ];
}
