import assert from "node:assert/strict";
import { test } from "node:test";
import type { Log } from "../../core/log.ts";
import { deviceConfig, lineConfig } from "../../testing/modbus-config.ts";
import { registers } from "../../testing/modbus-rig.ts";
import { type OverloadNews, OverloadWatch, startOverload, watchOverload } from "./overload.ts";
import { startSchedule } from "./schedule.ts";

const MINUTE = 60_000;
const PER_MS = 10 / 1_000;

/** Missed periods of each minute, of 600. */
function newsOf(...missedByMinute: readonly number[]): readonly (OverloadNews["kind"] | undefined)[] {
  let state = startOverload(0);
  let missed = 0;
  return missedByMinute.map((count, i) => {
    missed += count;
    const [next, news] = watchOverload(state, missed, PER_MS, (i + 1) * MINUTE);
    state = next;
    return news?.kind;
  });
}

test("an overload is told once, and its end once", () => {
  assert.deepEqual(newsOf(0, 300, 300, 300, 0, 0), [
    undefined,
    "overloaded",
    undefined,
    undefined,
    "relieved",
    undefined,
  ]);
  assert.deepEqual(newsOf(300, 30, 300), ["overloaded", undefined, undefined], "a little better is no end");
  assert.deepEqual(newsOf(50, 50), [undefined, undefined], "a device that dies is no overload");
  assert.deepEqual(watchOverload(startOverload(0), 100, PER_MS, MINUTE / 2)[1], undefined);
});

function watchOf(scanRateMs: number) {
  const lines: string[] = [];
  const tell = (message: string) => lines.push(message);
  const log: Log = { error: tell, warning: tell, notice: tell, info: tell, debug: tell, scope: () => log };
  const line = lineConfig("/dev/simulated", [deviceConfig("d", 1, registers("d", 0, 100, { scanRateMs }))]);
  return { lines, watch: new OverloadWatch(line, log, 0) };
}

test("what a line cannot carry is foretold, with what would fit", () => {
  const { lines, watch } = watchOf(50);
  watch.foretell();
  assert.match(
    lines.join("\n"),
    /^at 19200 baud needs 0\.1\d+ s for what is asked every 0\.05 s: everything is read less/,
  );
  assert.match(lines.join("\n"), /; at 57600 it fits; or ask for less, or 2\.7 times as seldom \(scanRate\)$/);
});

test("devices that take longer than assumed are found out, and told with what they take", () => {
  const schedule = startSchedule([{ key: 0, device: "d", periodMs: 200 }], 0);
  const { lines, watch } = watchOf(200);
  watch.foretell();
  assert.deepEqual(lines, []);
  watch.look({ ...schedule, missedPeriods: 150 }, { responseTimeMs: () => 400 }, MINUTE);
  assert.match(lines[0] ?? "", /^cannot keep up: of the reads of the last minute 50 % were not made in time; with the/);
  assert.match(
    lines[0] ?? "",
    /measured it at 19200 baud needs 0\.4\d* s for what is asked every 0\.2 s; no usual baud/,
  );
  watch.look({ ...schedule, missedPeriods: 150 }, { responseTimeMs: () => 400 }, 2 * MINUTE);
  assert.equal(lines[1], "keeps up again with what is asked");
  watch.look({ ...schedule, missedPeriods: 300 }, { responseTimeMs: () => 120 }, 3 * MINUTE);
  assert.match(lines[2] ?? "", /the wire could carry them: look for timeouts/);
});
