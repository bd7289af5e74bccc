import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { hostClock, sleep } from "../core/clock.ts";
import { createLog } from "../core/log.ts";
import type { OutboxReport, Reading } from "../pipeline.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { EVENT_FILE, EventFile, readEvents } from "./event-file.ts";
import { createEventRecord } from "./event-record.ts";

const HEALTHY = { health: "ok", healthReason: "", incident: "" } as OutboxReport;
const QUIET = createLog({ write: () => undefined, level: "error", format: "text" });

const LOOK_MS = 5;
const LOOKS_MAX = 2_000;

/** A life of the record in a folder: what is done in it, and the values that went the way of samples. */
async function life(
  dir: string,
  boot: string,
  act: (record: ReturnType<typeof createEventRecord>, clock: VirtualClock) => Promise<void>,
) {
  const clock = new VirtualClock();
  const values: string[] = [];
  const file = join(dir, "gateway.yaml");
  writeFileSync(file, "version: 1\n");
  const record = createEventRecord({
    dir,
    sink: {
      read: (readings: readonly Reading[]) => values.push(...readings.map(({ value }) => String(value))),
      presence: () => undefined,
    },
    reports: { outbox: () => HEALTHY, uplinks: () => [], lines: () => [] },
    clock,
    time: { boot, trust: () => "good", state: () => "ntp" },
    configurationFile: () => file,
    log: QUIET,
  });
  record.start();
  await act(record, clock);
  return values;
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-events-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

const texts = (dir: string) => readEvents(dir).map(({ number, kind, text }) => `#${number} ${kind}: ${text}`);

test("each start says why: for the first time, again, with the machine, and after a run without an end", async (t) => {
  const dir = folder(t);
  const first = await life(dir, "boot-a", (record) => record.stop());
  assert.match(first[0] ?? "", /^#1 start: for the first time.*; configuration sha256 [0-9a-f]{16}$/);
  assert.deepEqual(first.slice(1), ["#2 clock: ntp", "#3 stop: told to stop"]);
  const second = await life(dir, "boot-a", async (_, clock) => {
    await clock.advance(1_000);
    // A kill comes when the card has it.
    for (let looks = 0; texts(dir).length < 5; looks++) {
      assert.ok(looks < LOOKS_MAX, "the card has it");
      await sleep(hostClock, LOOK_MS);
    }
  });
  assert.match(second[0] ?? "", /^#4 start: again, the machine runs on; configuration/);
  const third = await life(dir, "boot-b", (record) => record.stop());
  assert.match(third[0] ?? "", /start: with the machine; the run before did not end in order/);
  assert.deepEqual(new Set(texts(dir)), new Set([...first, ...second, ...third]), "the file has what was told");
});

test("P7: a flapping part fills no record: twenty of a kind, then one a minute with the count of those left out", async (t) => {
  const values = await life(folder(t), "", async (record, clock) => {
    for (let i = 0; i < 100; i++) record.note({ kind: "uplink", text: `flap ${i}` });
    record.note({ kind: "device", text: "pump-1 does not answer" });
    await clock.advance(61_000);
    record.note({ kind: "uplink", text: "later" });
    await record.stop();
  });
  assert.equal(values.filter((value) => /flap/.test(value)).length, 20);
  assert.ok(
    values.some((value) => /pump-1/.test(value)),
    "another kind has its own",
  );
  assert.ok(values.some((value) => value.endsWith("uplink: later (80 of this kind left out before)")));
});

test("P7: the files are bounded, and the newest events are in them; a line that was cut off spoils no other", async (t) => {
  const dir = folder(t);
  const file = new EventFile(dir, QUIET);
  const event = (number: number) => ({ number, ms: number, kind: "bench", text: "x".repeat(390) }) as const;
  for (let number = 1; number <= 3_000; number++) {
    file.add(event(number));
    if (number % 100 === 0) await file.flush();
  }
  const bytes = readdirSync(dir).reduce((sum, name) => sum + statSync(join(dir, name)).size, 0);
  assert.ok(bytes <= 2 * 262_144, `${bytes}`);
  appendFileSync(join(dir, EVENT_FILE), '{"number":3001,"ms":1,"ki');
  file.add(event(3_002));
  await file.flush();
  const numbers = readEvents(dir).map(({ number }) => number);
  assert.deepEqual(numbers.slice(-2), [3_000, 3_002]);
  assert.deepEqual(
    numbers,
    [...numbers].sort((a, b) => a - b),
  );
});

test("P8: a card that takes nothing costs no event that it takes later, and what others wrote stays one line", async (t) => {
  const dir = folder(t);
  rmSync(dir, { recursive: true });
  const file = new EventFile(dir, QUIET);
  for (let number = 1; number <= 300; number++) file.add({ number, ms: 1, kind: "bench", text: "x" });
  await file.flush();
  mkdirSync(dir);
  await file.flush();
  assert.equal(readEvents(dir).length, 200, "those that memory may hold");
  const values = await life(dir, "", async (record) => record.note({ kind: "bench", text: "a\nb\u001b[2J\u2028c" }));
  assert.match(values.at(-1) ?? "", /bench: a b \[2J c$/);
});
