import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decodePayloads } from "./payload-decoder.ts";

/** Written by hand from the field table: timestamp 5, seq 0, one metric. */
const RIGHT = Buffer.from(
  [
    "0805", // timestamp: 5
    "1212", // metric, 18 bytes
    ...["0a02c3a4", "1000", "1806", "2003", "3800", "50fbffffff0f", ""], // name "ä", alias 0, timestamp 6, Int32, not null, -5
    "1800", // seq: 0
  ].join(""),
  "hex",
);
const UNKNOWN_FIELD = Buffer.from("08051800980601", "hex");
const NO_UTF8 = Buffer.from("12030a01ff", "hex");
const CUT_SHORT = Buffer.from("1214", "hex");

describe("the independent decoder", () => {
  test("what is on the wire as 0 is present, and what is not on the wire is not", async () => {
    const [payload] = await decodePayloads([RIGHT]);
    assert.equal(payload?.timestamp, 5n);
    assert.equal(payload?.seq, 0n);
    assert.deepEqual(payload?.flaws, []);
    const [metric] = payload?.metrics ?? [];
    assert.equal(metric?.name, "ä");
    assert.equal(metric?.alias, 0n);
    assert.equal(metric?.isNull, false);
    assert.equal(metric?.isHistorical, undefined);
    assert.deepEqual(metric?.value, { field: "int_value", content: 4294967291n });
    assert.equal((await decodePayloads([Buffer.from("0805", "hex")]))[0]?.seq, undefined);
  });

  test("a field of another number and a text that is no UTF-8 are flaws", async () => {
    const [unknown, broken] = await decodePayloads([UNKNOWN_FIELD, NO_UTF8]);
    assert.deepEqual(unknown?.flaws, ["payload has a field 99 that it should not have"]);
    assert.deepEqual(broken?.flaws, ["metric: name is no UTF-8"]);
  });

  test("among many payloads the one that is none is found, and an empty one is one", async () => {
    const decoded = await decodePayloads([RIGHT, CUT_SHORT, Buffer.alloc(0), RIGHT, RIGHT]);
    assert.deepEqual(
      decoded.map((payload) => payload?.metrics.length),
      [1, undefined, 0, 1, 1],
    );
    assert.deepEqual(await decodePayloads([]), []);
  });
});
