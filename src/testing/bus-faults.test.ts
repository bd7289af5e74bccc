/** The fault matrix of one reply, on a simulated line in virtual time and on real terminals through serialport. */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { type FaultResult, type FaultTiming, runFault } from "./bus-fault-rig.ts";
import { type BusFault, busFaults, FAULTED_READS, type FaultedRead, lateFaults } from "./bus-faults.ts";
import { simulatedRig, terminalRig } from "./line-rigs.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { passWhile } from "./virtual-wait.ts";

/** The defaults of gateway.yaml, and a reply 700 ms late. */
const FULL: FaultTiming = { responseTimeoutMs: 300, maxLateMs: 1_000, lateMs: 700 };
/** A busy machine can hold everything up for so long, and no answer is taken for a late one, nor a late one for right. */
const HELD_UP = { nextTimeoutMs: 2_000, maxLateMs: 10_000 };
/** Where each silence costs real time. */
const SHORT: FaultTiming = { ...HELD_UP, responseTimeoutMs: 20, lateMs: 40 };
/** Where an answer is expected. */
const PATIENT: FaultTiming = { ...HELD_UP, responseTimeoutMs: 2_000, lateMs: 40 };

/** Most of their time they wait. */
const TERMINALS = 6;

/** Of the bursts from one bit a real terminal sees every so many. */
const BURST_STRIDE = 17;

interface Case {
  readonly read: FaultedRead;
  readonly fault: BusFault;
}

const MATRIX: readonly Case[] = FAULTED_READS.flatMap((read) => busFaults(read).map((fault) => ({ read, fault })));
const LATE: readonly Case[] = FAULTED_READS.flatMap((read) => lateFaults(read).map((fault) => ({ read, fault })));

function describeWrong(wrong: readonly (FaultResult & Case)[]): string[] {
  return wrong.map(({ fault, read, expected, got }) => `${read.table}, ${fault.name}: ${got}, not ${expected}`);
}

/** Shares the cases out among several terminals. */
async function onTerminals(cases: readonly Case[], timingOf: (fault: BusFault) => FaultTiming): Promise<string[]> {
  const left = [...cases];
  const wrong: (FaultResult & Case)[] = [];
  const work = async () => {
    const rig = await terminalRig();
    try {
      for (let next = left.shift(); next !== undefined; next = left.shift()) {
        const result = await runFault(rig, hostClock, next.read, next.fault, timingOf(next.fault));
        if (result.got !== result.expected) wrong.push({ ...next, ...result });
      }
    } finally {
      await rig.line.close();
      await rig.end();
    }
  };
  await Promise.all(Array.from({ length: TERMINALS }, work));
  return describeWrong(wrong);
}

test("the matrix is whole", () => {
  const names = FAULTED_READS.map((read) => busFaults(read).map(({ name }) => name));
  for (const all of names) assert.equal(new Set(all).size, all.length, "no name twice");
  assert.ok(MATRIX.length > 3_000, `${MATRIX.length} faults`);
});

test("P5: every fault at every place of a reply, on a simulated line", async () => {
  const clock = new VirtualClock(undefined, 1);
  const wrong: (FaultResult & Case)[] = [];
  for (const { read, fault } of MATRIX) {
    const result = await passWhile(clock, fault.name, runFault(simulatedRig(clock), clock, read, fault, FULL));
    if (result.got !== result.expected) wrong.push({ read, fault, ...result });
  }
  assert.deepEqual(describeWrong(wrong), []);
});

describe("on real terminals", () => {
  test("P5: every fault at every place of a reply", async () => {
    const cases = MATRIX.filter(({ fault }, i) => !fault.name.startsWith("burst") || i % BURST_STRIDE === 0);
    const wrong = await onTerminals(cases, ({ expected }) => (expected === "silence" ? SHORT : PATIENT));
    assert.deepEqual(wrong, []);
  });

  test("P5: replies 700 ms late, in one piece and split, before and during the next request", async () => {
    assert.deepEqual(await onTerminals(LATE, () => ({ ...FULL, ...HELD_UP })), []);
  });
});
