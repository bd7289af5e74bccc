import assert from "node:assert/strict";
import { test } from "node:test";
import { rtuFrame } from "../../testing/modbus-wire.ts";
import { gaveUp, type Hearing, heardBytes, heardSilence, NOTHING_PENDING, type Overheard } from "./overhearing.ts";

const READ = rtuFrame(3, Uint8Array.of(3, 0, 100, 0, 2));
const READ_REPLY = rtuFrame(3, Uint8Array.of(3, 4, 0x43, 0x66, 0x33, 0x34));
const REFUSAL = rtuFrame(3, Uint8Array.of(0x83, 2));
const WRITE = rtuFrame(4, Uint8Array.of(6, 0, 1, 0, 9));
const WRITE_MANY = rtuFrame(4, Uint8Array.of(16, 0, 1, 0, 2, 4, 0, 1, 0, 2));
const WRITE_MANY_REPLY = rtuFrame(4, Uint8Array.of(16, 0, 1, 0, 2));
const WHO = rtuFrame(9, Uint8Array.of(43, 14, 1, 0));
const WHO_REPLY = rtuFrame(9, Uint8Array.of(43, 14, 1, 1, 0, 0, 1, 0, 4, 65, 99, 109, 101));
const TO_ALL = rtuFrame(0, Uint8Array.of(6, 0, 1, 0, 9));

/** Pieces of a line in order; a number is a silence. */
function overhear(pieces: readonly (Uint8Array | number)[]): readonly Overheard[] {
  let hearing: Hearing = NOTHING_PENDING;
  let atMs = 0;
  const events: Overheard[] = [];
  for (const piece of pieces) {
    atMs += 10;
    const [next, told] = typeof piece === "number" ? heardSilence(hearing, atMs) : heardBytes(hearing, piece, atMs);
    hearing = next;
    events.push(...told);
  }
  return [...events, ...gaveUp(hearing, atMs + 1_000)[1]];
}

function words(events: readonly Overheard[]): readonly string[] {
  return events.map((event) => {
    if (event.kind === "noise") return `noise ${event.bytes.length}`;
    if (event.kind === "stray") return `stray ${event.frame[0]}`;
    const { request, fate } = event;
    return `${request[0]}/${request[1]} ${fate}`;
  });
}

test("requests are told with what became of them, wherever the pieces are cut", () => {
  const talk = [
    READ,
    READ_REPLY,
    READ,
    REFUSAL,
    WRITE,
    WRITE,
    WRITE_MANY,
    WRITE_MANY_REPLY,
    WHO,
    WHO_REPLY,
    TO_ALL,
    READ,
    READ_REPLY,
  ];
  const expected = [
    "3/3 answered",
    "3/3 refused",
    "4/6 answered",
    "4/16 answered",
    "9/43 answered",
    "0/6 broadcast",
    "3/3 answered",
  ];
  assert.deepEqual(words(overhear(talk)), expected);
  const bytes = Uint8Array.from(talk.flatMap((frame) => [...frame]));
  for (let size = 1; size < bytes.length; size++) {
    const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
      bytes.subarray(i * size, (i + 1) * size),
    );
    assert.deepEqual(words(overhear(pieces)), expected, `pieces of ${size}`);
  }
});

test("silent units, damaged replies, strays and noise are told apart", () => {
  const damaged = READ_REPLY.slice();
  damaged[4] = 0;
  assert.deepEqual(words(overhear([READ, 0, WRITE, WRITE])), ["3/3 silent", "4/6 answered"]);
  assert.deepEqual(words(overhear([READ])), ["3/3 silent"]);
  assert.deepEqual(words(overhear([READ, damaged, 0, WRITE, WRITE])), ["3/3 damaged", "4/6 answered"]);
  assert.deepEqual(words(overhear([READ, READ_REPLY.subarray(0, 6), 0, READ, READ_REPLY])), [
    "3/3 damaged",
    "3/3 answered",
  ]);
  assert.deepEqual(words(overhear([READ_REPLY, 0, READ, READ_REPLY])), ["stray 3", "3/3 answered"]);
  assert.deepEqual(words(overhear([Uint8Array.of(0xff, 0, 0xff), 0, READ, READ_REPLY])), ["noise 3", "3/3 answered"]);
  assert.deepEqual(words(overhear([Uint8Array.of(0xff), READ, READ_REPLY])), ["noise 1", "3/3 answered"]);
});

test("the time of a reply counts from the request, and its bytes are kept to the last", () => {
  const [event] = overhear([READ, READ_REPLY]);
  assert.ok(event?.kind === "exchange");
  assert.equal(event.tookMs, 10);
  assert.deepEqual(event.reply, READ_REPLY);
});

test("P7: a line that babbles is told as noise piece by piece, and nothing grows", () => {
  let hearing: Hearing = NOTHING_PENDING;
  let noise = 0;
  for (let i = 0; i < 200; i++) {
    const [next, events] = heardBytes(hearing, new Uint8Array(100).fill(0xff), i);
    hearing = next;
    for (const event of events) if (event.kind === "noise") noise += event.bytes.length;
    assert.ok(hearing.input.length + hearing.noise.length <= 512);
  }
  assert.ok(noise > 19_000);
});
