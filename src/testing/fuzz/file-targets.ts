/** Files: those of a site, of a device's maker, of another gateway's card, and what tools read of a running one. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { importKepware } from "../../commands/import/kepware.ts";
import { importNodeRed } from "../../commands/import/node-red.ts";
import { Rates } from "../../commands/watch/rates.ts";
import { draw, FIRST_VIEW } from "../../commands/watch/view.ts";
import { parseConfig } from "../../config/load.ts";
import { inspectModel } from "../../config/model.ts";
import { checkSite } from "../../config/site.ts";
import { ConfigurationError } from "../../core/errors.ts";
import { eventsIn } from "../../diagnostics/event-file.ts";
import { parseStatus } from "../../diagnostics/status-shape.ts";
import { type FuzzTarget, kindOf } from "./fuzz-target.ts";

/** More are not told of one file; the last tells how many. */
const PROBLEMS_MAX = 201;
const YAML_MAX_BYTES = 4_096;
const SCREEN = { columns: 80, rows: 24 };
/** What steers a terminal, or makes a line of its own. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const bytesOf = (text: string): Uint8Array => Buffer.from(text);
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

const word = fc.constantFrom("gateway", "uplinks", "lines", "cloud", "devices", "tags", "unitId", "register", "serial");
const scalar = fc.oneof(
  word,
  fc.integer().map(String),
  fc.constantFrom("~", "1e999", "0x", "[", "{", "&a", "*a", "!!js", "1s", "'"),
);
/** Lines with keys at any depth: right YAML as a rule, and never what was asked for. */
const yamlText = fc
  .array(fc.tuple(fc.nat(4), word, fc.option(scalar, { nil: "" })), { maxLength: 30 })
  .map((lines) => bytesOf(lines.map(([depth, key, value]) => `${"  ".repeat(depth)}${key}: ${value}`).join("\n")));
const YAML_TOKENS = [
  "<<: ",
  "&a ",
  "*a",
  "!!binary ",
  "? ",
  "- ",
  "\t",
  ": ",
  "{ ",
  "[ ",
  "1e999",
  "9007199254740993",
  "__proto__: ",
];

function mistakes(check: () => unknown): string {
  try {
    check();
    return "accepted";
  } catch (thrown) {
    if (!(thrown instanceof ConfigurationError)) throw thrown;
    const { problems } = thrown;
    assert.ok(problems.length > 0 && problems.length <= PROBLEMS_MAX, `${problems.length} mistakes`);
    for (const { wrong, key } of problems)
      assert.doesNotMatch(`${key} ${wrong}`, CONTROL, "a mistake is one plain line");
    return kindOf(problems[0]?.wrong ?? "");
  }
}

const gatewayYaml: FuzzTarget = {
  name: "gateway-yaml",
  maxBytes: YAML_MAX_BYTES,
  formed: yamlText,
  tokens: YAML_TOKENS,
  run: (bytes) => mistakes(() => parseConfig("/nowhere/gateway.yaml", textOf(bytes))),
};

