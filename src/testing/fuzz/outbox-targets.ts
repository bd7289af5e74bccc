/** Another gateway's outbox.db: what stands in its rows. */
import assert from "node:assert/strict";
import { deflateRawSync } from "node:zlib";
import fc from "fast-check";
import type { TagRef } from "../../core/tag.ts";
import { decodeBlock, encodeBlock } from "../../store/block-codec.ts";
import { createCommandMemory } from "../../store/command-memory.ts";
import { crc32 } from "../../store/crc32.ts";
import { Dictionary } from "../../store/dictionary.ts";
import { knownIn, lastSeenIn, numberIn, tagsIn, topicsIn } from "../../store/fact-text.ts";
import { savedOutbox } from "../../store/saved-facts.ts";
import type { StoredSample } from "../../store/stored-sample.ts";
import { ByteWriter, DamagedBytes } from "../../store/varint.ts";
import { type FuzzTarget, kindOf } from "./fuzz-target.ts";

const TAGS: readonly TagRef[] = [1, 2, 3].map((key) => ({
  id: `pump-${key}/speed`,
  device: `pump-${key}`,
  name: "speed",
  type: "float64",
  priority: "normal",
}));
const DICTIONARY = new Dictionary(TAGS.map(({ device, name, type }, i) => ({ key: i + 1, device, name, type })));
const VERSION = 3;
const RANGES_MAX = 64;

const tagOf = (key: number): TagRef | undefined => TAGS[key - 1];
const keyOf = (tag: TagRef): number => 1 + TAGS.indexOf(tag);

/** With the checksum that a hostile hand would give it: an input is the columns, after their count and time base. */
function sealed(input: Uint8Array): Uint8Array {
  const [count = 1, base = 0] = input;
  const columns = input.subarray(2);
  const timeBase = base & 1;
  const sizes = new ByteWriter();
  sizes.varint(count);
  sizes.varint(columns.length);
  const head = Buffer.alloc(6);
  head.writeUInt8(VERSION, 0);
  head.writeUInt8(timeBase, 1);
  head.writeUInt32LE((crc32(columns) ^ timeBase) >>> 0, 2);
  return Buffer.concat([head, sizes.bytes(), deflateRawSync(columns, { level: 0 })]);
}

/** Where the encoder's own form says how, the columns of some samples; as many as one byte counts. */
const sample: fc.Arbitrary<StoredSample> = fc.record({
  tag: fc.constantFrom(...TAGS),
  value: fc.oneof(
    fc.double(),
    fc.integer(),
    fc.boolean(),
    fc.string(),
    fc.constant(null),
    fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  ),
  status: fc.constantFrom("Good" as const, "BadNoCommunication" as const),
  sourceTimestampMs: fc.integer({ min: 0, max: 2 ** 46 }),
  epoch: fc.nat(),
  number: fc.constant(0),
});
const block = fc.array(sample, { minLength: 1, maxLength: 12 }).map((samples) =>
  encodeBlock(
    samples.map((one, i) => ({ ...one, number: i + 1 })),
    keyOf,
  ),
);

function readBack(bytes: Uint8Array): string {
  let samples: readonly StoredSample[];
  try {
    samples = decodeBlock(bytes, tagOf);
  } catch (thrown) {
    if (!(thrown instanceof DamagedBytes)) throw thrown;
    return kindOf(thrown.message);
  }
  // An import writes it again.
  const again = decodeBlock(encodeBlock(samples, keyOf), tagOf);
  assert.equal(again.length, samples.length);
  for (const [i, one] of again.entries()) {
    assert.ok(Object.is(one.value, samples[i]?.value) || typeof one.value === "string", "a value is the same again");
    assert.equal(one.number, samples[i]?.number);
  }
  return `${Math.min(3, samples.length)} ${typeof samples[0]?.value}`;
}

const anyBlock: FuzzTarget = { name: "outbox-block", formed: block, run: readBack };

const hostileBlock: FuzzTarget = {
  name: "outbox-columns",
  formed: fc
    .tuple(fc.nat(12), fc.nat(1), fc.uint8Array({ maxLength: 120 }))
    .map(([count, base, columns]) => Uint8Array.of(count, base, ...columns)),
  run: (bytes) => readBack(sealed(bytes)),
};

