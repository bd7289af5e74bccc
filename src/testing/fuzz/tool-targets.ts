/** What the gateway and the tools on its machine leave for each other as files: written by them, by other versions, or by a hand. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { Rates } from "../../commands/watch/rates.ts";
import { draw, FIRST_VIEW, onKey, type View, withinTags } from "../../commands/watch/view.ts";
import { commandKeyIn } from "../../core/command-key.ts";
import { STATUS_NAMES } from "../../core/quality.ts";
import { eventsIn } from "../../diagnostics/event-file.ts";
import { answerIn, requestIn, wordsOf } from "../../diagnostics/request-desk.ts";
import { parseStatus } from "../../diagnostics/status-shape.ts";
import { CONTROL, type FuzzTarget, kindOf } from "./fuzz-target.ts";

const SCREENS = [
  { columns: 80, rows: 24 },
  { columns: 40, rows: 10 },
] as const;
/** Each begins a view from which the others go on. */
const KEYS = ["g", "s", "t", "s", "/", "p", "\r", "d", "j", "j"] as const;
const LEASE = /^[A-Za-z0-9-]{1,64}$/;
/** Of a request in the log: its verb and what it is about. */
const WORDS_MAX_CHARS = 410;

const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();
const jsonOf = (given: unknown): Uint8Array => bytesOf(JSON.stringify(given));

const text = fc.oneof(fc.string({ maxLength: 12 }), fc.string({ unit: "binary", maxLength: 6 }));
const number = fc.oneof(fc.nat(), fc.double(), fc.constantFrom(-1, 1e308, 8.64e15, 9e15, 5e-324, -0));
const device = fc.record({
  name: text,
  requests: number,
  replies: number,
  lost: fc.boolean(),
  responseTimeP99Ms: number,
});
const tag = fc.record(
  {
    name: text,
    value: fc.oneof(text, number, fc.boolean(), fc.constant(null)),
    status: fc.constantFrom(...STATUS_NAMES),
    words: text,
    timestamp: number,
    text,
    units: text,
  },
  { requiredKeys: ["name", "value", "status", "words", "timestamp"] },
);
const line = fc.record({
  name: text,
  path: text,
  fault: fc.oneof(fc.constant(""), text),
  utilisation: number,
  missedPeriods: number,
  foreignFrames: number,
  noiseBytes: number,
  devices: fc.array(device, { maxLength: 3 }),
});
const uplink = fc.record({
  name: text,
  state: fc.oneof(fc.constant("connected"), text),
  server: text,
  session: number,
  depth: number,
  oldestMs: fc.option(number),
  live: number,
  replayed: number,
  dropped: number,
});
/** Right in form, so that it is shown; and the same with one part that is not. */
const statusContent = fc.record({
  timestamp: fc.oneof(fc.constant(1.79e12), number),
  epoch: number,
  devices: fc.array(fc.record({ name: text, tags: fc.array(tag, { maxLength: 4 }) }), { maxLength: 3 }),
  lines: fc.array(line, { maxLength: 2 }),
  uplinks: fc.array(uplink, { maxLength: 2 }),
  outbox: fc.record({ health: fc.constantFrom("ok", "full"), healthReason: text }),
});
const spoiled = fc
  .tuple(statusContent, fc.constantFrom("timestamp", "devices", "lines", "uplinks", "outbox"), fc.jsonValue())
  .map(([content, part, value]) => ({ ...content, [part]: value }));

const status: FuzzTarget = {
  name: "status",
  formed: fc.oneof({ arbitrary: statusContent, weight: 3 }, { arbitrary: spoiled, weight: 1 }).map(jsonOf),
  tokens: [
    '"devices":',
    '"tags":',
    '"status":"Good"',
    "null",
    "1e999",
    "9e15",
    "\\u001b[2J",
    "\\u2028",
    '"value":',
    '""',
  ],
  maxBytes: 1_200,
  run(bytes) {
    const found = parseStatus(textOf(bytes));
    if (found === undefined) return "none";
    const rates = new Rates();
    rates.note(found);
    // A second picture: rates come of two.
    rates.note({ ...found, timestamp: found.timestamp + 1_000 });
    const picture = { status: found, isFresh: bytes.length % 2 === 0, nowMs: found.timestamp + bytes.length, rates };
    const screen = SCREENS[bytes.length % SCREENS.length] ?? SCREENS[0];
    let view: View = FIRST_VIEW;
    for (const key of KEYS.slice(0, 1 + (bytes.length % KEYS.length)))
      view = withinTags(onKey(view, key), picture, screen);
    const shown = draw(view, picture, screen);
    assert.ok(shown.length <= screen.rows, `${shown.length} lines`);
    for (const each of shown) {
      assert.doesNotMatch(each, CONTROL, "no terminal is steered by what is shown");
      assert.ok(each.length <= screen.columns);
    }
    const few = (list: readonly unknown[]) => Math.min(3, list.length);
    const [first] = found.devices.flatMap(({ tags }) => tags);
    return `${few(found.devices)} ${few(found.lines)} ${few(found.uplinks)} ${first?.status} ${typeof first?.value} ${screen.columns}`;
  },
};

