/**
 * The assertions of Sparkplug B 3.0 against a real gateway and real brokers, as a table: `npm run prove:sparkplug`.
 * Ends with 1 where one does not hold or was not seen.
 */
import { hostClock } from "../../core/clock.ts";
import { judge, readAssertions, summaryOf, TABLES, tableOf } from "./assertions.ts";
import { leadLife } from "./life.ts";
import { Site } from "./site.ts";

const startedMs = hostClock.monotonicMs();
const tell = (line: string) => {
  const s = ((hostClock.monotonicMs() - startedMs) / 1000).toFixed(0).padStart(4);
  process.stderr.write(`${s} s  ${line}\n`);
};

const site = await Site.open();
try {
  await leadLife(site, tell);
} catch (thrown) {
  tell(`the gateway's last words: ${site.log().slice(-2_000)}`);
  tell(String(thrown));
  process.exitCode = 1;
} finally {
  await site.close();
}
const stories = await Promise.all(site.uplinks.map((uplink) => uplink.story()));
for (const table of TABLES) {
  const judged = judge(await readAssertions(table), stories);
  process.stdout.write(`\n${summaryOf(judged)}\n\n${tableOf(judged)}\n`);
  for (const { assertion, verdict, broken } of judged) {
    if (verdict === "pass" || verdict === "not applicable") continue;
    process.exitCode = 1;
    tell(`${verdict}: ${assertion.id} (${assertion.check})`);
    for (const what of broken.slice(0, 5)) tell(`  ${what}`);
  }
}
