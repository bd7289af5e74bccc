import assert from "node:assert/strict";
import { test } from "node:test";
import { changeOf } from "./change.ts";
import type { Config } from "./config.ts";
import { parseConfig } from "./load.ts";

function configOf(changes: Readonly<Record<string, string>> = {}): Config {
  const { name, meter, pump, inputs, uplink, outbox } = {
    name: "gw",
    meter: "{ unitId: 1, tags: { a: { holdingRegister: 0 } } }",
    pump: "{ unitId: 1, tags: { b: { holdingRegister: 0 } } }",
    inputs: "{ door: { pin: { chip: c, line: 1 } } }",
    uplink: '{ servers: [ "mqtts://b.example.com:8883" ] }',
    outbox: "{ maxSize: 2GB }",
    ...changes,
  };
  const text = `version: 1
gateway: { group: g, name: ${name} }
uplinks: { cloud: ${uplink} }
lines:
  one: { path: /dev/one, devices: { meter: ${meter} } }
  two: { path: /dev/two, devices: { pump: ${pump} } }
inputs: ${inputs}
outbox: ${outbox}
`;
  return parseConfig("gateway.yaml", text).config;
}

test("P8: what is the same is left running", () => {
  const change = changeOf(configOf(), configOf());
  assert.deepEqual(
    [...change.keptLines],
    [
      ["one", 0],
      ["two", 1],
    ],
  );
  assert.deepEqual([...change.keptDevices].sort(), ["gateway", "inputs", "meter", "pump"]);
  assert.equal(change.keepsInputs && change.keepsUplinks, true);
  assert.deepEqual(change.needsRestart, []);
});

test("P8: a device that changed takes its line with it, and no other; brokers are told anew", () => {
  const change = changeOf(configOf(), configOf({ pump: "{ unitId: 2, tags: { b: { holdingRegister: 0 } } }" }));
  assert.deepEqual([...change.keptLines.keys()], ["one"]);
  assert.deepEqual([...change.keptDevices].sort(), ["gateway", "inputs", "meter"]);
  assert.equal(change.keepsUplinks, false);
  assert.equal(change.keepsInputs, true);
});

test("P8: changed inputs, uplinks and names are told to brokers; lines are read on", () => {
  for (const next of [
    configOf({ inputs: "{ door: { pin: { chip: c, line: 2 } } }" }),
    configOf({ uplink: '{ servers: [ "mqtts://c.example.com:8883" ] }' }),
    configOf({ name: "other" }),
  ]) {
    const change = changeOf(configOf(), next);
    assert.equal(change.keptLines.size, 2);
    assert.equal(change.keepsUplinks, false);
  }
});

test("P10: a key that is revoked, or a section commands that is gone, is in force without a restart", () => {
  const key = { file: "ops.pub", id: "0", publicKey: "" };
  const before = { ...configOf(), commands: { authorizedKeys: [key, { ...key, id: "1" }] } };
  const change = changeOf(before, { ...configOf(), commands: { authorizedKeys: [key] } });
  assert.deepEqual([change.keepsUplinks, change.needsRestart, change.keptLines.size], [false, [], 2]);
  assert.equal(changeOf(before, configOf()).keepsUplinks, false);
});

test("what a running gateway does not change is named", () => {
  assert.deepEqual(changeOf(configOf(), configOf({ outbox: "{ maxSize: 1GB }" })).needsRestart, ["outbox"]);
});
