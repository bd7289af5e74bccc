/** Every golden case, through the real bus on a simulated line. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RegisterType } from "../config/config.ts";
import { nameOfValue, type Value } from "../core/tag.ts";
import { type Expectation, type GoldenCase, goldenNames, hex, loadGolden } from "./golden.ts";
import { modbusRig } from "./modbus-rig.ts";

/** Long enough for a block to be cut round all that a device refuses. */
const RUN_MS = 20_000;

async function readingsOf({ device, config }: GoldenCase) {
  const { clock, line, sink, end } = modbusRig([device], [config]);
  const written = new Set<string>();
  line.onWritten = (bytes) => written.add(hex(bytes));
  await clock.advance(RUN_MS);
  await end();
  return { sink, written };
}

/** A float is held to the digits that the case gives: manuals print 230.2 for 230.20001. */
function shownLike(actual: Value, expected: Expectation["value"], held: RegisterType): unknown {
  if (typeof actual === "bigint") return String(actual);
  if (typeof actual !== "number" || typeof expected !== "number" || !held.startsWith("float")) return actual;
  const [, decimals = ""] = String(expected).split(".");
  return Number(actual.toFixed(decimals.length));
}

describe("P5: golden cases", () => {
  for (const name of goldenNames()) {
    test(name, async () => {
      const golden = loadGolden(name);
      const { sink, written } = await readingsOf(golden);
      for (const request of golden.requests) assert.ok(written.has(hex(request)), `${hex(request)} was asked`);
      assert.ok(golden.expected.size > 0);
      for (const [tagName, { value, status, text }] of golden.expected) {
        const tag = golden.config.tags.find((each) => each.name === tagName);
        assert.ok(tag !== undefined, `${tagName} is read`);
        const latest = sink.latest(tag.id);
        assert.deepEqual(
          { tag: tagName, value: shownLike(latest?.value ?? null, value, tag.register.type), status: latest?.status },
          { tag: tagName, value, status },
        );
        assert.equal(nameOfValue(tag, latest?.value ?? null), text);
      }
    });
  }
});
