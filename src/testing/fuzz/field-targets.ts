/** What a serial line can deliver. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { askedOf, askedText, hexText } from "../../commands/listen/frame-words.ts";
import type { ByteOrder, RegisterType } from "../../config/config.ts";
import { CRC_BYTES, crc16, hasValidCrc } from "../../sources/modbus/crc16.ts";
import { expectationOf, MEI_IDENTIFICATION } from "../../sources/modbus/expectation.ts";
import { scanFrames } from "../../sources/modbus/frame-scanner.ts";
import { type Hearing, heardBytes, heardSilence, NOTHING_PENDING } from "../../sources/modbus/overhearing.ts";
import { decodeRegisters } from "../../sources/modbus/register-codec.ts";
import { identificationOf } from "../../sources/modbus/reply-frame.ts";
import type { FuzzTarget } from "./fuzz-target.ts";

/** One of each kind of function: the first byte of an input says which of them was asked. */
const REQUESTS = [
  [1, 1, 0, 0, 0, 20],
  [1, 3, 0, 0, 0, 2],
  [1, 4, 1, 0, 0, 125],
  [1, 5, 0, 1, 0xff, 0],
  [1, 6, 0, 1, 0, 7],
  [1, 16, 0, 1, 0, 1, 2, 0, 7],
  [1, 17],
  [1, 43, 14, 1, 0],
].map(sealed);

const TYPES: readonly { readonly type: RegisterType; readonly bytes: number }[] = [
  ...(["bool", "int16", "uint16", "bcd16"] as const).map((type) => ({ type, bytes: 2 })),
  ...(["int32", "uint32", "float32", "bcd32"] as const).map((type) => ({ type, bytes: 4 })),
  ...(["int64", "uint64", "float64"] as const).map((type) => ({ type, bytes: 8 })),
  { type: "string", bytes: 16 },
];
const ORDERS: readonly ByteOrder[] = ["ABCD", "BADC", "CDAB", "DCBA"];

const frame = fc
  .tuple(
    fc.constantFrom(1, 2, 247),
    fc.constantFrom(1, 3, 4, 5, 6, 15, 16, 17, 23, 43, 0x83, 0x90),
    fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.uint8Array({ minLength: 245, maxLength: 252 })),
  )
  .map(([unit, code, data]) => sealed([unit, code, ...data]));
const traffic = fc
  .tuple(fc.nat(255), fc.array(fc.oneof(frame, fc.uint8Array({ maxLength: 6 })), { maxLength: 4 }))
  .map(([first, parts]) => Uint8Array.from([first, ...parts.flatMap((part) => [...part])]));

const serialFrames: FuzzTarget = {
  name: "serial-frames",
  formed: traffic,
  run(input) {
    const bytes = input.subarray(1);
    const request = REQUESTS[(input[0] ?? 0) % REQUESTS.length] ?? sealed([]);
    const open = scanFrames(bytes, expectationOf(request), false);
    const ended = scanFrames(bytes, expectationOf(request), true);
    for (const { frame: answer, start, consumed, skipped } of [open, ended]) {
      assert.ok(start + (answer?.length ?? 0) <= consumed && consumed <= bytes.length);
      assert.ok(skipped.noiseBytes <= bytes.length);
      if (answer === undefined) continue;
      assert.ok(hasValidCrc(answer) && answer.length <= 256, "P5: an answer is whole");
      assert.equal(answer[0], request[0], "P5: from the unit that was asked");
      assert.equal((answer[1] ?? 0) & 0x7f, request[1], "P5: of the function that was asked");
    }
    if (ended.frame === undefined) assert.equal(ended.consumed, bytes.length, "at the end nothing is kept");
    return `${open.frame?.[1]} ${ended.frame?.[1]} ${ended.skipped.strays.length} ${Math.min(2, ended.skipped.echoes)}`;
  },
};

/** A line of a screen. */
const HEARD_MAX_CHARS = 120;
/** Some frames: what is heard is given in pieces, and longer traffic says nothing new. */
const OVERHEARD_MAX_BYTES = 200;

