import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../../core/log.ts";
import { seededRandom } from "../../core/random.ts";
import type { WriteOutcome } from "../../core/remote-write.ts";
import type { Value } from "../../core/tag.ts";
import { deviceConfig, lineConfig, registerTag } from "../../testing/modbus-config.ts";
import { ModbusDevice } from "../../testing/modbus-device.ts";
import { SimulatedLine } from "../../testing/simulated-line.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import type { BusRequest } from "./bus-request.ts";
import type { CommandOutcome } from "./command-queue.ts";
import { createModbusSource } from "./modbus-source.ts";
import { createTagWriter } from "./tag-writer.ts";

const WRITTEN: CommandOutcome = { kind: "written", atMs: 0 };
const REFUSED = (exceptionCode: number, certain = true): CommandOutcome => ({
  kind: "exception",
  exceptionCode,
  certain,
  atMs: 0,
});
const SILENT: CommandOutcome = { kind: "silence", cause: "timeout", atMs: 0 };
const data = (...bytes: number[]): CommandOutcome => ({ kind: "data", data: Uint8Array.from(bytes), atMs: 0 });

/** Writes on a line that answers so, one after the other; gives what was asked. */
async function write(tag: string, value: Value, ...answers: CommandOutcome[]) {
  const asked: BusRequest["kind"][] = [];
  const told: string[] = [];
  const tags = [
    registerTag("d", "word", { table: "holdingRegister", address: 7 }),
    registerTag("d", "coil", { table: "coil", address: 3 }),
  ];
  const source = {
    async execute(request: BusRequest) {
      asked.push(request.kind);
      const [next = SILENT] = answers.splice(0, 1);
      return next;
    },
    isClear: () => true,
  };
  const writer = createTagWriter(() => [{ config: lineConfig("/dev/line", [deviceConfig("d", 1, tags)]), source }]);
  const outcome: WriteOutcome = await writer.write(`d/${tag}`, value, () => told.push("written"));
  return { asked, told, kind: outcome.kind, reason: outcome.kind === "confirmed" ? "" : outcome.reason };
}

test("P10: confirmed is said of what was read back, and of nothing else", async () => {
  assert.deepEqual(await write("word", 258, WRITTEN, data(1, 2)), {
    asked: ["writeRegister", "read"],
    told: ["written"],
    kind: "confirmed",
    reason: "",
  });
  assert.equal((await write("coil", true, WRITTEN, data(1))).kind, "confirmed");
  const other = await write("word", 258, WRITTEN, data(1, 3));
  assert.deepEqual([other.kind, other.reason], ["unconfirmed", "the device holds 259 then"]);
  assert.equal((await write("coil", true, WRITTEN, data(0))).reason, "the device holds false then");
  const hidden = await write("word", 258, WRITTEN, REFUSED(2), REFUSED(2));
  assert.deepEqual([hidden.kind, hidden.told], ["unconfirmed", ["written"]]);
  assert.match(hidden.reason, /cannot be read back: the device refuses with exception 2/);
  assert.deepEqual((await write("word", 258, WRITTEN, SILENT, data(1, 2))).asked, ["writeRegister", "read", "read"]);
  const late = await write("word", 258, WRITTEN, REFUSED(2), SILENT, data(1, 2, 9, 9));
  assert.deepEqual([late.kind, late.asked.length], ["confirmed", 4]);
});

test("what was not acknowledged may have been written all the same, where that is so", async () => {
  for (const [answer, reason] of [
    [SILENT, /may have been written all the same/],
    [REFUSED(4), /^the device refuses with exception 4$/],
    [REFUSED(2, false), /may have been written all the same/],
    [{ kind: "closed", reason: "lent to a tool", atMs: 0 }, /^lent to a tool; it may have been written/],
    [{ kind: "crowded", reason: "16 commands wait" }, /^16 commands wait$/],
  ] as const) {
    const { kind, reason: told, asked, told: written } = await write("word", 1, answer);
    assert.deepEqual([kind, asked.length, written], ["failed", 1, []]);
    assert.match(told, reason);
  }
});

test("a device that knows only the functions for several is asked by these", async () => {
  assert.deepEqual((await write("word", 1, REFUSED(1), WRITTEN, data(0, 1))).asked, [
    "writeRegister",
    "writeRegisters",
    "read",
  ]);
  assert.deepEqual((await write("coil", true, REFUSED(1), WRITTEN, data(1))).asked, [
    "writeCoil",
    "writeCoils",
    "read",
  ]);
});

/** Each look at it is a little later than the last, as on a real machine. */
class TickingClock extends VirtualClock {
  #ticks = 0;

  override monotonicMs(): number {
    this.#ticks += 1e-4;
    return super.monotonicMs() + this.#ticks;
  }
}

test("a write and its read-back wait for no poll: they are over within three turns of the line", async () => {
  const clock = new TickingClock();
  const device = new ModbusDevice(1);
  const tags = [
    registerTag("d", "word", { table: "holdingRegister", address: 0 }, { scanRateMs: 200 }),
    registerTag("d", "wide", { table: "holdingRegister", address: 2, type: "float32" }, { scanRateMs: 200 }),
    registerTag("d", "coil", { table: "coil", address: 0 }, { scanRateMs: 200 }),
  ];
  const config = lineConfig("/dev/line", [deviceConfig("d", 1, tags)]);
  const source = createModbusSource({
    line: config,
    sink: { read: () => undefined, presence: () => undefined },
    clock,
    random: seededRandom(1),
    log: silentLog,
    openLine: () => new SimulatedLine({ clock, devices: [device] }),
  });
  source.start();
  await clock.advance(5_000);
  const writer = createTagWriter(() => [{ config, source }]);
  for (const [id, value] of [
    ["d/word", 7],
    ["d/wide", 1.5],
    ["d/coil", true],
    ["d/word", 8],
  ] as const) {
    let outcome: string | undefined;
    void writer
      .write(id, value, () => undefined)
      .then(({ kind }) => {
        outcome = kind;
      });
    await clock.advance(300);
    assert.equal(outcome, "confirmed", id);
  }
  // Of a device that has nothing beside, it is read alone.
  device.refusals = [{ table: "holdingRegister", from: 1, to: 1, exceptionCode: 2 }];
  const alone = writer.write("d/word", 9, () => undefined);
  await clock.advance(5_000);
  assert.equal((await alone).kind, "confirmed");
  const stopping = source.stop();
  await clock.advance(1_000);
  await stopping;
  assert.equal((await writer.write("d/word", 9, () => undefined)).kind, "failed", "also of a line that is stopped");
});
