import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ledger, type WireMessage } from "./ledger.ts";
import { tagOf } from "./settable-values.ts";

const T = 1_000;
const speed = tagOf("pump", "speed");
const lostSpeed = { id: "pump/speed", v: null, q: false, s: "BadDataLost", t: T, h: 1, from: T, to: T + 9 } as const;

function message(seq: number, changes: Partial<WireMessage> = {}): WireMessage {
  return { session: 1, epoch: 2, seq, values: [], ...changes };
}

describe("the ledger", () => {
  test("P4: a loss covers samples of its own epoch only, that of its message unless it says another", () => {
    const ledger = new Ledger();
    for (const epoch of [1, 2]) {
      ledger.append([{ tag: speed, value: 1, status: "Good", sourceTimestampMs: T + 5, epoch }]);
    }
    assert.deepEqual(ledger.missing(9), ["1 pump/speed 1005", "2 pump/speed 1005"]);
    ledger.arrived("history", message(1, { values: [lostSpeed] }));
    assert.deepEqual(ledger.missing(9), ["1 pump/speed 1005"]);
    ledger.arrived("history", message(2, { values: [{ ...lostSpeed, e: 1 }] }));
    assert.deepEqual(ledger.missing(9), []);
    assert.equal(ledger.summary().toldLost, 2);
  });

  test("seq starts at 1 in each topic and session, and has no gaps", () => {
    const ledger = new Ledger();
    ledger.arrived("data", message(1));
    ledger.arrived("history", message(1));
    ledger.arrived("data", message(1, { session: 2 }));
    assert.deepEqual(ledger.violations(), []);
    ledger.arrived("data", message(2, { session: 3 }));
    ledger.arrived("history", message(3));
    assert.deepEqual(ledger.violations(), ["seq 2 after 0 on data 3", "seq 3 after 1 on history 1"]);
  });

  test("what a broker delivers again breaks nothing", () => {
    const ledger = new Ledger();
    ledger.arrived("data", message(1), true);
    ledger.arrived("data", message(1), true);
    assert.deepEqual(ledger.violations(), []);
  });
});
