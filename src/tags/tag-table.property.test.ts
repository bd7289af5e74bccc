/** What holds of the table whatever the devices, the bus and the clock do. fast-check prints the seed of a failure. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { silentLog } from "../core/log.ts";
import type { Status } from "../core/quality.ts";
import type { Tag, Value } from "../core/tag.ts";
import type { Presence, Sample } from "../pipeline.ts";
import { dated } from "../testing/dated.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { createTagTable } from "./tag-table.ts";

const DEADBAND = 2;

function tagOf(name: string): Tag {
  return {
    id: `d/${name}`,
    device: "d",
    name,
    type: "float64",
    priority: "normal",
    deadband: DEADBAND,
    min: -8,
    max: 8,
    scanRateMs: 100,
    staleMs: 2_000,
    maxIntervalMs: 3_000,
    writable: false,
    enabled: true,
  };
}

const TAGS = [tagOf("a"), tagOf("b")] as const;

type Event =
  | { readonly kind: "read"; readonly values: readonly [number, number] }
  | { readonly kind: "fail"; readonly status: Status }
  | { readonly kind: "presence"; readonly presence: Presence }
  | { readonly kind: "wait"; readonly forMs: number }
  | { readonly kind: "step"; readonly byMs: number };

const value = fc.oneof(
  { weight: 12, arbitrary: fc.double({ min: -10, max: 10, noNaN: true }) },
  { weight: 1, arbitrary: fc.constant(Number.NaN) },
);

const events: fc.Arbitrary<Event[]> = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: fc.record({ kind: fc.constant("read" as const), values: fc.tuple(value, value) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("fail" as const),
        status: fc.constantFrom<Status>("BadNoCommunication", "BadDeviceFailure"),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        kind: fc.constant("presence" as const),
        presence: fc.constantFrom<Presence>("online", "lost", "outOfService"),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("wait" as const), forMs: fc.integer({ min: 0, max: 900 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant("step" as const),
        byMs: fc.oneof(fc.integer({ min: -1_500, max: 1_500 }), fc.integer({ min: -1e11, max: 1e11 })),
      }),
    },
  ),
  { maxLength: 60 },
);

interface Life {
  readonly taken: readonly Sample[];
  /** The snapshot after every event, with the last taken in sample per tag at that moment. */
  readonly moments: readonly { readonly current: Sample; readonly reported: Sample | undefined }[];
}

async function live(history: readonly Event[]): Promise<Life> {
  const clock = new VirtualClock();
  const taken: Sample[] = [];
  const moments: Life["moments"][number][] = [];
  let epoch = 1;
  const table = createTagTable({
    devices: [{ name: "d", tags: TAGS }],
    intake: { append: (samples) => void taken.push(...dated(samples)) },
    clock,
    epochs: { epoch: () => epoch, raiseEpoch: () => ++epoch },
    log: silentLog,
  });
  table.start();
  const read = (values: readonly (Value | undefined)[], status: Status) =>
    table.read(
      TAGS.map((tag, i) => ({ tag, value: values[i], status })),
      clock.monotonicMs(),
    );
  for (const event of history) {
    if (event.kind === "read") read(event.values, "Good");
    else if (event.kind === "fail") read([undefined, undefined], event.status);
    else if (event.kind === "presence") table.presence("d", event.presence, clock.monotonicMs());
    else if (event.kind === "wait") await clock.advance(event.forMs);
    else clock.stepWall(event.byMs);
    for (const current of table.snapshot("d")) {
      moments.push({ current, reported: taken.findLast((s) => s.tag.id === current.tag.id) });
    }
  }
  table.stop();
  return { taken, moments };
}

/** (epoch, stamp) of one tag, rising. */
function comesAfter(earlier: Sample, later: Sample): boolean {
  return (
    later.epoch > earlier.epoch ||
    (later.epoch === earlier.epoch && later.sourceTimestampMs > earlier.sourceTimestampMs)
  );
}

const RUNS = { numRuns: 300 };

test("P9: per tag, what is taken in strictly rises in (epoch, stamp), whatever the clock does", async () => {
  await fc.assert(
    fc.asyncProperty(events, async (history) => {
      const { taken } = await live(history);
      for (const tag of TAGS) {
        const own = taken.filter((s) => s.tag.id === tag.id);
        own.forEach((sample, i) => {
          const before = own[i - 1];
          assert.ok(before === undefined || comesAfter(before, sample), `${i} does not come after the one before`);
        });
      }
    }),
    RUNS,
  );
});

test("P3: whoever holds the last sample is never further than the deadband from the last read, and has its status", async () => {
  await fc.assert(
    fc.asyncProperty(events, async (history) => {
      const { moments } = await live(history);
      for (const { current, reported } of moments) {
        assert.equal(reported?.status ?? "BadWaitingForInitialData", current.status);
        if (typeof current.value !== "number") {
          assert.equal(reported?.value ?? null, current.value);
          continue;
        }
        assert.ok(typeof reported?.value === "number" && Math.abs(reported.value - current.value) <= DEADBAND);
      }
    }),
    RUNS,
  );
});

test("P4: an identity stands for one content, in samples and in snapshots alike, and is taken in once", async () => {
  await fc.assert(
    fc.asyncProperty(events, async (history) => {
      const { taken, moments } = await live(history);
      const contents = new Map<string, string>();
      const identity = (s: Sample) => `${s.epoch} ${s.tag.id} ${s.sourceTimestampMs}`;
      for (const sample of [...taken, ...moments.map((m) => m.current)]) {
        const content = `${sample.value} ${sample.status}`;
        assert.equal(contents.get(identity(sample)) ?? content, content);
        contents.set(identity(sample), content);
      }
      assert.equal(new Set(taken.map(identity)).size, taken.length);
    }),
    RUNS,
  );
});

test("a read before is followed at once by the sample it belongs to, of the same tag", async () => {
  await fc.assert(
    fc.asyncProperty(events, async (history) => {
      const { taken } = await live(history);
      taken.forEach((sample, i) => {
        if (!sample.readBefore) return;
        const next = taken[i + 1];
        assert.ok(next !== undefined && next.tag.id === sample.tag.id && !next.readBefore);
      });
    }),
    RUNS,
  );
});
