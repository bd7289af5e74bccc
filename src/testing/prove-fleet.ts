/** `npm run prove:fleet -- --gateways 2000 --processes 4`: a fleet comes back to a broker that was away. */
import { parseArgs } from "node:util";
import { proveFleet } from "./fleet.ts";

const CONNECTS_PER_S_LIMIT = 100;
const ALL_BACK_LIMIT_MS = 300_000;

const { values } = parseArgs({
  options: {
    gateways: { type: "string", default: "2000" },
    processes: { type: "string", default: "4" },
    outage: { type: "string", default: "20" },
  },
});
const gateways = Number(values.gateways);
if (!(gateways >= 1)) throw new Error(`--gateways takes a number from 1, not ${values.gateways}`);
const tell = (line: string) => process.stdout.write(`${line}\n`);
const result = await proveFleet({
  gateways,
  processes: Number(values.processes),
  outageMs: Number(values.outage) * 1_000,
  tell,
});
const seconds = (ms: number) => (ms / 1_000).toFixed(1);
const verdict = (holds: boolean) => (holds ? "pass" : "FAIL");
const { attemptsPerSMax, connectsPerSMax, allBackMs, counted, missing, rssBytes } = result;
const isGentle = attemptsPerSMax <= CONNECTS_PER_S_LIMIT && connectsPerSMax <= CONNECTS_PER_S_LIMIT;
const isWhole = counted > 0 && missing === 0;
const isBack = allBackMs <= ALL_BACK_LIMIT_MS;
tell(`attempts begun in the busiest second  ${attemptsPerSMax}, limit ${CONNECTS_PER_S_LIMIT}`);
tell(`CONNECTs taken in the busiest second  ${connectsPerSMax}, limit ${CONNECTS_PER_S_LIMIT}  ${verdict(isGentle)}`);
tell(
  `all back after                        ${seconds(allBackMs)} s, limit ${seconds(ALL_BACK_LIMIT_MS)} s  ${verdict(isBack)}`,
);
tell(`values counted                        ${counted}, missing ${missing}  ${verdict(isWhole)}`);
tell(`memory of a gateway that is played    ${(rssBytes / gateways / 1e6).toFixed(2)} MB`);
process.exitCode = isGentle && isBack && isWhole ? 0 : 1;
