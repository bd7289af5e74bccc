import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Reader } from "../reader.ts";
import { hearJson, jsonCutOff, jsonDoubt, jsonNode, SILENT_AFTER_MS } from "./json-node.ts";
import type { Arrival } from "./shown.ts";

const RUNS = 500;
const EVENTS = { minLength: 10, maxLength: 40 } as const;
const NOW_MS = 1_000;
const DEVICES = ["d", "e"] as const;
const TAGS = ["d/x", "d/y", "e/x"] as const;

/** Few, and one far more often than the others, so that numbers meet. */
const small = fc.integer({ min: 0, max: 3 });
const mostlyOne = fc.constantFrom(1, 1, 1, 1, 1, 1, 2);
const mostly = fc.constantFrom(true, true, true, true, true, true, false);
const value = fc.record({
  id: fc.constantFrom(...TAGS),
  v: fc.integer({ min: 0, max: 99 }),
  q: fc.boolean(),
  t: fc.integer({ min: 1, max: 9 }),
});
const base = fc.record(
  { session: mostlyOne, epoch: mostlyOne, clock: fc.constant("unsynced"), timestamp: fc.constant(1) },
  { requiredKeys: ["session", "epoch", "timestamp"] },
);
const status = fc.record({
  stage: fc.constant("status"),
  content: fc.tuple(
    base,
    fc.record({ online: mostly, seq: small, devices: fc.dictionary(fc.constantFrom(...DEVICES), small) }),
  ),
});
const snapshot = fc.record({
  stage: fc.constantFrom("snapshot/d", "snapshot/d", "snapshot/e", "snapshot/d/2"),
  content: fc.tuple(
    base,
    fc.record(
      { after: small, parts: mostlyOne, values: fc.array(value, { maxLength: 2 }) },
      { requiredKeys: ["after", "values"] },
    ),
  ),
});
const data = fc.record({
  stage: fc.constant("data"),
  content: fc.tuple(base, fc.record({ seq: small, values: fc.array(value, { maxLength: 2 }) })),
});
const cleared = fc.record({
  stage: fc.constantFrom("tags/d", "snapshot/d", "snapshot/d/2", "status"),
  content: fc.constant(undefined),
});

const arrival = fc
  .tuple(
    fc.oneof(
      { weight: 5, arbitrary: status },
      { weight: 4, arbitrary: snapshot },
      { weight: 8, arbitrary: data },
      { weight: 1, arbitrary: cleared },
    ),
    mostly,
  )
  .map(([{ stage, content }, isLive]): Arrival => {
    const text = content === undefined ? "" : JSON.stringify(Object.assign({}, ...content));
    return { topic: `p/${stage}`, payload: Buffer.from(text), retained: !isLive };
  });

test("P3: the reducer says the same as the reader, of whatever arrives in whatever order", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 20, arbitrary: arrival }, { weight: 1, arbitrary: fc.constant(undefined) }), EVENTS),
      (events) => {
        const reader = new Reader("p");
        let node = jsonNode("p", false);
        for (const event of events) {
          if (event === undefined) {
            reader.disconnected();
            node = jsonCutOff(node);
          } else {
            reader.receive(event.topic, event.payload, event.retained);
            node = hearJson(node, event, NOW_MS);
          }
          for (const device of DEVICES) assert.equal(jsonDoubt(node, device, NOW_MS), reader.currency(device).reason);
          for (const id of TAGS) assert.deepEqual(node.tags.get(id)?.value, reader.tag(id)?.value);
        }
      },
    ),
    { numRuns: RUNS },
  );
});

test("P3: a gateway of which no status comes any more is not believed", () => {
  const told = { timestamp: 1, session: 5, epoch: 1 };
  const hear = (stage: string, content: object) => {
    node = hearJson(
      node,
      { topic: `p/${stage}`, payload: Buffer.from(JSON.stringify({ ...told, ...content })), retained: false },
      NOW_MS,
    );
  };
  let node = jsonNode("p", false);
  hear("snapshot/d", { after: 0, values: [] });
  hear("status", { online: true, seq: 0 });
  assert.equal(jsonDoubt(node, "d", NOW_MS + SILENT_AFTER_MS), "");
  assert.equal(jsonDoubt(node, "d", NOW_MS + SILENT_AFTER_MS + 1), "the gateway has fallen silent");
});
