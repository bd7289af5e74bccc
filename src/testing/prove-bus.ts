/** The long form of the bus' proof: `npm run prove:bus -- --requests 100000`. */
import { parseArgs } from "node:util";
import { hostClock } from "../core/clock.ts";
import { proveBusTruth } from "./bus-truth.ts";
import { timedLines } from "./timed-lines.ts";

const TELL_EVERY = 5_000;

const { values } = parseArgs({
  options: { requests: { type: "string", default: "100000" }, seed: { type: "string" } },
});
const seed = values.seed === undefined ? hostClock.wallMs() % 2 ** 31 : Number(values.seed);
const tell = timedLines();
let told = 0;
tell(`seed ${seed}`);
const report = await proveBusTruth({
  seed,
  requests: Number(values.requests),
  tell: ({ requests, good }) => {
    if (requests - told < TELL_EVERY) return;
    told = requests;
    tell(`${requests} requests, ${good} good values`);
  },
});
tell(`runs        ${report.runs}`);
tell(`requests    ${report.requests}`);
tell(`spoiled     ${report.spoiled}`);
tell(`good values ${report.good}`);
tell("wrong Good  0");
