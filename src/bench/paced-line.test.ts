import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { hostClock, reach } from "../core/clock.ts";
import type { SerialLine } from "../sources/modbus/serial-line.ts";
import { serialportLine } from "../sources/modbus/serialport-line.ts";
import { silentIntervalMs, transferMaxMs } from "../sources/modbus/wire-time.ts";
import { Condition } from "../testing/condition.ts";
import { rtuFrame } from "../testing/modbus-wire.ts";
import { compilePrograms, openPacedLine, type PacedLine, type Programs } from "./paced-line.ts";
import { countingValue, parseServed } from "./peers/tally.ts";

const SERIAL = { baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 } as const;
const REGISTERS = 5;
const TURNAROUND_MS = 1;
const LATE_MS = 60;
const REPLY_BYTES = 5 + 2 * REGISTERS;

let programs: Programs;
before(async () => {
  programs = await compilePrograms();
});
after(() => programs.remove());

interface Rig {
  readonly wire: PacedLine;
  /** What came, the last reply last. */
  readonly replies: Uint8Array[];
  /** Reads from these units, not waiting between; resolves with the time from the first request to the last reply's end. */
  ask(...unitIds: readonly number[]): Promise<number>;
  end(): Promise<void>;
}

async function rig(): Promise<Rig> {
  const wire = await openPacedLine(programs.pacedLine, { baudRate: 19_200, devices: 2, registers: REGISTERS, held: 9 });
  const line: SerialLine = serialportLine({ path: wire.path, serial: SERIAL, rs485: "none" });
  const arrived = new Condition(hostClock);
  const replies: Uint8Array[] = [];
  let bytes = 0;
  line.onData = (chunk) => {
    replies.push(chunk);
    bytes += chunk.length;
    arrived.changed();
  };
  await line.open();
  return {
    wire,
    replies,
    async ask(...unitIds) {
      bytes = 0;
      replies.length = 0;
      const askedAtMs = hostClock.monotonicMs();
      // In one piece: between two writes a busy machine may well keep t3.5 unasked.
      const requests = unitIds.map((unitId) => rtuFrame(unitId, Uint8Array.of(3, 0, 0, 0, REGISTERS)));
      await line.write(Buffer.concat(requests));
      await arrived.until("the replies are there", () => bytes === unitIds.length * REPLY_BYTES);
      return hostClock.monotonicMs() - askedAtMs;
    },
    async end() {
      await line.close();
      await wire.close();
    },
  };
}

test("a reply on the paced line is there when the wire has brought it, not before", async () => {
  const { ask, end } = await rig();
  try {
    const wireMs = transferMaxMs(SERIAL, 8 + REPLY_BYTES) + silentIntervalMs(SERIAL) + TURNAROUND_MS;
    for (const unitId of [1, 2, 1]) assert.ok((await ask(unitId)) >= wireMs);
  } finally {
    await end();
  }
});

test("the paced line sees who does not keep t3.5, and counts the time of the wire", async () => {
  const { wire, ask, end } = await rig();
  try {
    wire.begin();
    await ask(1, 2);
    await reach(hostClock, hostClock.monotonicMs() + 2 * silentIntervalMs(SERIAL));
    await ask(1);
    const count = await wire.end();
    assert.equal(count.requests, 2);
    assert.equal(count.violations, 1);
    const cycleMs = transferMaxMs(SERIAL, 8 + REPLY_BYTES) + 2 * silentIntervalMs(SERIAL) + TURNAROUND_MS;
    assert.ok(Math.abs(count.idealMs - 2 * cycleMs) < 0.01, `${count.idealMs} ms of ${2 * cycleMs}`);
  } finally {
    await end();
  }
});

test("a counting line tells in each register where and when it was read, and in a file what it told", async () => {
  const { wire, replies, ask, end } = await rig();
  const folder = await mkdtemp(join(tmpdir(), "sallyport-counting-"));
  try {
    const file = join(folder, "served");
    wire.count(file);
    // Commands and requests come by two ways: a line that answers a command has obeyed those before.
    wire.begin();
    await wire.end();
    const beforeMs = hostClock.monotonicMs();
    await ask(2);
    await ask(2);
    const [unit, , , high = 0, low = 0] = Buffer.concat(replies);
    assert.deepEqual([unit, (high << 8) | low], [2, countingValue({ line: 1, unit: 2, register: 0 }, 2)]);
    const served = parseServed(1, await readFile(file, "utf8"));
    assert.deepEqual(
      served.map(({ atMs, unit, register, quantity }) => [unit, register, quantity, atMs >= beforeMs]),
      Array.from({ length: 2 }, () => [2, 0, REGISTERS, true]),
    );
  } finally {
    await end();
    await rm(folder, { recursive: true });
  }
});

test("a slow unit answers late, then at once, and others are not held up", async () => {
  const { wire, replies, ask, end } = await rig();
  try {
    wire.late(2, 2, LATE_MS);
    wire.begin();
    await wire.end();
    await ask(2);
    assert.ok((await ask(2)) >= LATE_MS);
    await ask(2);
    await ask(2, 1);
    assert.equal(replies[0]?.[0], 1);
  } finally {
    await end();
  }
});
