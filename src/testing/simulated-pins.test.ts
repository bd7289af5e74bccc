import assert from "node:assert/strict";
import { test } from "node:test";
import { pinContract } from "./pin-contract.ts";
import { SimulatedPins } from "./simulated-pins.ts";
import { VirtualClock } from "./virtual-clock.ts";

const pin = { chip: "simulated", line: 3 };

pinContract("simulated pins", async () => {
  const clock = new VirtualClock();
  const driver = new SimulatedPins(clock, { simulated: 4 });
  return { driver, clock, pin, drive: async (level) => driver.drive(pin, level) };
});

test("a pin that is taken away tells its holder once and refuses until it is put back", async () => {
  const pins = new SimulatedPins(new VirtualClock(), { simulated: 4 });
  const reasons: string[] = [];
  const open = await pins.open(pin, { edge: () => undefined, lost: (reason) => void reasons.push(reason) });
  pins.takeAway(pin, "unplugged");
  assert.deepEqual(reasons, ["unplugged"]);
  await assert.rejects(open.read(), /unplugged/);
  await assert.rejects(pins.open(pin, { edge: () => undefined, lost: () => undefined }), /unplugged/);
  await open.close();
  pins.putBack(pin);
  await pins.open(pin, { edge: () => undefined, lost: () => undefined });
  assert.equal(pins.holders(pin), 1);
});
