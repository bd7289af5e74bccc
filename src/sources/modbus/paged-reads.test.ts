/** Registers that a device shows only after another one was written: one unit on the line, never mixed up. */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { RegisterTag } from "../../config/config.ts";
import type { Reading } from "../../pipeline.ts";
import { deviceConfig, registerTag } from "../../testing/modbus-config.ts";
import { type Faults, ModbusDevice } from "../../testing/modbus-device.ts";
import { modbusRig, registers } from "../../testing/modbus-rig.ts";
import { planReads } from "./poll-plan.ts";

const PAGE_AT = 100;
const PAGES = [3, 4, 7];
const SHOWN = 6;

/** Registers 0 to 5 hold page × 100 + place, and which request it was. */
class PagedDevice extends ModbusDevice {
  constructor(faults: () => Faults) {
    super(1);
    this.faults = () => {
      this.#show();
      return faults();
    };
    this.onWrite = () => this.#show();
  }

  #show(): void {
    const page = this.get("holdingRegister", PAGE_AT);
    for (let at = 0; at < SHOWN; at++) this.set("holdingRegister", at, page * 1_000 + at * 100 + (this.requests % 100));
  }
}

function pagedTags(scanRateMs: number): RegisterTag[] {
  return PAGES.flatMap((value) =>
    [0, 1].map((address) =>
      registerTag(
        "d",
        `p${value}-${address}`,
        { table: "holdingRegister", address },
        { scanRateMs, writeFirst: { address: PAGE_AT, value } },
      ),
    ),
  );
}

test("reads behind different writes are never one, nor with what needs none", () => {
  const reads = planReads(deviceConfig("d", 1, [...pagedTags(1_000), ...registers("d", 2, 2)]), 8);
  assert.deepEqual(
    reads.map(({ writeFirst, address, quantity }) => [writeFirst?.value, address, quantity]),
    [
      [3, 0, 2],
      [4, 0, 2],
      [7, 0, 2],
      [undefined, 2, 2],
    ],
  );
});

test("each read stands right behind its write", async () => {
  const device = new PagedDevice(() => ({}));
  const tags = [...pagedTags(1_000), ...registers("d", 200, 1, { scanRateMs: 100 })];
  const { clock, line, sink, end } = modbusRig([device], [deviceConfig("d", 1, tags, { maxGap: 0 })]);
  let page: number | undefined;
  let paged = 0;
  line.onWritten = (frame) => {
    const [, functionCode, high = 0, low = 0, , value] = frame;
    if (functionCode === 6) page = value;
    else if (high === 0 && low === 0) {
      assert.equal(device.get("holdingRegister", PAGE_AT), page);
      assert.notEqual(page, undefined, "nothing was asked between the write and its read");
      paged += 1;
    } else page = undefined;
  };
  await clock.advance(10_000);
  await end();
  assert.ok(paged >= 27, `${paged} reads of pages`);
  for (const value of PAGES)
    assert.equal(Math.floor(Number(sink.latest(`d/p${value}-1`)?.value) / 100), value * 10 + 1);
});

test("a device that refuses the write refuses the tag; nothing else turns Bad for it", async () => {
  const device = new PagedDevice(() => ({}));
  device.refusals = [{ table: "holdingRegister", from: PAGE_AT, to: PAGE_AT, exceptionCode: 2 }];
  const tags = [...pagedTags(1_000), ...registers("d", 200, 1)];
  const { clock, sink, end } = modbusRig([device], [deviceConfig("d", 1, tags, { maxGap: 0 })]);
  await clock.advance(5_000);
  await end();
  assert.equal(sink.latest("d/p3-0")?.status, "BadConfigurationError");
  assert.equal(sink.latest("d/r200")?.status, "Good");
});

const fault: fc.Arbitrary<Faults> = fc.oneof(
  { weight: 4, arbitrary: fc.constant<Faults>({}) },
  fc.constant<Faults>({ silent: true }),
  fc.integer({ min: 1, max: 1_250 }).map((delayMs): Faults => ({ delayMs })),
  fc.integer({ min: 0, max: 950 }).map((duplicateAfterMs): Faults => ({ duplicateAfterMs })),
  fc.nat(100).map((flipBit): Faults => ({ flipBit })),
  fc.constant<Faults>({ echo: true }),
  fc.integer({ min: 1, max: 11 }).map((exceptionCode): Faults => ({ exceptionCode })),
);

test("P5: whatever goes wrong with writes and reads, no value of another page is Good", async () => {
  let good = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(fault, { minLength: 20, maxLength: 80 }), async (faults) => {
      let at = 0;
      const device = new PagedDevice(() => faults[at++ % faults.length] ?? {});
      const wrong: string[] = [];
      const witness = ({ tag, value, status }: Reading) => {
        if (status !== "Good") return;
        good += 1;
        const [, page, place] = /p(\d)-(\d)/.exec(tag.name) ?? [];
        const expected = Number(page) * 1_000 + Number(place) * 100 + (device.requests % 100);
        if (value !== expected) wrong.push(`${tag.id} ${value}, not ${expected}`);
      };
      const config = deviceConfig("d", 1, pagedTags(200), { lostAfter: 1_000 });
      const { clock, end } = modbusRig([device], [config], { witness });
      await clock.advance(40_000);
      await end();
      assert.deepEqual(wrong, []);
    }),
    { numRuns: 25 },
  );
  assert.ok(good > 300, `${good} good readings`);
});
