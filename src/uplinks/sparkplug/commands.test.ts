import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { readCommand } from "./commands.ts";
import { encodePayload, type Metric, type WireValue } from "./payload.ts";

const REBIRTH = "Node Control/Rebirth";
const yes: WireValue = { field: "boolean", value: true };

function read(metrics: readonly Metric[], device?: string) {
  return readCommand(encodePayload({ metrics }), device);
}

test("a Rebirth is true, a Boolean, by its name, and to the node; with or without times and number", () => {
  assert.deepEqual(read([{ name: REBIRTH, value: yes }]), { rebirth: true, refusal: "" });
  const full = encodePayload({
    timestamp: 1,
    metrics: [{ name: REBIRTH, timestamp: 1, datatype: 11, value: yes }],
    seq: 3,
  });
  assert.deepEqual(readCommand(full), { rebirth: true, refusal: "" });
  assert.deepEqual(read([{ name: REBIRTH, value: { field: "boolean", value: false } }]), {
    rebirth: false,
    refusal: "",
  });
  assert.match(read([{ name: REBIRTH, value: { field: "int", value: 1 } }]).refusal, /it is a Boolean/);
  assert.equal(read([{ name: REBIRTH, value: yes }], "pump").rebirth, false);
});

test("P10: everything else is refused by name, a Rebirth beside it is served", () => {
  const { rebirth, refusal } = read([{ name: "a", value: yes }, { alias: 7 }, { name: REBIRTH, value: yes }]);
  assert.deepEqual([rebirth, refusal], [true, "NCMD a, alias 7: this gateway takes no commands"]);
  assert.match(read(new Array(20).fill({ name: "x".repeat(500) }), "pump").refusal, /^DCMD to pump x.* and 15 more:/);
});

test("P7 P10: no bytes at all are a reason to fall", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
      const { refusal } = readCommand(bytes);
      assert.ok(refusal.length < 2_000);
    }),
  );
});
