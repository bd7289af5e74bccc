import type { Sample } from "../pipeline.ts";
import { MemoryQueue } from "./memory-queue.ts";
import { MemoryState } from "./memory-state.ts";
import { queueContract } from "./queue-contract.ts";
import { StoreRig, tagRef } from "./store-rig.ts";
import { VirtualClock } from "./virtual-clock.ts";

queueContract("queue of the outbox", async (t) => {
  const rig = new StoreRig(t, { name: "in-process", worker: "in-process" });
  const { state } = await rig.open();
  return { queue: rig.queue(), state, append: (count) => rig.append(count) };
});

queueContract("queue in memory", async () => {
  const clock = new VirtualClock();
  const queue = new MemoryQueue(clock);
  let stampMs = clock.wallMs();
  const append = (count: number) => {
    const tag = tagRef("pump-1/speed");
    const samples = Array.from({ length: count }, (): Sample => {
      stampMs += 1;
      return { tag, value: stampMs, status: "Good", sourceTimestampMs: stampMs, epoch: 1 };
    });
    queue.append(samples);
    return samples;
  };
  return { queue, state: new MemoryState(), append };
});
