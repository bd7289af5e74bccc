import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConfigurationError, problemText } from "../core/errors.ts";
import { createModelShelf, inspectModel, modelNames, showModel } from "./model.ts";
import { locationOf, rawTypeOf } from "./tag-rules.ts";

describe("the models that come with the program", () => {
  for (const name of modelNames()) {
    test(`${name} is without mistakes, says what it is and names its public source`, () => {
      const { kind, maker, sources, tags } = showModel(name);
      assert.match(name, /^[a-z0-9-]+$/);
      assert.match(kind, /^[a-zA-Z/-]+( |$)/);
      const [firstWord = ""] = maker.toLowerCase().split(/[^a-z]/);
      assert.ok(name.startsWith(firstWord), `${name} begins with its maker ${maker}`);
      for (const source of sources) assert.ok(source.length > 20, source);
      for (const tag of tags) assert.match(tag.name, /^[a-z0-9-]+$/);
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
    "m.yaml:3:1 baud: there is no such key here; remove it; the keys here are name, maker, kind, source, factory, defaults, tags",
    "m.yaml:4:25 tags.A: the name is taken by a, line 4; choose another name",
  ]);
});

test("a model that is shown has every tag as a device would have it; one that is wrong is not shown", () => {
  const { id, factory, tags } = showModel("carlo-gavazzi-em340");
  const voltage = tags.find((tag) => tag.name === "voltage-l1");
  assert.equal(voltage?.id, "carlo-gavazzi-em340/voltage-l1");
  assert.deepEqual(voltage?.register, { table: "inputRegister", address: 0, type: "int32", byteOrder: "CDAB" });
  assert.equal(id, "carlo-gavazzi-em340");
  assert.deepEqual(factory, {});
  assert.deepEqual(showModel("xy-md02").factory, {
    serial: { baudRate: 9600, dataBits: 8, parity: "none", stopBits: 1 },
    unitId: 1,
  });
  assert.throws(() => showModel("./no-such-file.yaml"), ConfigurationError);
});

test("a source is one document or a list of them", () => {
  const model = (source: string) => `name: X\nmaker: Y\nsource: ${source}\ntags: { a: { coil: 1 } }\n`;
  const complaints = (source: string) => inspectModel("m.yaml", model(source)).problems.map(problemText);
  assert.deepEqual(complaints("a manual"), []);
  assert.deepEqual(complaints("[ a manual, another one ]"), []);
  assert.deepEqual(complaints("[]"), [
    "m.yaml:3:9 source: the list is empty; name each document with its version and place",
  ]);
});
