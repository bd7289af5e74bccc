/** What is made of a soak's record, while it runs and after: the verdict as text, and the plot. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Look } from "./look.ts";
import { plotOf } from "./plot.ts";
import { type Counted, findingsText, judge } from "./verdict.ts";

/** A look a line. */
export const RECORD_FILE = "record.jsonl";
export const COUNTED_FILE = "counted.json";
/** What happened and when, in words. */
export const STORY_FILE = "story.txt";
const REPORT_FILE = "report.txt";
const PLOT_FILE = "soak.svg";

const NOTHING_COUNTED: Counted = {
  served: 0,
  faults: 0,
  lost: 0,
  doubled: 0,
  history: 0,
  live: 0,
  recoveries: 0,
  recoveriesJudged: 0,
  recoveryMaxS: 0,
  recoveryWorstS: 0,
  late: 0,
};

export interface Report {
  readonly text: string;
  readonly failed: boolean;
}

/** Writes report and plot beside the record. */
export async function reportOn(folder: string): Promise<Report> {
  const record = await readFile(join(folder, RECORD_FILE), "utf8").catch((cause: unknown) => {
    throw new Error(`${folder} holds no ${RECORD_FILE}; give the folder of a soak`, { cause });
  });
  const looks = looksOf(record);
  const counted = await countedIn(folder);
  const findings = judge(looks, counted);
  const failed = findings.some(({ verdict }) => verdict === "FAIL");
  const hours = ((looks.at(-1)?.s ?? 0) / 3_600).toFixed(2);
  const lives = looks.at(-1)?.life ?? 0;
  const text = `${hours} h, ${lives} processes, ${looks.length} looks\n\n${findingsText(findings)}\n${failed ? "FAIL" : "pass"}\n`;
  await writeFile(join(folder, REPORT_FILE), text);
  await writeFile(join(folder, PLOT_FILE), plotOf(looks));
  return { text, failed };
}

/** A line that was cut short by the end of the prover does not count. */
export function looksOf(record: string): readonly Look[] {
  return record.split("\n").flatMap((line) => {
    try {
      return [JSON.parse(line) as Look];
    } catch {
      return [];
    }
  });
}

async function countedIn(folder: string): Promise<Counted> {
  const text = await readFile(join(folder, COUNTED_FILE), "utf8").catch(() => "");
  return text === "" ? NOTHING_COUNTED : { ...NOTHING_COUNTED, ...JSON.parse(text) };
}