const events: FuzzTarget = {
  name: "events",
  formed: fc
    .array(fc.record({ number: fc.oneof(fc.nat(), fc.double()), ms: fc.oneof(number, text), kind: text, text }))
    .map((given) => bytesOf(given.map((event) => `${JSON.stringify(event)}\n`).join(""))),
  tokens: ['"number":', '"ms":8.7e15', '"ms":"x"', '"kind":', "\n{", "null"],
  run(bytes) {
    const found = eventsIn(textOf(bytes));
    for (const { ms, text: told } of found) assert.ok(new Date(ms).toISOString() !== "" && typeof told === "string");
    return `${Math.min(3, found.length)}`;
  },
};

const request: FuzzTarget = {
  name: "tool-request",
  formed: fc
    .record(
      {
        ask: fc.oneof(fc.constantFrom("forget", "lend", "note"), text),
        uplink: fc.oneof(text, fc.jsonValue()),
        path: fc.oneof(text, fc.jsonValue()),
        lease: fc.oneof(fc.constantFrom("a-1", "../../x", "", ["a"]), text),
        text: fc.oneof(text, fc.jsonValue()),
      },
      { requiredKeys: ["ask"] },
    )
    .map(jsonOf),
  tokens: ['"ask":"forget"', '"ask":"lend"', '"ask":"note"', '"lease":"', '"uplink":', "../", "\\u001b", "__proto__"],
  run(bytes) {
    const asked = requestIn(textOf(bytes));
    if (asked === undefined) return "none";
    if (asked.ask === "lend") assert.match(asked.lease, LEASE, "a lease is a file of its folder");
    const words = wordsOf(asked);
    assert.doesNotMatch(words, CONTROL, "what goes into the log is one line");
    assert.ok(words.length <= WORDS_MAX_CHARS);
    return asked.ask;
  },
};

const answer: FuzzTarget = {
  name: "tool-answer",
  formed: fc
    .record(
      {
        done: fc.oneof(fc.boolean(), fc.jsonValue()),
        text,
        lent: fc.oneof(fc.record({ line: text, forMs: number }), fc.jsonValue()),
      },
      { requiredKeys: ["done", "text"] },
    )
    .map(jsonOf),
  tokens: ['"done":true', '"text":"', '"lent":{', '"forMs":', "1e999", "null"],
  run(bytes) {
    const told = answerIn(textOf(bytes));
    if (told === undefined) return "none";
    assert.ok(typeof told.text === "string" && typeof told.done === "boolean");
    if (told.lent !== undefined) assert.ok(Number.isFinite(told.lent.forMs) && typeof told.lent.line === "string");
    return `${told.done} ${told.lent === undefined}`;
  },
};

const key: FuzzTarget = {
  name: "command-key",
  formed: fc
    .tuple(
      fc.base64String(),
      fc.constantFrom("PUBLIC KEY", "PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "CERTIFICATE"),
    )
    .map(([body, kind]) => bytesOf(`-----BEGIN ${kind}-----\n${body}\n-----END ${kind}-----\n`)),
  tokens: ["-----BEGIN PUBLIC KEY-----\n", "\n-----END PUBLIC KEY-----\n", "MCowBQYDK2VwAyEA", "PRIVATE"],
  run(bytes) {
    const found = commandKeyIn(textOf(bytes));
    if (typeof found === "string") return kindOf(found);
    assert.match(`${found.id} ${found.publicKey}`, /^[0-9a-f]{16} [\w-]{43}$/);
    return "public";
  },
};

export function toolTargets(): readonly FuzzTarget[] {
  return [status, events, request, answer, key];
}
