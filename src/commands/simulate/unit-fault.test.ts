import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../../core/random.ts";
import { deviceConfig, lineConfig, registerTag } from "../../testing/modbus-config.ts";
import { rtuFrame } from "../../testing/modbus-wire.ts";
import { SimulatedBus } from "../../testing/simulated-bus.ts";
import { StandIn } from "../../testing/stand-in.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { faultsOf, type UnitFault } from "./unit-fault.ts";

const TAG = registerTag("d", "t", { table: "holdingRegister", address: 0 });
const DEVICE = deviceConfig("d", 5, [TAG]);
const LINE = lineConfig("/dev/none", [DEVICE], { responseTimeoutMs: 200 });
const REQUEST = rtuFrame(5, Uint8Array.of(3, 0, 0, 0, 1));

/** What comes back to one request, and after how long. */
async function askOnce(fault: UnitFault | undefined, seed = 1) {
  const clock = new VirtualClock();
  const { device } = new StandIn(DEVICE, faultsOf(fault, LINE, DEVICE, seededRandom(seed)));
  const answers: { readonly bytes: Buffer; readonly afterMs: number }[] = [];
  const send = (bytes: Uint8Array) => {
    answers.push({ bytes: Buffer.from(bytes), afterMs: clock.monotonicMs() });
  };
  const began = clock.monotonicMs();
  new SimulatedBus({ devices: [device], clock, send }).receive(REQUEST);
  await clock.advance(5_000);
  const [first, ...more] = answers;
  assert.equal(more.length, 0);
  return first === undefined ? undefined : { bytes: first.bytes, afterMs: first.afterMs - began };
}

test("without a fault a unit answers after the silence that ends the request, and in time", async () => {
  const answer = await askOnce(undefined);
  assert.deepEqual([...(answer?.bytes.subarray(0, 3) ?? [])], [5, 3, 2]);
  assert.ok(answer !== undefined && answer.afterMs >= 2 && answer.afterMs <= 50, `${answer?.afterMs} ms`);
});

test("silent, slow, late and exception are what a gateway knows them as", async () => {
  assert.equal(await askOnce("silent"), undefined);
  const slow = await askOnce("slow");
  assert.ok(slow !== undefined && slow.afterMs > 100 && slow.afterMs < 200, `${slow?.afterMs} ms`);
  const late = await askOnce("late");
  assert.ok(late !== undefined && late.afterMs > 200 && late.afterMs < 200 + DEVICE.maxLateMs, `${late?.afterMs} ms`);
  assert.deepEqual((await askOnce("exception"))?.bytes, Buffer.from(rtuFrame(5, Uint8Array.of(0x83, 4))));
});

test("garbage is never the right frame, and not always wrong in the same way", async () => {
  const right = (await askOnce(undefined))?.bytes ?? assert.fail();
  const lengths = new Set<number>();
  for (let seed = 1; seed <= 60; seed++) {
    const { bytes } = (await askOnce("garbage", seed)) ?? assert.fail();
    assert.equal(bytes.indexOf(right), -1);
    lengths.add(bytes.length);
  }
  assert.ok(lengths.size > 3, `${lengths.size} lengths`);
});
