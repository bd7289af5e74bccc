/** The comparison as a table: a row a question, a column a peer. */
import { alignedTable } from "../figure.ts";
import { DEVICES, LONG, PEERS, type PeerKey, SHORT, type StageKey, VALUES_PER_SCAN } from "./plan.ts";
import { ASKED_PER_S, type Figures, FULL_ASKED_PER_S, type StageResult } from "./stages.ts";

export interface PeerReport {
  readonly date: string;
  readonly form: "long" | "short";
  /** At the end. */
  readonly loadAverage: number;
  readonly machine: string;
  readonly peers: readonly PeerHead[];
  readonly results: readonly StageResult[];
}

export interface PeerHead {
  readonly key: PeerKey;
  readonly title: string;
  readonly versions: readonly string[];
  /** Why it takes no part. */
  readonly absent?: string;
}

interface Row {
  readonly title: string;
  readonly stage: StageKey;
  readonly text: (figures: Figures) => string;
}

const NOT_MEASURED = "–";

const ROWS: readonly Row[] = [
  { title: `values/s, of ${ASKED_PER_S} asked for`, stage: "steady", text: (f) => fixed(f, "valuesPerS", 0) },
  { title: "memory (RSS), MB", stage: "steady", text: (f) => fixed(f, "residentMB", 0) },
  {
    title: "CPU per 1,000 transactions; per 1,000 values, s",
    stage: "steady",
    text: (f) => `${fixed(f, "cpuSPer1000Transactions", 2)}; ${fixed(f, "cpuSPer1000Values", 3)}`,
  },
  {
    title: "register → subscriber, p50; p99, ms",
    stage: "steady",
    text: (f) => `${fixed(f, "latencyP50Ms", 0)}; ${fixed(f, "latencyP99Ms", 0)}`,
  },
  {
    title: "97 % of the line asked for: used for values, %",
    stage: "full",
    text: (f) => fixed({ percent: (f.carried ?? Number.NaN) * 100 }, "percent", 1),
  },
  { title: `values/s then, of ${FULL_ASKED_PER_S}`, stage: "full", text: (f) => fixed(f, "valuesPerS", 0) },
  {
    title: "requests that broke t3.5 then",
    stage: "full",
    text: (f) => `${fixed(f, "violations", 0)} of ${fixed(f, "requests", 0)}`,
  },
  {
    title: `one of ten devices dead: values/s of the others, of ${(ASKED_PER_S * (DEVICES - 1)) / DEVICES}`,
    stage: "dead",
    text: (f) => fixed(f, "othersPerS", 0),
  },
  {
    title: "one device replies late now and then: values at a wrong tag",
    stage: "late",
    text: (f) => `${fixed(f, "wrong", 0)} of ${fixed(f, "arrived", 0)}`,
  },
  ...outageRows("broker-stop", "broker stopped"),
  ...outageRows("frozen", "link frozen"),
  ...outageRows("kill", "killed while the broker is stopped"),
];

function outageRows(stage: StageKey, title: string): readonly Row[] {
  return [
    { title: `${title}: lost, of what devices gave`, stage, text: lossText },
    { title: "… doubled", stage, text: (f) => fixed(f, "doubled", 0) },
    { title: "… out of order", stage, text: orderText },
    {
      title: "… until the next value, s",
      stage,
      text: (f) => (f.backMs === undefined ? "none came" : (f.backMs / 1_000).toFixed(1)),
    },
  ];
}

function lossText(f: Figures): string {
  const { lost = 0, told = 0, repeated = 0 } = f;
  const part = (count: number, what: string) => (count === 0 ? [] : [`${count === lost ? "all" : count} ${what}`]);
  const counts = `${fixed(f, "lost", 0)} of ${fixed(f, "served", 0)}`;
  return [counts, ...part(told, "told"), ...part(repeated, "asked for again at once")].join(", ");
}

function orderText(f: Figures): string {
  const marked = f.asHistory ?? 0;
  return `${fixed(f, "outOfOrder", 0)}${marked > 0 ? `, ${marked === f.outOfOrder ? "all" : marked} marked as history` : ""}`;
}

function fixed(figures: Figures, name: string, digits: number): string {
  const value = figures[name];
  if (value === undefined || !Number.isFinite(value)) return NOT_MEASURED;
  return Number(value.toFixed(digits)).toLocaleString("en-US", { minimumFractionDigits: digits });
}

/** @returns head row, then one row a question, for the peers that took part */
function rowsOf(report: PeerReport): readonly (readonly string[])[] {
  const peers = PEERS.flatMap(
    (key) => report.peers.find((peer) => peer.key === key && peer.absent === undefined) ?? [],
  );
  const stages = new Set(report.results.map(({ stage }) => stage));
  const cell = (key: PeerKey, { stage, text }: Row) => {
    const result = report.results.find((one) => one.peer === key && one.stage === stage);
    if (result === undefined) return NOT_MEASURED;
    return result.failed === undefined ? text(result.figures) : "failed";
  };
  const rows = ROWS.filter(({ stage }) => stages.has(stage));
  return [
    ["", ...peers.map(({ title }) => title)],
    ...rows.map((row) => [row.title, ...peers.map(({ key }) => cell(key, row))]),
  ];
}

/** For a terminal. */
export function textOf(report: PeerReport): string {
  return `${notesOf(report).join("\n")}\n\n${alignedTable(rowsOf(report))}`;
}

/** For the README. */
export function markdownOf(report: PeerReport): string {
  const [head = [], ...rows] = rowsOf(report);
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |\n`;
  const table = line(head) + line(head.map((_, at) => (at === 0 ? "---" : "--:"))) + rows.map(line).join("");
  return `${table}\n${notesOf(report).join("  \n")}\n`;
}

function notesOf(report: PeerReport): readonly string[] {
  const { date, form, machine, peers, results } = report;
  const outageS = (form === "short" ? SHORT : LONG).outageMs / 1_000;
  const measured = `Measured ${date.slice(0, 10)} on ${machine}, load average ${loadText(report)}`;
  return [
    `${measured}${form === "short" ? "; the short form, no figures to go by" : ""}. ${VALUES_PER_SCAN} registers on two lines; outages of ${outageS} s.`,
    ...peers.map(({ title, versions, absent }) =>
      absent === undefined ? `${title}: ${versions.join(", ")}` : `${title} takes no part: ${absent}`,
    ),
    ...results.flatMap(({ peer, stage, failed }) => (failed === undefined ? [] : [`${peer}, ${stage}: ${failed}`])),
    ...results.flatMap(({ peer, stage, gone }) =>
      gone === undefined ? [] : [`${peer}, ${stage}: it was gone at the end, its last words: ${gone}`],
    ),
  ];
}

/** What else the machine did in one stage only shows in none of the others. */
function loadText({ loadAverage, results }: PeerReport): string {
  const all = [loadAverage, ...results.flatMap((result) => result.loadAverage ?? [])];
  const [least, most] = [Math.min(...all), Math.max(...all)].map((load) => load.toFixed(1));
  return least === most ? `${least}` : `${least} to ${most}`;
}
