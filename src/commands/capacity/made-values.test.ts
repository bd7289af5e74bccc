import assert from "node:assert/strict";
import { test } from "node:test";
import { registerTag } from "../../testing/modbus-config.ts";
import { MadeValues } from "./made-values.ts";

const LOOKS = 200;
const AT = { table: "holdingRegister", address: 0 } as const;

test("each look finds another value within the range, however few values that holds", () => {
  const tags = [
    registerTag("pump", "level", AT),
    registerTag("pump", "mode", AT, { min: 0, max: 3 }),
    registerTag("pump", "on", AT, { min: 0, max: 1 }),
    registerTag("pump", "step", AT, { scale: 0.5, min: 0, max: 2 }),
    registerTag("pump", "speed", { ...AT, type: "float32" }, { min: 0, max: 1, deadband: 0.2 }),
  ];
  for (const tag of tags) {
    const made = new MadeValues();
    const values = Array.from({ length: LOOKS }, () => Number(made.next(tag)));
    const same = values.filter((value, i) => i > 0 && Math.abs(value - (values[i - 1] ?? value)) <= tag.deadband);
    assert.deepEqual(same, [], tag.name);
    assert.ok(
      values.every((value) => value >= (tag.min ?? 0) && value <= (tag.max ?? 10_000)),
      `${tag.name}: ${values}`,
    );
  }
});

test("values of a narrow range wander as those of a wide one do, and do not leap from end to end", () => {
  const percent = registerTag("pump", "percent", AT, { min: 0, max: 50 });
  const made = new MadeValues();
  const values = Array.from({ length: LOOKS }, () => Number(made.next(percent)));
  const leaps = values.filter((value, i) => i > 0 && Math.abs(value - (values[i - 1] ?? value)) > 3);
  assert.deepEqual(leaps, []);
});
