import assert from "node:assert/strict";
import { test } from "node:test";
import { registerTag } from "./modbus-config.ts";
import { RecordingSink } from "./recording-sink.ts";
import { VirtualClock } from "./virtual-clock.ts";

const SPEED = registerTag("pump-1", "speed", { table: "holdingRegister", address: 0 });

test("a recording sink keeps the order and shows the latest", () => {
  const sink = new RecordingSink(new VirtualClock());
  sink.read([{ tag: SPEED, value: 1, status: "Good" }], 10);
  sink.presence("pump-1", "lost", 20);
  sink.read([{ tag: SPEED, value: undefined, status: "BadNoCommunication" }], 20);
  assert.deepEqual(
    sink.of(SPEED.id).map((r) => [r.value, r.status, r.monotonicMs]),
    [
      [1, "Good", 10],
      [undefined, "BadNoCommunication", 20],
    ],
  );
  assert.equal(sink.latest(SPEED.id)?.status, "BadNoCommunication");
  assert.equal(sink.latestPresence("pump-1"), "lost");
  assert.equal(sink.latestPresence("pump-2"), undefined);
});

test("waiting ends when what is awaited comes, and in vain after the limit, with what came in its place", async () => {
  const clock = new VirtualClock();
  const sink = new RecordingSink(clock);
  const met = sink.until("the speed is known", (s) => s.latest(SPEED.id) !== undefined, 100);
  sink.read([{ tag: SPEED, value: 7, status: "Good" }], 1);
  await met;
  const vain = assert.rejects(
    sink.until("the pump is lost", (s) => s.latestPresence("pump-1") === "lost", 100),
    /100 ms in vain until the pump is lost \(last: pump-1\/speed=7 Good\)/,
  );
  await clock.advance(100);
  await vain;
  assert.equal(clock.pendingTimers(), 0);
});
