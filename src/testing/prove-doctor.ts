/**
 * `npm run prove:doctor`: the real doctor under a real terminal, at real ports and a real Mosquitto, in sites where one
 * thing each is amiss. Ends with 1 unless it calls every fault by its name, and nothing where nothing is.
 * A terminal keeps neither parity nor framing, so wrong parity is not among them: see wiring.test.ts.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { AILMENTS, type Amiss, ailingSite, type Surroundings, surroundings } from "./ailing-site.ts";
import { runInTerminal, type TerminalRun } from "./terminal-run.ts";

/** Most of it is waiting for devices that keep silent. */
const AT_ONCE = 3;
const AREAS = ["configuration", "port", "line", "broker"];
const NOTHING = "nothing";

const { values } = parseArgs({ options: { only: { type: "string", default: "" } } });
const tell = (line: string) => void process.stdout.write(`${line}\n`);

interface Case {
  readonly name: string;
  readonly amiss: (around: Surroundings) => Amiss;
}

/** Of a finding, as `--json` has it. */
interface Told {
  readonly area: string;
  readonly name: string;
  readonly verdict: string;
}

const cases: Case[] = [{ name: NOTHING, amiss: () => ({}) }, ...AILMENTS].filter(({ name }) =>
  name.includes(values.only),
);
const dir = mkdtempSync(join(tmpdir(), "sallyport-doctor-"));
const around = await surroundings(dir);
let wrong = 0;
try {
  const left = cases.values();
  const work = async () => {
    for (const each of left) if (!(await prove(each))) wrong += 1;
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
} finally {
  await around.close();
  rmSync(dir, { recursive: true, force: true });
}
tell(`${cases.length - wrong} of ${cases.length} sites called by their name`);
process.exitCode = wrong === 0 ? 0 : 1;

async function prove({ name, amiss }: Case): Promise<boolean> {
  const site = await ailingSite(around, amiss(around));
  const command = runInTerminal(["doctor", site.file, "--json"], {});
  try {
    await ended(command);
    const told = namesIn(command.text());
    const isRight = told[0] === name;
    tell(`${isRight ? "ok   " : "WRONG"} ${name.padEnd(26)} told: ${told.join(", ")}`);
    return isRight;
  } finally {
    command.kill();
    await site.close();
  }
}

/** A line of silent devices takes longer than one wait may. */
async function ended(command: TerminalRun): Promise<void> {
  for (let waits = 0; waits < 3; waits++) {
    const code = await command.ended().catch(() => undefined);
    if (code !== undefined) return;
  }
}

/** What is wrong with the site, each name once; this machine may have troubles of its own. */
function namesIn(text: string): readonly string[] {
  const { findings }: { readonly findings: readonly Told[] } = JSON.parse(text.slice(text.indexOf("{")));
  const amiss = findings.filter(({ area, verdict }) => AREAS.includes(area) && verdict !== "OK");
  const names = [...new Set(amiss.map(({ area, name }) => `${area} ${name}`))];
  return names.length === 0 ? [NOTHING] : names;
}
