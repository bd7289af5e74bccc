import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../../core/log.ts";
import { seededRandom } from "../../core/random.ts";
import { createTagTable } from "../../tags/tag-table.ts";
import { tagOf } from "../../testing/settable-values.ts";
import { steadyOf } from "./steady.ts";
import type { Turn } from "./turn.ts";

const LOOKS = 20_000;
const PERIOD_MS = 1_000;
const EVERY = [1, 1, 5];
/** Of all looks: chance wavers by less over so many. */
const ERROR_MAX = 0.01;

function turnOf(maxIntervalMs: number): Turn {
  const tags = EVERY.map((every, i) => {
    const tag = tagOf("pump", `tag-${i}`, "uint32", { scanRateMs: every * PERIOD_MS, maxIntervalMs });
    return { tag, every, motion: "as asked" as const };
  });
  return { device: "pump", periodMs: PERIOD_MS, tags };
}

/** What the tag table makes of so many looks. */
function toldBy({ tags }: Turn, share: number) {
  const random = seededRandom(7);
  let ms = 0;
  let messages = 0;
  const samples = new Map(tags.map(({ tag }) => [tag.id, 0]));
  const table = createTagTable({
    devices: [{ name: "pump", tags: tags.map(({ tag }) => tag) }],
    intake: {
      append(some) {
        messages += 1;
        for (const { tag } of some) samples.set(tag.id, (samples.get(tag.id) ?? 0) + 1);
      },
    },
    clock: { wallMs: () => ms, monotonicMs: () => ms, after: () => ({ cancel: () => undefined }) },
    epochs: { epoch: () => 1, raiseEpoch: () => 1 },
    log: silentLog,
  });
  const values = new Map<string, number>();
  for (let look = 0; look < LOOKS; look++) {
    ms += PERIOD_MS;
    const due = tags.filter(({ every }) => look % every === 0);
    const readings = due.map(({ tag }) => {
      const value = (values.get(tag.id) ?? 0) + (random.next() < share ? 1 : 0);
      values.set(tag.id, value);
      return { tag, value, status: "Good" as const };
    });
    table.read(readings, ms);
  }
  return { messages: messages / LOOKS, samples: [...samples.values()].map((count) => count / LOOKS) };
}

test("what is foretold of a share of changes is what the tag table tells", () => {
  for (const maxIntervalMs of [20_000, 600_000]) {
    for (const share of [0, 0.01, 0.1, 0.5, 1]) {
      const turn = turnOf(maxIntervalMs);
      const real = toldBy(turn, share);
      const foretold = steadyOf(turn, share);
      const where = `${share} changes, maxInterval ${maxIntervalMs}`;
      assert.ok(Math.abs(real.messages - foretold.messages) < ERROR_MAX, `${where}: messages`);
      for (const [i, samples] of foretold.samples.entries())
        assert.ok(Math.abs((real.samples[i] ?? 0) - samples) < ERROR_MAX, `${where}: samples of tag ${i}`);
    }
  }
});

test("a share of nearly nothing is as good as none", () => {
  const turn = turnOf(20_000);
  const samples = steadyOf(turn, 0).samples;
  for (const [i, each] of steadyOf(turn, 5e-324).samples.entries())
    assert.ok(Math.abs(each - (samples[i] ?? 0)) < 1e-9);
});
