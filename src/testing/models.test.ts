/** Every device model: that one request can hold each tag, that each is read once, and that no two are mixed up. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { DeviceConfig, RegisterTag } from "../config/config.ts";
import { parseConfig } from "../config/load.ts";
import { modelNames } from "../config/model.ts";
import { planReads } from "../sources/modbus/poll-plan.ts";
import { quantityOf, rangeOf } from "../sources/modbus/register-map.ts";

function deviceOf(model: string): DeviceConfig {
  const text = `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks: { cloud: { servers: [ "mqtts://broker.example.com:8883" ] } }
lines: { bench: { path: /dev/simulated, devices: { device: { unitId: 1, model: ${model} } } } }
`;
  const { config, notices } = parseConfig("gateway.yaml", text);
  assert.deepEqual(notices, [], "a model promises nothing that is not done");
  const device = config.lines[0]?.devices[0];
  assert.ok(device !== undefined);
  return device;
}

/** Registers or bits, each by its place; tags that are cut out of one word of bits share it. */
function placesOf({ register }: RegisterTag): string[] {
  if (register.bit !== undefined) return [`${register.table} ${register.address} bit ${register.bit}`];
  return Array.from({ length: quantityOf(register) }, (_, i) => `${register.table} ${register.address + i}`);
}

/** 0 takes every register for itself; 50 is more than the slowest line is worth. */
const GAPS = [0, 8, 50];

describe("device models", () => {
  for (const model of modelNames()) {
    test(`${model}: every tag lies whole in one read, within what the device gives`, () => {
      const device = deviceOf(model);
      for (const gap of GAPS) {
        const reads = planReads(device, gap);
        assert.deepEqual(
          reads.flatMap((read) => read.tags.map(({ id }) => id)).toSorted(),
          device.tags.map(({ id }) => id).toSorted(),
        );
        for (const read of reads) {
          for (const { from, to } of read.tags.map(rangeOf)) {
            assert.ok(from >= read.address && to < read.address + read.quantity);
          }
          const isBits = read.table === "coil" || read.table === "discreteInput";
          assert.ok(isBits || read.quantity <= device.maxQuantity);
        }
      }
    });

    test(`${model}: no two tags are the same register, and none lies across another`, () => {
      const taken = new Map<string, string>();
      for (const tag of deviceOf(model).tags) {
        for (const place of placesOf(tag)) {
          assert.equal(taken.get(place), undefined, `${tag.name} and ${taken.get(place)} are both at ${place}`);
          taken.set(place, tag.name);
        }
      }
    });
  }
});
