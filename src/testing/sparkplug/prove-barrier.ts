/**
 * QoS 0 without loss, on links that hang and break at random bytes: `npm run prove:barrier -- --times 100`.
 * The same faults again: `-- --seed 4`. Ends with 1 where a value is missing.
 */
import { parseArgs } from "node:util";
import { timedLines } from "../timed-lines.ts";
import { proveBarrier } from "./barrier.ts";

const { values: options } = parseArgs({
  options: { times: { type: "string", default: "100" }, seed: { type: "string", default: "1" } },
});
const tell = timedLines();

const report = await proveBarrier({ times: Number(options.times), seed: Number(options.seed), tell });
tell(`served      ${report.served}`);
tell(`live        ${report.live}`);
tell(`history     ${report.history}`);
tell(`duplicates  ${report.duplicates}`);
tell(`swallowed   ${report.swallowed} messages of data, which were sent again`);
tell(`faults      ${report.faults.length}`);
for (const fault of report.faults) tell(fault);
process.exitCode = report.faults.length === 0 ? 0 : 1;
