import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceConfig } from "../../testing/modbus-config.ts";
import { deviceOfAddresses, modbusRig, registers } from "../../testing/modbus-rig.ts";
import type { BusRequest } from "./bus-request.ts";
import {
  COMMAND_PATIENCE_MS,
  COMMANDS_WAITING_MAX,
  type CommandOutcome,
  CommandQueue,
  takeTurn,
} from "./command-queue.ts";
import type { Job } from "./schedule.ts";

const READ: Job = { kind: "read", key: 0, attempts: 0 };
const IDLE: Job = { kind: "idle", untilMs: 900 };

function write(unitId: number, value: number): BusRequest {
  return { kind: "writeRegisters", unitId, address: 7, values: [value] };
}

test("P7: so many commands wait and no more; one too many is told so and never sent", async () => {
  const queue = new CommandQueue();
  for (let i = 0; i < COMMANDS_WAITING_MAX; i++) void queue.add(write(1, i), 0);
  const refused = await queue.add(write(1, 99), 0);
  assert.equal(refused.kind, "crowded");
  assert.equal(queue.waiting().length, COMMANDS_WAITING_MAX);
});

test("a command goes ahead of reads, then a read that is due", () => {
  const queue = new CommandQueue();
  void queue.add(write(1, 1), 0);
  const turn = (job: Job, afterCommand: boolean) => takeTurn(queue.waiting(), job, afterCommand, () => 0, 10).kind;
  assert.equal(turn(READ, false), "command");
  assert.equal(turn(READ, true), "read");
  assert.equal(turn(IDLE, true), "command");
  queue.endAll({ kind: "written", atMs: 0 });
  assert.equal(turn(READ, false), "read");
});

test("a command that must wait for an old reply holds up neither reads nor other units, only those after it to its own", () => {
  const queue = new CommandQueue();
  for (const [unitId, value] of [
    [1, 10],
    [1, 11],
    [2, 20],
  ] as const)
    void queue.add(write(unitId, value), 0);
  const isFirst = (request: BusRequest) => request.kind === "writeRegisters" && request.values[0] === 10;
  const turn = (job: Job, nowMs: number) =>
    takeTurn(queue.waiting(), job, false, (request) => (isFirst(request) ? 700 : 0), nowMs);
  const next = turn(READ, 10);
  assert.ok(next.kind === "command" && next.command.request.unitId === 2);
  queue.take(next.command);
  assert.equal(turn(READ, 10).kind, "read");
  assert.deepEqual(turn(IDLE, 10), { kind: "idle", untilMs: 700 });
  assert.equal(turn(READ, 700).kind, "command");
  assert.equal(takeTurn(queue.waiting(), READ, false, () => 1e9, COMMAND_PATIENCE_MS).kind, "command", "not for ever");
});

test("P6: a command waits at most for the transaction that runs, and reads go on between commands", async () => {
  const device = deviceOfAddresses(1);
  device.faults = { delayMs: 20 };
  const config = deviceConfig("d", 1, registers("d", 0, 50, { scanRateMs: 10 }));
  const { clock, source, sink, end } = modbusRig([device], [config]);
  await clock.advance(3_000);
  const order: string[] = [];
  device.faults = ({ functionCode }) => {
    order.push(functionCode === 16 ? "command" : "read");
    return { delayMs: 20 };
  };
  const asked = Array.from({ length: 6 }, (_, i) => source.execute(write(1, i)));
  const outcomes = Promise.all(asked);
  const before = sink.of("d/r0").length;
  await clock.advance(15_000);
  assert.deepEqual(new Set((await outcomes).map((o) => o.kind)), new Set(["written"]));
  assert.equal(device.get("holdingRegister", 7), 5, "in their order");
  const first = order.indexOf("command");
  assert.ok(first <= 1, `${first} reads went before`);
  const last = order.lastIndexOf("command");
  for (let i = first; i < last; i++)
    assert.ok(order[i] === "read" || order[i + 1] === "read", order.slice(0, last).join());
  assert.ok(sink.of("d/r0").length - before > 50);
  await end();
});

test("a command ends with its line, and is not taken while there is none", async () => {
  const device = deviceOfAddresses(1);
  const { clock, source, line, end } = modbusRig([device], [deviceConfig("d", 1, registers("d", 0, 2))]);
  await clock.advance(3_000);
  device.faults = { silent: true };
  const outcomes: CommandOutcome[] = [];
  for (let i = 0; i < 3; i++) void source.execute(write(1, i)).then((outcome) => outcomes.push(outcome));
  await clock.advance(50);
  line.unplug();
  await clock.advance(10);
  assert.deepEqual(
    outcomes.map((o) => o.kind),
    ["closed", "closed", "closed"],
  );
  assert.equal((await source.execute(write(1, 9))).kind, "closed");
  await end();
});

test("the answer to a command brings a lost device back at once", async () => {
  const device = deviceOfAddresses(1);
  device.faults = { silent: true };
  const { clock, source, sink, end } = modbusRig([device], [deviceConfig("d", 1, registers("d", 0, 2))]);
  await clock.advance(6_000);
  assert.equal(sink.latestPresence("d"), "lost");
  device.faults = {};
  const outcome = source.execute(write(1, 3));
  await clock.advance(1_500);
  assert.equal((await outcome).kind, "written");
  assert.equal(sink.latestPresence("d"), "online");
  assert.equal(sink.latest("d/r0")?.status, "Good");
  await end();
});
