import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { rtuFrame } from "../../testing/modbus-wire.ts";
import { expectationOf } from "./expectation.ts";
import { type Scan, scanFrames } from "./frame-scanner.ts";

const UNIT = 7;
const OTHER_UNIT = 9;

/** Asks for three holding registers at 0x0100. */
const REQUEST = rtuFrame(UNIT, Uint8Array.of(3, 1, 0, 0, 3));
const EXPECTED = expectationOf(REQUEST);
const REPLY = rtuFrame(UNIT, Uint8Array.of(3, 6, 1, 2, 3, 4, 5, 6));

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(parts.flatMap((part) => [...part]));
}

/** Scans as the port does: what is consumed never comes back, a silence ends it. */
function scanInChunks(bytes: Uint8Array, cuts: readonly number[]): Scan {
  let input: Uint8Array = new Uint8Array(0);
  const edges = [...new Set([...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  let from = 0;
  for (const edge of edges) {
    input = join(input, bytes.subarray(from, edge));
    from = edge;
    const scan = scanFrames(input, EXPECTED, false);
    if (scan.frame !== undefined) return scan;
    input = input.subarray(scan.consumed);
  }
  return scanFrames(input, EXPECTED, true);
}

/** Bytes that no frame of ours can begin in: no unit id among them. */
const noise = fc.uint8Array({ maxLength: 30 }).map((bytes) => bytes.map((byte) => (byte === 0 ? 0 : 248 + (byte & 7))));
const anything = fc.uint8Array({ maxLength: 40 });
const cuts = fc.array(fc.nat(), { maxLength: 12 });
const data = fc.uint8Array({ minLength: 6, maxLength: 6 });

test("the reply, the exception and nothing else is the answer", () => {
  assert.deepEqual(scanFrames(REPLY, EXPECTED, false).frame, REPLY);
  const exception = rtuFrame(UNIT, Uint8Array.of(0x83, 2));
  assert.deepEqual(scanFrames(exception, EXPECTED, false).frame, exception);
  const strays = [
    rtuFrame(OTHER_UNIT, Uint8Array.of(3, 6, 1, 2, 3, 4, 5, 6)),
    rtuFrame(UNIT, Uint8Array.of(4, 6, 1, 2, 3, 4, 5, 6)),
    rtuFrame(UNIT, Uint8Array.of(3, 4, 1, 2, 3, 4)),
    rtuFrame(UNIT, Uint8Array.of(0x84, 2)),
  ];
  for (const stray of strays) {
    const scan = scanFrames(stray, EXPECTED, true);
    assert.equal(scan.frame, undefined);
    assert.equal(scan.consumed, stray.length);
    assert.equal(scan.skipped.strays.length, 1);
  }
});

test("P5: the reply is found behind noise, echo, foreign and late frames, however the bytes are cut", () => {
  const stray = fc.constantFrom(
    REQUEST,
    rtuFrame(OTHER_UNIT, Uint8Array.of(3, 6, 9, 9, 9, 9, 9, 9)),
    rtuFrame(UNIT, Uint8Array.of(3, 4, 8, 8, 8, 8)),
    rtuFrame(OTHER_UNIT, Uint8Array.of(0x83, 4)),
  );
  fc.assert(
    fc.property(fc.array(stray, { maxLength: 3 }), noise, data, cuts, (strays, before, payload, at) => {
      const reply = rtuFrame(UNIT, Uint8Array.of(3, payload.length, ...payload));
      const scan = scanInChunks(join(...strays, before, reply), at);
      assert.deepEqual(scan.frame, reply);
    }),
  );
});

test("P5: no bytes without the right unit, function, length and checksum are ever the answer", () => {
  fc.assert(
    fc.property(
      anything,
      fc.constantFrom(REPLY, REQUEST, new Uint8Array(0)),
      fc.nat(),
      anything,
      cuts,
      (a, b, bit, c, at) => {
        const broken = b.slice();
        const index = bit % Math.max(1, broken.length * 8);
        if (broken.length > 0) broken[index >> 3] = (broken[index >> 3] ?? 0) ^ (1 << (index & 7));
        assert.equal(scanInChunks(join(a, broken, c), at).frame, undefined);
      },
    ),
    // One draw in some billions makes a right frame by chance, so the draws are always the same.
    { seed: 1, numRuns: 2_000 },
  );
});

test("P5: an answer inside another frame is none, not even while that frame is still coming", () => {
  const outer = rtuFrame(OTHER_UNIT, Uint8Array.of(3, REPLY.length + 1, 0, ...REPLY));
  for (let length = 0; length <= outer.length; length++) {
    assert.equal(scanFrames(outer.subarray(0, length), EXPECTED, false).frame, undefined);
  }
  assert.equal(scanFrames(outer, EXPECTED, true).frame, undefined);
});

test("P5: an echo that has the form of the reply is not taken for it", () => {
  // 24 coils at 0x0300: the echo reads as a reply of three bytes.
  const request = rtuFrame(UNIT, Uint8Array.of(1, 3, 0, 0, 24));
  const expected = expectationOf(request);
  assert.deepEqual(expected.form, { kind: "data", byteCount: 3 });
  const scan = scanFrames(request, expected, true);
  assert.equal(scan.frame, undefined);
  assert.equal(scan.skipped.echoes, 1);
});

test("a truncated reply keeps its place while it can still be completed, and then is noise", () => {
  const cut = REPLY.subarray(0, REPLY.length - 1);
  const open = scanFrames(cut, EXPECTED, false);
  assert.deepEqual([open.frame, open.consumed], [undefined, 0]);
  const ended = scanFrames(cut, EXPECTED, true);
  assert.deepEqual([ended.frame, ended.consumed], [undefined, cut.length]);
});

test("every byte is accounted for, once", () => {
  fc.assert(
    fc.property(anything, (bytes) => {
      const { frame, consumed } = scanFrames(bytes, EXPECTED, true);
      assert.equal(frame, undefined);
      assert.equal(consumed, bytes.length);
    }),
    { seed: 1 },
  );
});

test("a reply with a wrong checksum is counted as one", () => {
  const broken = REPLY.slice();
  broken[4] = 0xff;
  assert.equal(scanFrames(broken, EXPECTED, true).skipped.crcErrors, 1);
});
