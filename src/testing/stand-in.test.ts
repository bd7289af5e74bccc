import assert from "node:assert/strict";
import { test } from "node:test";
import type { ByteOrder, RegisterTag, RegisterType } from "../config/config.ts";
import { parseConfig } from "../config/load.ts";
import { createModelShelf, modelNames } from "../config/model.ts";
import { quantityOf } from "../config/values.ts";
import { decodeRegisters } from "../sources/modbus/register-codec.ts";
import { deviceConfig, registerTag } from "./modbus-config.ts";
import { StandIn } from "./stand-in.ts";

const TYPES: readonly RegisterType[] = [
  "bool",
  "int16",
  "uint16",
  "int32",
  "uint32",
  "int64",
  "uint64",
  "float32",
  "float64",
  "string",
  "bcd16",
  "bcd32",
];
const ORDERS: readonly ByteOrder[] = ["ABCD", "BADC", "CDAB", "DCBA"];
const LENGTH_BYTES = 12;
const READ_EVERY_MS = 7_000;
const READS = 60;

test("a stand-in's values decode by the tag's own type and byte order, within min and max, and move", () => {
  for (const type of TYPES) {
    for (const byteOrder of ORDERS) {
      const length = type === "string" ? { lengthBytes: LENGTH_BYTES } : {};
      const tag = registerTag("d", "t", { table: "holdingRegister", address: 7, type, byteOrder, ...length }, LIMITED);
      const values = valuesOf(tag);
      for (const value of values) {
        if (typeof value === "number" || typeof value === "bigint") assert.ok(value >= 20 && value <= 30, `${value}`);
      }
      if (type === "string") assert.deepEqual([...new Set(values)], ["sim t"]);
      else assert.ok(new Set(values).size > 1, `${type} stands still`);
    }
  }
});

const LIMITED = { min: 20, max: 30 };

test("a stand-in keeps scale, offset and negative scales, and never shows the mark of no value", () => {
  const at = { table: "inputRegister", address: 0, type: "int16" } as const;
  for (const scaling of [{ scale: 0.1 }, { scale: -0.5, offset: 40 }, { scale: 2, offset: -3 }]) {
    for (const value of valuesOf(registerTag("d", "t", at, { ...LIMITED, ...scaling }))) {
      assert.ok(typeof value === "number" && value >= 20 && value <= 30, `${value} of ${JSON.stringify(scaling)}`);
    }
  }
  const marked = registerTag("d", "t", at, { min: 20, max: 22, notAvailable: 21 });
  assert.ok(!valuesOf(marked).includes(21));
  assert.ok(valuesOf(marked).every((value) => value !== null));
});

test("a stand-in plays registers with a scale register, with named states, and of bits", () => {
  const table = "holdingRegister";
  const scaleFrom = { table, address: 9 } as const;
  const scaled = registerTag(
    "d",
    "power",
    { table, address: 8, type: "uint16" },
    { scaleFrom, units: "W", max: 4_000 },
  );
  const named = registerTag("d", "state", { table, address: 10, type: "uint16" }, { enum: { 4: "running", 9: "off" } });
  const bits = [3, 12].map((bit) => registerTag("d", `bit-${bit}`, { table, address: 11, type: "bool", bit }));
  const standIn = new StandIn(deviceConfig("d", 1, [scaled, named, ...bits]));
  const seen = { power: new Set(), state: new Set(), bits: new Set<unknown>() };
  for (let read = 0; read < READS; read++) {
    standIn.move(read * READ_EVERY_MS);
    const exponent = (standIn.device.get(table, 9) << 16) >> 16;
    assert.ok(exponent >= -2 && exponent <= 0, `${exponent}`);
    seen.power.add(standIn.device.get(table, 8) * 10 ** exponent);
    seen.state.add(standIn.device.get(table, 10));
    seen.bits.add(standIn.device.get(table, 11));
  }
  for (const power of seen.power) assert.ok(Number(power) >= 600 && Number(power) <= 4_000, `${power}`);
  assert.deepEqual(seen.state, new Set([4, 9]));
  assert.deepEqual(seen.bits, new Set([0, 8, 4_096, 4_104]));
});

test("a stand-in refuses what no tag names with exception 2, and keeps what was written", () => {
  const tag = registerTag("d", "setpoint", { table: "holdingRegister", address: 100, type: "uint16" }, LIMITED);
  const { device, standIn } = played([tag]);
  const read = (functionCode: number, address: number, quantity: number) =>
    [...device.answer(Uint8Array.of(functionCode, address >> 8, address & 0xff, 0, quantity))].slice(0, 2);
  assert.deepEqual(read(3, 100, 1), [3, 2]);
  for (const [functionCode, address, quantity] of [
    [3, 99, 1],
    [3, 101, 1],
    [3, 99, 2],
    [3, 0, 1],
    [4, 100, 1],
    [1, 100, 1],
  ] as const) {
    assert.deepEqual(read(functionCode, address, quantity), [functionCode | 0x80, 2], `${functionCode} ${address}`);
  }
  device.answer(Uint8Array.of(6, 0, 100, 0x12, 0x34));
  standIn.move(100_000);
  assert.equal(device.get("holdingRegister", 100), 0x1234);
});

test("every model that comes with the program can be played, every value good and within its limits", () => {
  const shelf = createModelShelf("none");
  for (const name of modelNames()) {
    assert.ok(!("wrong" in shelf.find(name)), name);
    const yaml = `version: 1
gateway: { group: g, name: n }
uplinks: { u: { servers: [ "mqtts://b:8883" ] } }
lines: { l: { path: /dev/x, devices: { d: { unitId: 1, model: ${name} } } } }`;
    const device = parseConfig("gateway.yaml", yaml).config.lines[0]?.devices[0] ?? assert.fail();
    const { standIn } = played(device.tags);
    for (let read = 0; read < READS; read++) {
      standIn.move(read * READ_EVERY_MS);
      for (const tag of device.tags) {
        const { value, status } = decoded(standIn, tag);
        assert.equal(status, "Good", `${name} ${tag.name}`);
        const isBeyond = typeof value === "number" && (value < (tag.min ?? value) || value > (tag.max ?? value));
        assert.ok(!isBeyond, `${name} ${tag.name} = ${value}`);
      }
    }
  }
});

function played(tags: readonly RegisterTag[]) {
  const standIn = new StandIn(deviceConfig("d", 1, tags));
  return { standIn, device: standIn.device };
}

function valuesOf(tag: RegisterTag) {
  const { standIn } = played([tag]);
  return Array.from({ length: READS }, (_, read) => {
    standIn.move(read * READ_EVERY_MS);
    const { value, status } = decoded(standIn, tag);
    assert.equal(status, "Good");
    return value;
  });
}

/** By the gateway's own decoder. */
function decoded({ device }: StandIn, tag: RegisterTag) {
  const { table, address, type, lengthBytes } = tag.register;
  const quantity = quantityOf(table, lengthBytes === undefined ? { type } : { type, lengthBytes });
  const bytes = (at: number, count: number) =>
    Uint8Array.from(
      Array.from({ length: count }, (_, i) => device.get(table, at + i)).flatMap((w) => [w >> 8, w & 255]),
    );
  return decodeRegisters(tag, bytes(address, quantity), tag.scaleFrom && bytes(tag.scaleFrom.address, 1));
}
