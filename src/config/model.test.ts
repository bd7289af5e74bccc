import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { problemText } from "../core/errors.ts";
import { createModelShelf, inspectModel, modelNames } from "./model.ts";
import { locationOf, rawTypeOf } from "./tag-rules.ts";

describe("the models that come with the program", () => {
  for (const name of modelNames()) {
    test(`${name} is without mistakes and names its public source`, () => {
      const file = fileURLToPath(new URL(`../models/${name}.yaml`, import.meta.url));
      const { problems, whole } = inspectModel(file, readFileSync(file, "utf8"));
      assert.deepEqual(problems.map(problemText), []);
      assert.ok(whole !== undefined && whole.source.length > 20);
      assert.match(name, /^[a-z0-9-]+$/);
      for (const tag of Object.keys(whole.tags)) assert.match(tag, /^[a-z0-9-]+$/);
    });
  }

  test("eastron-sdm630: the addresses of its protocol document", () => {
    const model = createModelShelf("gateway.yaml").find("eastron-sdm630");
    assert.ok("tags" in model && model.sound);
    const held = Object.entries(model.tags).map(([name, tag = {}]) => {
      const at = locationOf(tag);
      return [name, at?.table, at?.address, at && rawTypeOf(tag, at.table).type];
    });
    const addresses = {
      "voltage-l1": 0x00,
      "current-l1": 0x06,
      "power-l3": 0x10,
      "power-total": 0x34,
      frequency: 0x46,
    };
    for (const [name, address] of Object.entries({ ...addresses, "energy-import": 0x48, "energy-export": 0x4a })) {
      assert.deepEqual(
        held.find(([tag]) => tag === name),
        [name, "inputRegister", address, "float32"],
      );
    }
  });
});

test("a model file has its mistakes told like any other", () => {
  const { problems } = inspectModel(
    "m.yaml",
    "name: X\nmaker: Y\nbaud: 9600\ntags: { a: { coil: 1 }, A: { coil: 2 } }\n",
  );
  assert.deepEqual(problems.map(problemText), [
    'm.yaml:1:1 source: is missing; add it, as in "source: title and version of the manual"',
    "m.yaml:3:1 baud: there is no such key here; remove it; the keys here are name, maker, source, defaults, tags",
    "m.yaml:4:25 tags.A: the name is taken by a, line 4; choose another name",
  ]);
});
