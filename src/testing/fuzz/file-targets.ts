/** Files of a site, of a device's maker, and of what was there before. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { importKepware } from "../../commands/import/kepware.ts";
import { importNodeRed } from "../../commands/import/node-red.ts";
import { parseConfig } from "../../config/load.ts";
import { inspectModel } from "../../config/model.ts";
import { checkSite } from "../../config/site.ts";
import { ConfigurationError } from "../../core/errors.ts";
import { CONTROL, type FuzzTarget, kindOf } from "./fuzz-target.ts";

/** More are not told of one file; the last tells how many. */
const PROBLEMS_MAX = 201;
const YAML_MAX_BYTES = 1_024;
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
  tokens: ['"', ",", "\r\n", "400001", "Float", "Boolean", "Tag Name", "Address", "constructor"],
  run: (bytes) =>
    imported(() => {
      const { lines, left } = importKepware(textOf(bytes), TARGET);
      const tags = lines.flatMap(({ devices }) => devices.flatMap((device) => device.tags));
      for (const { type } of tags) assert.ok(type === undefined || typeof type === "string", "a type is a word");
      return left.length;
    }),
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
  return [gatewayYaml, siteYaml(), model, kepware, nodeRed];
}
