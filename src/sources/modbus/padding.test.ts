import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceConfig, registerTag } from "../../testing/modbus-config.ts";
import { exceptionPdu, ModbusDevice } from "../../testing/modbus-device.ts";
import { modbusRig } from "../../testing/modbus-rig.ts";
import { word } from "../../testing/modbus-wire.ts";
import { type Padding, paddingRefused, paddingWorked } from "./padding.ts";

const UNTRIED: Padding = { steps: 4, provenSteps: 0, doubted: false, stride: 1 };

test("a refusal of one step leaves pairs to be tried; another one ends the trying", () => {
  const pairs = paddingRefused(UNTRIED, 1);
  assert.deepEqual(pairs, { ...UNTRIED, stride: 2 });
  assert.deepEqual(paddingWorked(pairs, 2), { ...pairs, provenSteps: 2 });
  assert.deepEqual(paddingRefused(pairs, 2), { ...pairs, steps: 0 });
  assert.deepEqual(paddingRefused(paddingWorked(pairs, 2), 4), { ...pairs, steps: 2, provenSteps: 2 });
  assert.deepEqual(paddingRefused({ ...UNTRIED, steps: 1 }, 1).steps, 0, "there is no pair to be had");
});

test("what is known of single steps is kept where a further one is refused", () => {
  const known = { ...UNTRIED, provenSteps: 2 };
  assert.deepEqual(paddingRefused(known, 3), { ...known, steps: 2 });
});

/** As energy meters of Eastron and Siemens do: no request may end within a value. */
class PairsOnly extends ModbusDevice {
  refused = 0;

  override answer(pdu: Uint8Array): Uint8Array {
    if (word(pdu, 3) % 2 === 0) return super.answer(pdu);
    this.refused++;
    return exceptionPdu(pdu[0] ?? 0, 2);
  }
}

test("P5 P6: a meter of pairs of registers that loses every tenth reply keeps its rhythm", async () => {
  const meter = new PairsOnly(1);
  meter.faults = () => (meter.requests % 10 === 5 ? { silent: true } : {});
  const tags = Array.from({ length: 6 }, (_, i) =>
    registerTag("meter", `t${i}`, { table: "inputRegister", address: i * 2, type: "float32" }),
  );
  const { clock, sink, source, end } = modbusRig([meter], [deviceConfig("meter", 1, tags)]);
  await clock.advance(60_000);
  await end();
  assert.deepEqual(
    sink.readings.filter(({ status }) => status !== "Good"),
    [],
  );
  assert.ok(meter.refused <= 2, `${meter.refused} requests were refused`);
  assert.ok(source.report().missedPeriods <= 2, `${source.report().missedPeriods} periods were missed`);
});
