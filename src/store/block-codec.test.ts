import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { STATUS_NAMES } from "../core/quality.ts";
import { seededRandom } from "../core/random.ts";
import type { TagRef, Value } from "../core/tag.ts";
import type { NumberedSample } from "../pipeline.ts";
import { PlantTraces } from "../testing/traces.ts";
import { decodeBlock, encodeBlock } from "./block-codec.ts";
import { Dictionary } from "./dictionary.ts";
import type { StoredSample } from "./stored-sample.ts";
import { DamagedBytes } from "./varint.ts";

const tags: readonly TagRef[] = ["a", "b", "c", "ü"].map((name) => ({
  id: `pump-1/${name}`,
  device: "pump-1",
  name,
  type: "float64",
  priority: "normal",
}));

const keyOf = (tag: TagRef): number => tags.indexOf(tag) + 7;
const tagOf = (key: number): TagRef | undefined => tags[key - 7];

const value: fc.Arbitrary<Value> = fc.oneof(
  fc.boolean(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.float(),
  // Registers with a decimal scale.
  fc.tuple(fc.integer(), fc.constantFrom(10, 100, 1_000, 1e6, 1e9)).map(([raw, divisor]) => raw / divisor),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.string({ unit: "binary" }),
  fc.string(),
  // Halves of surrogate pairs, which UTF-8 cannot hold.
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 5 }).map((units) => String.fromCharCode(...units)),
  fc.constantFrom<Value>(null, -0, NaN, Infinity, -Infinity, "", 2 ** 53, -(2 ** 51), 5e-324),
);

const samples: fc.Arbitrary<NumberedSample[]> = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 1, max: 5_000 }),
      tag: fc.constantFrom(...tags),
      value,
      status: fc.constantFrom(...STATUS_NAMES),
      sourceTimestampMs: fc.integer({ min: -(2 ** 45), max: 2 ** 45 }),
      epoch: fc.integer({ min: 0, max: 2 ** 40 }),
      readBefore: fc.boolean(),
    }),
    { minLength: 1, maxLength: 60 },
  )
  .map((drafts) => {
    let number = 0;
    return drafts.map(({ gap, readBefore, ...rest }) => {
      number += gap;
      return { ...rest, number, ...(readBefore && { readBefore: true as const }) };
    });
  });

test("P4: a block gives back every sample to the bit, whatever it holds", () => {
  fc.assert(
    fc.property(samples, (given) => {
      const back = decodeBlock(encodeBlock(given, keyOf), tagOf);
      assert.equal(back.length, given.length);
      back.forEach((sample, i) => {
        assert.deepEqual(sample, given[i]);
        assert.ok(Object.is(sample.value, given[i]?.value), "also −0 and NaN");
      });
    }),
  );
});

test("P8: damaged bytes are told as damaged, and never as another sample", () => {
  fc.assert(
    fc.property(samples, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, at, flip) => {
      const bytes = encodeBlock(given, keyOf);
      const place = at % bytes.length;
      bytes[place] = (bytes[place] ?? 0) ^ flip;
      try {
        assert.deepEqual(decodeBlock(bytes, tagOf), given);
      } catch (error) {
        if (!(error instanceof DamagedBytes)) throw error;
      }
    }),
    { numRuns: 300 },
  );
});

test("P8: any bytes at all, cut blocks too, end in DamagedBytes", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (noise, headed) => {
      const bytes = headed ? Uint8Array.from([3, 0, ...noise]) : noise;
      assert.throws(() => decodeBlock(bytes, tagOf), DamagedBytes);
    }),
  );
  fc.assert(
    fc.property(samples, fc.nat(), (given, at) => {
      const bytes = encodeBlock(given, keyOf);
      assert.throws(() => decodeBlock(bytes.subarray(0, at % bytes.length), tagOf), DamagedBytes);
    }),
  );
});

test("P8: what no gateway writes is damaged, however right its checksum is: an import writes it again", () => {
  const sample = {
    tag: tags[0] ?? assert.fail(),
    value: 1,
    status: "Good",
    sourceTimestampMs: 0,
    epoch: 1,
    number: 1,
  } as const;
  const beyond = 2 ** 51 + 1;
  for (const wrong of [
    { sourceTimestampMs: beyond },
    { sourceTimestampMs: -beyond },
    { epoch: beyond },
    { value: 2n ** 64n },
  ])
    assert.throws(() => decodeBlock(encodeBlock([{ ...sample, ...wrong }], keyOf), tagOf), DamagedBytes);
  const names = [
    ["pump\u001b[2J", "speed"],
    ["pump/+", "speed"],
    ["pump", "#"],
    ["pump", "a\nb"],
    ["", ""],
  ] as const;
  for (const [device, name] of names)
    assert.equal(new Dictionary([{ key: 1, device, name, type: "float64" }]).tagOf(1, "normal"), undefined);
});

