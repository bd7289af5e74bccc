/**
 * An image in a virtual ARM board: `npm run prove:image`.
 *
 *     -- --image FILE   this image; else one is made, which needs root
 *     -- --short        flashed, booted to the first sample, looked at, cut off in an outage, booted again
 *     -- --cuts 100     power cuts at random moments; the control, a card that lies, is always run before
 *     -- --seed 4       the same chance again
 */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { hostClock, sleep } from "../core/clock.ts";
import { hostRandom, seededRandom } from "../core/random.ts";
import { proveCuts, seesLoss } from "./virtual-board/cuts.ts";
import { lookInside } from "./virtual-board/inside.ts";
import { Life } from "./virtual-board/life.ts";
import { openCable } from "./virtual-board/port-scan.ts";

const MAKE_IMAGE = fileURLToPath(new URL("../../scripts/image.sh", import.meta.url));
const MAKE_SURE = fileURLToPath(new URL("../../scripts/parts.sh", import.meta.url));
const PARTS = ["qemu-system-aarch64", "mosquitto", "mcopy", "debugfs", "sfdisk", "setpriv"];
/** How long the link is down before the power fails. */
const OUTAGE_MS = 10_000;

const { values } = parseArgs({
  options: {
    image: { type: "string" },
    short: { type: "boolean", default: false },
    cuts: { type: "string", default: "10" },
    seed: { type: "string" },
  },
});
const seed = Number(values.seed ?? Math.floor(hostRandom.next() * 1e6));
const random = seededRandom(seed);
const startedMs = hostClock.monotonicMs();
const run = promisify(execFile);

function tell(line: string): void {
  const s = ((hostClock.monotonicMs() - startedMs) / 1000).toFixed(0).padStart(5);
  process.stdout.write(`${s} s  ${line}\n`);
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

async function makeImage(folder: string): Promise<string> {
  const image = join(folder, "virtual.img");
  const { stdout } = await run("bash", [MAKE_IMAGE, "--board", "virtual", "--output", image]);
  tell(stdout.trim().split("\n").at(-1) ?? "");
  return image;
}

/** From a blank card to the first sample; then an outage, a power cut in it, and all of it at the broker. */
async function proveOneCut(image: string): Promise<readonly string[]> {
  const life = await Life.begin({ image, random, tell, isHonest: true });
  try {
    await life.powerOn();
    tell(`power to first sample at the broker: ${seconds(await life.sampleArrives())}`);
    await life.caughtUp();
    const seen = await lookInside(life, tell);
    await life.machine.setLink(false);
    await sleep(hostClock, OUTAGE_MS * (1 + random.next()));
    await life.cut();
    await life.powerOn();
    tell(`after the cut: first sample after ${seconds(await life.sampleArrives())}`);
    tell(`all there after ${seconds(await life.caughtUp())} more`);
    const { served, live, history, told } = life.summary();
    tell(`values served ${served}, arrived live ${live}, as history ${history}; told as lost ${told}`);
    return [...seen, ...life.faults()];
  } finally {
    await life.end();
  }
}

/** All ports of the board, from beside it on its network. */
async function proveSilence(image: string): Promise<readonly string[]> {
  const cable = await openCable();
  const life = await Life.begin({ image, random, tell, isHonest: true });
  try {
    await life.powerOn(cable);
    await life.sampleArrives();
    const { isNeighbour, answers } = await cable.scan();
    tell(`port scan: ${answers.length} answers${isNeighbour ? "" : ", and nobody there"}`);
    return [...(isNeighbour ? [] : ["the port scan did not reach the board"]), ...answers];
  } finally {
    await life.end();
    await cable.remove();
  }
}

async function proveManyCuts(image: string): Promise<readonly string[]> {
  tell("control: a card that says it keeps what it does not");
  if (!(await seesLoss({ image, random, tell }))) return ["the loss of a lying card was not seen: this proof is blind"];
  tell("control: its loss was seen");
  const { cuts, served, told, faults } = await proveCuts(Number(values.cuts), { image, random, tell });
  tell(`cuts ${cuts}, values served ${served}, told as lost ${told}`);
  return faults;
}

tell(`seed ${seed}`);
await run("bash", [MAKE_SURE, ...PARTS]);
const folder = await mkdtemp(join(tmpdir(), "sallyport-image-"));
try {
  const image = values.image ?? (await makeImage(folder));
  const faults = [...(await proveOneCut(image))];
  if (!values.short) faults.push(...(await proveSilence(image)), ...(await proveManyCuts(image)));
  tell(`faults ${faults.length}`);
  for (const fault of faults) tell(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}
