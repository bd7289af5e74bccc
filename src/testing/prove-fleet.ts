/** `npm run prove:fleet -- --gateways 2000 --processes 8`: a fleet comes back to a broker that was away. */
import { parseArgs } from "node:util";
import { proveFleet } from "./fleet.ts";

const CONNECTS_PER_S_LIMIT = 100;
const ALL_BACK_LIMIT_MS = 300_000;

const { values } = parseArgs({
  options: {
    gateways: { type: "string", default: "2000" },
    processes: { type: "string", default: "8" },
    outage: { type: "string", default: "20" },
  },
});
const tell = (line: string) => process.stdout.write(`${line}\n`);
const result = await proveFleet({
  gateways: Number(values.gateways),
  processes: Number(values.processes),
  outageMs: Number(values.outage) * 1_000,
  tell,
});
tell(`connects in the busiest second   ${result.connectsPerSMax}, limit ${CONNECTS_PER_S_LIMIT}`);
tell(
  `all back after                   ${(result.allBackMs / 1_000).toFixed(1)} s, limit ${ALL_BACK_LIMIT_MS / 1_000} s`,
);
tell(`values counted                   ${result.counted}, missing ${result.missing}`);
const holds =
  result.connectsPerSMax <= CONNECTS_PER_S_LIMIT && result.allBackMs <= ALL_BACK_LIMIT_MS && result.missing === 0;
process.exitCode = holds ? 0 : 1;