function siteYaml(): FuzzTarget {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-fuzz-"));
  writeFileSync(join(dir, "gateway.yaml"), "version: 1\n");
  return {
    name: "site-yaml",
    maxBytes: YAML_MAX_BYTES,
    formed: yamlText,
    tokens: [...YAML_TOKENS, "network: ", "wifi: ", "passwordFile: ", "board: "],
    run(bytes) {
      writeFileSync(join(dir, "site.yaml"), bytes);
      return mistakes(() => checkSite(dir));
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}

const model: FuzzTarget = {
  name: "model",
  maxBytes: YAML_MAX_BYTES,
  formed: yamlText,
  tokens: [...YAML_TOKENS, "defaults: ", "scaleFrom: ", "enum: ", "notAvailable: "],
  run(bytes) {
    const { problems } = inspectModel("model.yaml", textOf(bytes));
    return kindOf(problems[0]?.wrong ?? "accepted");
  },
};

const status: FuzzTarget = {
  name: "status",
  maxBytes: YAML_MAX_BYTES,
  formed: fc
    .record(
      {
        timestamp: fc.double(),
        epoch: fc.nat(),
        devices: fc.array(fc.record({ name: fc.string(), tags: fc.array(fc.jsonValue()) })),
        lines: fc.array(fc.jsonValue()),
        uplinks: fc.array(fc.jsonValue()),
        outbox: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    .map((given) => bytesOf(JSON.stringify(given))),
  tokens: ['"devices":', '"tags":', '"status":"Good"', "null", "1e999", "\\u001b[2J", '"value":'],
  run(bytes) {
    const found = parseStatus(textOf(bytes));
    if (found === undefined) return "none";
    const picture = { status: found, isFresh: true, nowMs: 0, rates: new Rates() };
    picture.rates.note(found);
    for (const line of draw({ ...FIRST_VIEW, showsOwn: true }, picture, SCREEN)) {
      assert.doesNotMatch(line, CONTROL, "no terminal is steered by what is shown");
      assert.ok(line.length <= SCREEN.columns);
    }
    return `${found.devices.length} ${found.lines.length} ${found.uplinks.length}`;
  },
};

const events: FuzzTarget = {
  name: "events",
  formed: fc
    .array(
      fc.record({ number: fc.oneof(fc.nat(), fc.double()), ms: fc.double(), kind: fc.string(), text: fc.string() }),
    )
    .map((given) => bytesOf(given.map((event) => `${JSON.stringify(event)}\n`).join(""))),
  tokens: ['"number":', '"ms":8.7e15', '"kind":', "\n{", "null"],
  run(bytes) {
    const found = eventsIn(textOf(bytes));
    for (const { ms, text } of found) assert.ok(new Date(ms).toISOString() !== "" && typeof text === "string");
    return `${Math.min(3, found.length)}`;
  },
};

const cell = fc.oneof(fc.string(), fc.constantFrom("400001", "40101.05", "400101.20H", "Float", "Word", '"', ","));
const TARGET = {
  device: "pump-1",
  unitId: 1,
  path: "/dev/ttyUSB0",
  serial: { baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 },
  byteOrder: "CDAB",
} as const;

const kepware: FuzzTarget = {
  name: "kepware-csv",
  formed: fc
    .array(fc.array(cell, { maxLength: 8 }), { maxLength: 6 })
    .map((rows) => bytesOf(`Tag Name,Address,Data Type\n${rows.map((row) => row.join(",")).join("\n")}`)),
  tokens: ['"', ",", "\r\n", "400001", "Float", "Boolean", "Tag Name", "Address"],
  run: (bytes) => imported(() => importKepware(textOf(bytes), TARGET).left.length),
};

const nodeRed: FuzzTarget = {
  name: "node-red-flows",
  formed: fc
    .array(
      fc.record(
        {
          id: fc.constantFrom("a", "b"),
          type: fc.constantFrom("modbus-client", "modbus-read", "modbus-write", "tab"),
          server: fc.constantFrom("a", "b", 7),
          name: fc.oneof(fc.string(), fc.jsonValue()),
          dataType: fc.constantFrom("HoldingRegister", "Coil", "constructor"),
          adr: fc.oneof(fc.string(), fc.double(), fc.constant("100")),
          quantity: fc.oneof(fc.nat().map(String), fc.jsonValue()),
          serialPort: fc.jsonValue(),
          unitId: fc.jsonValue(),
        },
        { requiredKeys: [] },
      ),
      { maxLength: 5 },
    )
    .map((flows) => bytesOf(JSON.stringify(flows))),
  tokens: ['"type":"modbus-read"', '"type":"modbus-client"', '"server":', "1e999", "__proto__"],
  run: (bytes) => imported(() => importNodeRed(textOf(bytes)).left.length),
};

/** A file that is none of theirs is refused by an Error in words; what is a bug of ours is another kind of error. */
function imported(read: () => number): string {
  try {
    return `${Math.min(5, read())} left`;
  } catch (thrown) {
    if (!(thrown instanceof Error) || thrown instanceof TypeError || thrown instanceof RangeError) throw thrown;
    return kindOf(thrown.message);
  }
}

export function fileTargets(): readonly FuzzTarget[] {
  return [gatewayYaml, siteYaml(), model, status, events, kepware, nodeRed];
}
