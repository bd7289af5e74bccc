import { pinContract } from "./pin-contract.ts";
import { SimulatedPins } from "./simulated-pins.ts";
import { VirtualClock } from "./virtual-clock.ts";

const pin = { chip: "simulated", line: 3 };

pinContract("simulated pins", async () => {
  const clock = new VirtualClock();
  const driver = new SimulatedPins(clock, { simulated: 4 });
  return {
    driver,
    clock,
    pin,
    drive: async (level) => driver.drive(pin, level),
    plug: async (there) => (there ? driver.putBack(pin) : driver.takeAway(pin, "unplugged")),
  };
});
