import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { BOARD, ConfigFolder, FIXTURES } from "../testing/config-folder.ts";
import { schemaBreaches } from "../testing/json-schema-check.ts";
import { parseSource } from "./document.ts";
import { gatewayJsonSchema } from "./json-schema.ts";
import { KEY_NOTES } from "./key-notes.ts";

const SCHEMA = gatewayJsonSchema();

let folder: ConfigFolder;

before(async () => {
  folder = await ConfigFolder.make();
});

after(() => folder.remove());

function breaches(yaml: string): string[] {
  return schemaBreaches(parseSource("gateway.yaml", yaml).value, SCHEMA);
}

/** The blocks of README.md that are whole configurations. */
function fromReadme(): string[] {
  const text = readFileSync(join(FIXTURES, "../../../README.md"), "utf8");
  return [...text.matchAll(/```yaml\n(version: 1\n[\s\S]*?)```/g)].map((match) => match[1] ?? "");
}

const FULL = readFileSync(join(FIXTURES, "full.yaml"), "utf8");

/** A part of the full example, and what stands in its place: a mistake in one key. */
const MISTAKES: readonly (readonly [string, string, string])[] = [
  ["version: 1", "version: 2", ".version const"],
  ["group: plant-7, name: pump-house-3 }   #", "group: plant 7, name: x }   #", ".gateway.group pattern"],
  ["mqtts://a.example.com:8883", "mqtt://a.example.com:1883", ".uplinks.cloud.servers[0] pattern"],
  ["format: sparkplug ", "format: sparkplgu ", ".uplinks.cloud.format enum"],
  ["keepAlive: 15s", "keepAlive: 15", ".uplinks.cloud.keepAlive anyOf"],
  ["keepAlive: 15s", "keepAliveS: 15", ".uplinks.cloud.keepAliveS additionalProperties"],
  ["history: { maxAge: 90d, maxSize: 1GB, rate: unlimited }", "history: on", ".uplinks.cloud.history anyOf"],
  ["maxSize: 1GB, rate", "maxSize: 1 GiB, rate", ".uplinks.cloud.history anyOf"],
  ["serial: 19200 8E1", "serial: 19200", ".lines.RS485-1.serial type"],
  ["unitId: 1", "unitId: 248", ".lines.RS485-1.devices.meter-1.unitId maximum"],
  ["unitId: 2", "slave: 2", ".lines.RS485-1.devices.pump-1.slave additionalProperties"],
  ["byteOrder: CDAB", "byteOrder: little", ".lines.RS485-1.devices.pump-1.byteOrder enum"],
  ["retries: 1", "retries: one", ".lines.RS485-1.devices.pump-1.retries type"],
  ["type: float32", "type: float", ".lines.RS485-1.devices.pump-1.tags anyOf"],
  ["pin: DI2", "pin: { chip: a }", ".inputs.energy.pin anyOf"],
  ["clock: { source: auto", "clock: { source: ntp", ".clock.source enum"],
];

describe("the JSON Schema of gateway.yaml", () => {
  test("lets every example pass that `check` lets pass", () => {
    const shortest = readFileSync(join(FIXTURES, "shortest.yaml"), "utf8");
    for (const yaml of [FULL, shortest]) {
      assert.deepEqual(folder.complaints(yaml, BOARD), []);
      assert.deepEqual(breaches(yaml), []);
    }
    const readme = fromReadme();
    assert.ok(readme.length > 0);
    for (const yaml of readme) assert.deepEqual(breaches(yaml), []);
  });

  test("lets the less usual forms pass that `check` lets pass", () => {
    for (const [part, instead] of [
      ["mqttVersion: auto", "mqttVersion: 5"],
      ["mqttVersion: auto", "mqttVersion: 3.1.1"],
      ["turnaroundDelay: 0ms", "turnaroundDelay: 0"],
      ["register: 40101", 'register: "400101"'],
      ["deadband: 0.5", "deadband: 1%, min: 0, max: 9"],
      ["writable: { min: 0, max: 1500 }", "writable: true, notAvailable: { from: 0xFFF8, to: 0xFFFF }"],
      ["holdingRegister: 110, type: int16", "holdingRegister: 110, enum: { 0: stopped, 1: running }"],
      ["pin: DI1", "pin: { chip: x, line: 3 }"],
    ] as const) {
      assert.ok(FULL.includes(part), part);
      const yaml = FULL.replace(part, instead);
      assert.deepEqual([instead, folder.complaints(yaml, BOARD)], [instead, []]);
      assert.deepEqual([instead, breaches(yaml)], [instead, []]);
    }
  });

  for (const [part, instead, breach] of MISTAKES) {
    test(`sees the mistake in ${instead}, as \`check\` does`, () => {
      assert.ok(FULL.includes(part), part);
      const yaml = FULL.replace(part, instead);
      assert.notDeepEqual(folder.complaints(yaml, BOARD), []);
      assert.ok(breaches(yaml).includes(breach), breaches(yaml).join("\n"));
    });
  }

  test("sees the golden file of mistakes", () => {
    assert.ok(breaches(readFileSync(join(FIXTURES, "bad.yaml"), "utf8")).length > 10);
  });

  test("every note stands at a key that is there", () => {
    const text = JSON.stringify(SCHEMA);
    for (const note of Object.values(KEY_NOTES)) assert.ok(text.includes(JSON.stringify(note)), note);
  });
});