const overheard: FuzzTarget = {
  name: "overheard",
  formed: traffic,
  maxBytes: OVERHEARD_MAX_BYTES,
  run(input) {
    const chunkBytes = 1 + ((input[0] ?? 0) % 16);
    let hearing: Hearing = NOTHING_PENDING;
    const heard: string[] = [];
    let atMs = 0;
    for (let at = 1; at < input.length; at += chunkBytes) {
      const [next, events] = heardBytes(hearing, input.subarray(at, at + chunkBytes), ++atMs);
      hearing = next;
      for (const event of events) heard.push(event.kind === "exchange" ? event.fate : event.kind);
    }
    const [quiet, events] = heardSilence(hearing, ++atMs);
    assert.equal(quiet.input.length, 0, "after a silence nothing is kept");
    return [...heard, ...events.map(({ kind }) => kind)].slice(0, 4).join(" ");
  },
};

/** What a device says that it is (43/14): a reply that is whole, of any content. */
const identity: FuzzTarget = {
  name: "identity",
  formed: fc
    .tuple(
      fc.nat(2).map((more) => (more === 2 ? 0xff : more)),
      fc.nat(255),
      fc.nat(255),
      fc.array(fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 30 })), { maxLength: 6 }),
    )
    .map(([more, next, count, objects]) =>
      Uint8Array.from([more, next, count, ...objects.flatMap(([id, text]) => [id, text.length, ...text])]),
    ),
  maxBytes: 246,
  run(input) {
    const { objects, next } = identificationOf(sealed([1, 43, MEI_IDENTIFICATION, 1, 1, ...input]));
    const bytes = [...objects.values()].reduce((sum, text) => sum + text.length, 0);
    assert.ok(bytes <= input.length + CRC_BYTES, "no text is longer than what was said");
    assert.ok(next === undefined || (next >= 0 && next <= 255));
    return `${Math.min(5, objects.size)} ${next === undefined}`;
  },
};

/** A request of another master, in words. */
const heardWords: FuzzTarget = {
  name: "heard-words",
  formed: frame,
  maxBytes: 256,
  run(bytes) {
    const asked = askedOf(bytes);
    const shown = `${askedText(asked)} ${hexText(bytes, 8)}`;
    assert.doesNotMatch(shown, /[\p{C}]|undefined|NaN/u, "words for people");
    assert.ok(shown.length <= HEARD_MAX_CHARS, shown);
    return `${asked.table} ${asked.functionCode}`;
  },
};

const registers: FuzzTarget = {
  name: "registers",
  formed: fc.uint8Array({ minLength: 22, maxLength: 22 }),
  run(input) {
    const { type, bytes } = TYPES[(input[0] ?? 0) % TYPES.length] ?? { type: "uint16", bytes: 2 };
    const byteOrder = ORDERS[(input[1] ?? 0) % ORDERS.length] ?? "ABCD";
    const of = new Uint8Array(bytes);
    of.set(input.subarray(2, 2 + bytes));
    const hasScale = (input[1] ?? 0) >= 128 && type !== "string" && type !== "bool";
    const tag = {
      register: { table: "holdingRegister" as const, address: 0, type, byteOrder, quantity: bytes / 2 },
      ...(hasScale && { scale: 0.1 }),
    };
    const scale = Uint8Array.from([input[18] ?? 0, input[19] ?? 0]);
    const { value, status } = decodeRegisters(tag, of, hasScale ? scale : undefined);
    if (typeof value === "number") assert.ok(Number.isFinite(value), "P5: what is Good is a number");
    assert.ok(value !== null || status !== "Good", "P5: nothing is not Good");
    return `${type} ${typeof value} ${status}`;
  },
};

export function fieldTargets(): readonly FuzzTarget[] {
  return [serialFrames, overheard, identity, heardWords, registers];
}

function sealed(head: readonly number[]): Uint8Array {
  const frame = new Uint8Array(head.length + CRC_BYTES);
  frame.set(head);
  new DataView(frame.buffer).setUint16(head.length, crc16(frame.subarray(0, head.length)), true);
  return frame;
}