const jsonFact = fc.oneof(
  fc.record(
    { pending: fc.array(fc.tuple(fc.double(), fc.option(fc.double()))), floors: fc.jsonValue() },
    { requiredKeys: [] },
  ),
  fc.record({
    reason: fc.constantFrom("too old", "x"),
    epoch: fc.nat(),
    priority: fc.integer(),
    fromMs: fc.double(),
    toMs: fc.nat(),
    tags: fc.jsonValue(),
  }),
  fc.record({ from: fc.double(), to: fc.double(), knownOffsetMs: fc.double(), offsetMs: fc.jsonValue() }),
  fc.jsonValue(),
);
const COMMAND_FACTS = ["commands/horizon", "commands/latest", "commands/nonce/00112233445566778899aabbccddeeff"];
const NO_FILE = {
  file: { save: async () => undefined },
  blocks: { commit: async () => assert.fail("nothing is kept here") },
};
const FACT_NAMES = [
  "clean",
  "safe",
  "runMs",
  "uplink/cloud",
  "loss/cloud/7",
  "boot/a",
  "loss/",
  "uplink",
  "__proto__",
  ...COMMAND_FACTS,
];

/** Lines of a fact each: its name, a space, its text. */
const facts: FuzzTarget = {
  name: "outbox-facts",
  formed: fc
    .array(fc.tuple(fc.constantFrom(...FACT_NAMES), jsonFact), { maxLength: 5 })
    .map((lines) => Buffer.from(lines.map(([name, fact]) => `${name} ${JSON.stringify(fact)}`).join("\n"))),
  tokens: [...FACT_NAMES.map((name) => `\n${name} `), "1e308", '"pending":[[', "null]]", '"tags":[[1,0,'],
  run(bytes) {
    const rows = Buffer.from(bytes)
      .toString()
      .split("\n")
      .map((line): [string, string] => {
        const at = line.indexOf(" ");
        return at < 0 ? [line, ""] : [line.slice(0, at), line.slice(at + 1)];
      });
    const { uplinks, losses, bad } = savedOutbox(rows, DICTIONARY);
    for (const progress of uplinks.values()) assert.ok((progress?.pending.length ?? 0) <= RANGES_MAX, "P7");
    for (const [, text] of rows) {
      numberIn(text);
      tagsIn(text);
      topicsIn(text);
      knownIn(text);
    }
    lastSeenIn(rows);
    const commands = createCommandMemory(NO_FILE, rows, rows).state();
    const times = [commands.horizonMs ?? 0, commands.latestMs ?? 0, ...commands.nonces.values()];
    for (const ms of times) assert.ok(Number.isSafeInteger(ms), "P10: a time at which nothing is refused is none");
    return `${Math.min(2, uplinks.size)} ${Math.min(2, losses.size)} ${Math.min(2, bad.length)}`;
  },
};

/** Lines of a tag each: key, device, name and type, with tabs between. */
const tags: FuzzTarget = {
  name: "outbox-tags",
  formed: fc
    .array(
      fc.tuple(
        fc.oneof(fc.nat(20), fc.double(), fc.constantFrom(2 ** 53 - 1, 2 ** 53, -1)),
        fc.oneof(fc.constantFrom("pump-1", "gateway", "", "a/b", "+"), fc.string()),
        fc.oneof(fc.constantFrom("speed", "outbox/health", "#"), fc.string({ unit: "binary" })),
        fc.constantFrom("float32", "string", "x", "constructor"),
      ),
      { maxLength: 6 },
    )
    .map((rows) => Buffer.from(rows.map((row) => row.join("\t")).join("\n"))),
  tokens: ["\t", "\n", "9007199254740991\t", "-1\t", "pump-1", "speed", "\u0000"],
  run(bytes) {
    const entries = Buffer.from(bytes)
      .toString()
      .split("\n")
      .map((row) => row.split("\t"))
      .map(([key = "", device = "", name = "", type = ""]) => ({ key: Number(key), device, name, type }))
      // As SQLite has them: whole, and of 64 bits.
      .filter(({ key }) => Number.isInteger(key) && Math.abs(key) <= 2 ** 63);
    const dictionary = new Dictionary(entries);
    const known = dictionary.all();
    for (const { id, device, name } of known) {
      assert.doesNotMatch(id, /[\p{C}+#]/u, "a name breaks no topic and no line");
      assert.equal(id, `${device}/${name}`);
    }
    // Tags of the gateway's own get keys that no other tag has.
    const keys = TAGS.map((tag) => dictionary.keyOf(tag));
    assert.equal(new Set(keys).size, TAGS.length, "P5: no two tags share a key");
    for (const [i, key] of keys.entries()) assert.equal(dictionary.tagOf(key, "normal")?.id, TAGS[i]?.id, "P5");
    return `${Math.min(4, known.length)} of ${Math.min(4, entries.length)}, ${Math.min(3, dictionary.unstored().length)}`;
  },
};

export function outboxTargets(): readonly FuzzTarget[] {
  return [anyBlock, hostileBlock, facts, tags];
}