test("a block of another version, another time base or an unknown tag says so", () => {
  const one: NumberedSample = {
    tag: tags[0] ?? assert.fail(),
    value: 1.5,
    status: "Good",
    sourceTimestampMs: 1_700_000_000_000,
    epoch: 1,
    number: 1,
  };
  const bytes = encodeBlock([one], keyOf);
  assert.throws(() => decodeBlock(Uint8Array.from([2, ...bytes.subarray(1)]), tagOf), /version 2/);
  assert.throws(() => decodeBlock(Uint8Array.from([3, 9, ...bytes.subarray(2)]), tagOf), /time base 9/);
  assert.throws(() => decodeBlock(bytes, () => undefined), /tag 7 is not in the dictionary/);
});

test("P11: a plant's samples, noise and all, take at most 2 bytes each", () => {
  const traces = new PlantTraces(seededRandom(1));
  const all = traces.tags();
  const given: NumberedSample[] = [];
  for (let turn = 0; given.length < 1_024; turn++) {
    const read = traces.read(turn, 1_700_000_000_000 + 17 * turn, 5).filter(({ tag }) => tag.priority === "normal");
    for (const sample of read) given.push({ ...sample, number: given.length + 1 });
  }
  const bytes = encodeBlock(given, (tag) => 1 + all.findIndex(({ id }) => id === tag.id));
  assert.ok(bytes.length <= 2 * given.length, `${bytes.length} bytes for ${given.length} samples`);
});

test("P11: a block of what a meter sends takes at most 2 bytes a sample", () => {
  const registers = Array.from({ length: 1_000 }, (_, i): NumberedSample => {
    const tag = tags[i % tags.length] ?? assert.fail();
    const at = 1_700_000_000_000 + Math.floor(i / 4) * 1_000 + (i % 4) * 3;
    return { tag, value: 2_300 + ((i * 7) % 13), status: "Good", sourceTimestampMs: at, epoch: 5, number: i + 1 };
  });
  assert.ok(encodeBlock(registers, keyOf).length <= 2 * registers.length);
});

test("P8: a block in a file stays readable to the digit: these bytes were written before today's program", () => {
  const written =
    "AwC9/irhBUpTYmJhUuNjYWZgaej8sZaXgYGJ6Uf3pp4DGV+YvzC/YD//f1MQAwMDExcrC1tDCyMDEwMD0wIFli+TmBgYuBpggImZ6fAeAA==";
  const inTheDark =
    "AwEMtgJgBXNTMU5JsjQ1NzTXTTM1SNE1MTS00LU0SDTSNTA0sEhMtDRKTTY3+ray7dO6DCUmFiY1PhZmBpaGzh9reRkYmJgaWtbHf2H+wvyC/fz/TUEMDAxMXKwsbA0tjAxMDAxMCxRYvkxiYmDgaoABJmamw3sA";
  const [speed, serial] = ["speed", "serial"].map(
    (name): TagRef => ({ id: `pump-1/${name}`, device: "pump-1", name, type: "float64", priority: "normal" }),
  );
  assert.ok(speed !== undefined && serial !== undefined);
  const epoch = 1_793_000_000;
  const content = [
    { at: 0, tag: speed, value: 1490.5, status: "Good", epoch, number: 17 },
    { at: 250, tag: serial, value: 2n ** 63n, status: "Good", epoch, number: 18 },
    { at: 500, tag: speed, value: 1491, status: "Good", epoch, number: 20, readBefore: true },
    { at: 1_000, tag: speed, value: null, status: "BadNoCommunication", epoch: epoch + 1, number: 21 },
    { at: -86_400_000, tag: serial, value: "ü", status: "UncertainLastUsableValue", epoch: epoch + 2, number: 40 },
  ];
  const read = (text: string) => decodeBlock(Buffer.from(text, "base64"), (key) => (key === 7 ? speed : serial));
  const utcMs = Date.UTC(2026, 10, 22, 1, 2, 3, 4);
  assert.deepEqual(
    read(written),
    content.map(({ at, ...sample }) => ({ ...sample, sourceTimestampMs: utcMs + at })),
  );
  const base = { boot: "3db95717-f50d-4118-90a2-0108aa92ec72", knownOffsetMs: 1_793_000_000_123 };
  assert.deepEqual(
    read(inTheDark),
    content.map(({ at, ...sample }) => ({ ...sample, bootMs: 100_000_000 + at, ...base })),
  );
});

const undated: fc.Arbitrary<StoredSample[]> = samples.map((given) =>
  given.map(({ sourceTimestampMs, ...rest }) => ({
    ...rest,
    bootMs: sourceTimestampMs,
    boot: "3db95717-f50d-4118-90a2-0108aa92ec72",
    knownOffsetMs: 1_793_000_000_123,
  })),
);

test("P9: an undated block gives back every sample with what it counts from, and no bit of it makes one in UTC", () => {
  fc.assert(
    fc.property(undated, fc.nat(), fc.integer({ min: 1, max: 255 }), (given, at, flip) => {
      const bytes = encodeBlock(given, keyOf);
      assert.deepEqual(decodeBlock(bytes, tagOf), given);
      const place = at % bytes.length;
      bytes[place] = (bytes[place] ?? 0) ^ flip;
      try {
        assert.deepEqual(decodeBlock(bytes, tagOf), given);
      } catch (error) {
        if (!(error instanceof DamagedBytes)) throw error;
      }
    }),
  );
});
