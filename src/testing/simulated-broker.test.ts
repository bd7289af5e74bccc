import { SimulatedBroker } from "./simulated-broker.ts";
import { type ContractBroker, transportContract } from "./transport-contract.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { passUntil, passWhile } from "./virtual-wait.ts";

const DENIED = "plant/denied";

function simulated(latencyMs: number): Promise<ContractBroker> {
  const clock = new VirtualClock();
  const broker = new SimulatedBroker({ clock, deniedTopics: [DENIED], latencyMs, limits: { maxPacketBytes: 100_000 } });
  return Promise.resolve({
    transport: broker,
    server: "mqtts://broker",
    limits: { maxPacketBytes: 100_000, maxQos: 2, retainAvailable: true, tellsReasons: true },
    deniedTopic: DENIED,
    tellsTakeover: true,
    received: () => broker.received,
    settled: (promise, what) => passWhile(clock, what, promise),
    until: (holds, what) => passUntil(clock, what, holds),
    freeze: () => broker.freeze(),
    async stop() {
      broker.refuse("nothing listens there");
      broker.drop();
    },
    close: () => Promise.resolve(),
  });
}

transportContract("simulated broker", () => simulated(0));
transportContract("simulated broker behind a long line", () => simulated(300));
