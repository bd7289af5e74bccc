import { hostClock } from "../core/clock.ts";
import { lineContract } from "./line-contract.ts";
import { simulatedLine } from "./simulated-line.ts";

lineContract("simulated line", async () => {
  const line = simulatedLine({
    clock: hostClock,
    devices: [],
    serial: { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 1 },
  });
  return {
    line,
    hear: (listener) => {
      line.onWritten = listener;
    },
    arrive: (bytes) => line.arrive(bytes),
    unplug: async () => line.unplug(),
    plugIn: async () => line.plugIn(),
    end: async () => undefined,
  };
});
