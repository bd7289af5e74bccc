/**
 * An image in a virtual ARM board: `npm run prove:image`, as root.
 *
 *     -- --image FILE    this image; else one is made
 *     -- --short         flashed, booted to the first sample, looked at, cut off in an outage, booted again
 *     -- --only cuts     some of: sample, ports, hw-test, control, cuts
 *     -- --cuts 100      power cuts at random moments
 *     -- --seed 4        the same chance again; each card has the next number
 *     -- --log FILE      adds a line of JSON for each cut, so that runs add up
 *     -- --here          in the network of this process, where port 123 must be free; else in one of its own
 */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { hostClock } from "../core/clock.ts";
import { hostRandom, seededRandom } from "../core/random.ts";
import { makeImage } from "./flashed-card.ts";
import { timedLines } from "./timed-lines.ts";
import { type CutRecord, proveControl, proveCuts } from "./virtual-board/cuts.ts";
import { proveFirstSample, seconds } from "./virtual-board/first-sample.ts";
import { proveHwTest } from "./virtual-board/hw-test.ts";
import { proveSilence } from "./virtual-board/silence.ts";

const SELF = fileURLToPath(import.meta.url);
const MAKE_SURE = fileURLToPath(new URL("../../scripts/parts.sh", import.meta.url));
const PARTS = ["qemu-system-aarch64", "mosquitto", "mcopy", "debugfs", "sfdisk", "setpriv", "unshare", "ip"];

const { values } = parseArgs({
  options: {
    image: { type: "string" },
    short: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    cuts: { type: "string", default: "10" },
    seed: { type: "string" },
    log: { type: "string" },
    here: { type: "boolean", default: false },
  },
});
const tell = timedLines();
const run = promisify(execFile);

/** Outside the proofs' own network, where packages are to be had. Returns the exit code. */
async function makeAndProve(folder: string): Promise<number> {
  await run("bash", [MAKE_SURE, ...PARTS]);
  tell("parts are there");
  const wanted = ["--board", "virtual", ...(values.short ? [] : ["--compress"])];
  const image = values.image ?? (await makeImage(join(folder, "virtual.img"), tell, ...wanted));
  const words = [process.execPath, "--import", "tsx", SELF, ...process.argv.slice(2), "--image", image, "--here"];
  // setpriv: all of it ends with this process, however that ends.
  const alone = ["--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"];
  const child = spawn("setpriv", [...alone, ...words], { stdio: "inherit" });
  const [code] = await once(child, "exit");
  tell("done");
  return typeof code === "number" ? code : 1;
}

async function prove(image: string): Promise<number> {
  const seed = Number(values.seed ?? Math.floor(hostRandom.next() * 1e6));
  tell(`seed ${seed}`);
  const options = { image, random: seededRandom(seed) };
  const proofs: Readonly<Record<string, () => Promise<readonly string[]>>> = {
    sample: () => proveFirstSample(options, tell),
    ports: () => proveSilence(options, tell),
    "hw-test": () => proveHwTest(options, tell),
    control: () => proveSight(image, seed),
    cuts: () => proveCuts(Number(values.cuts), { image, seed, tell }, recordCut),
  };
  const faults: string[] = [];
  for (const name of values.short ? ["sample"] : (values.only ?? Object.keys(proofs))) {
    const proof = proofs[name];
    if (proof === undefined) throw new Error(`there is no proof ${name}`);
    faults.push(...(await proof().catch((error: unknown) => [`${name}: ${error}`])));
  }
  tell(`faults ${faults.length}`);
  for (const fault of faults) tell(fault);
  return faults.length === 0 ? 0 : 1;
}

/** That the books see what a lying card loses. */
async function proveSight(image: string, seed: number): Promise<readonly string[]> {
  const seen = await proveControl({ image, seed, tell });
  tell(`control: ${seen.join("; ") || "nothing seen"}`);
  return seen.length > 0 ? [] : ["the loss of a lying card was not seen: this proof is blind"];
}

function recordCut(record: CutRecord): void {
  const { seed, number, moment, cut, backMs, lost, oldestLostMs, faults } = record;
  const line = { date: new Date(hostClock.wallMs()).toISOString(), ...record };
  if (values.log !== undefined) appendFileSync(values.log, `${JSON.stringify(line)}\n`);
  const back = backMs === undefined ? "not back" : `back after ${seconds(backMs)}`;
  const told = lost === 0 ? "nothing lost" : `${lost} told as lost, the oldest ${seconds(oldestLostMs)} old`;
  const where = `${moment}, ${seconds(cut.afterMs)} after power on, ${cut.waiting} blocks in its cache`;
  tell(`card ${seed} cut ${number} in ${where}: ${back}, ${told}, faults ${faults.length}`);
}

const folder = await mkdtemp(join(tmpdir(), "sallyport-image-"));
try {
  process.exitCode = values.here && values.image !== undefined ? await prove(values.image) : await makeAndProve(folder);
} finally {
  await rm(folder, { recursive: true, force: true });
}
