/** What every PinDriver must do, run on the simulated pins and, where the machine has such a chip, on real ones. */
import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Clock } from "../core/clock.ts";
import type { PinAddress, PinDriver, PinEvents } from "../sources/gpio/pin-driver.ts";
import { Condition } from "./condition.ts";

/** Longer than any driver may take to tell of an edge. */
const EDGE_LIMIT_MS = 10_000;

export interface PinRig {
  readonly driver: PinDriver;
  readonly clock: Clock;
  /** A pin that `drive` puts at a level. */
  readonly pin: PinAddress;
  readonly drive: (level: boolean) => Promise<void>;
  /** Takes its chip away, or puts it back; or the reason in words why this rig cannot. */
  readonly plug: ((there: boolean) => Promise<void>) | string;
}

/** @param rigOf the rig for one test, or the reason in words why this machine cannot have it */
export function pinContract(name: string, rigOf: (t: TestContext) => Promise<PinRig | string>): void {
  const promise = (words: string, prove: (rig: PinRig) => Promise<void>) =>
    test(`${name}: ${words}`, async (t) => {
      const rig = await rigOf(t);
      if (typeof rig === "string") t.skip(rig);
      else await prove(rig);
    });

  promise("reads the level at which the pin is", async ({ driver, pin, drive }) => {
    await drive(true);
    const open = await driver.open(pin, ignored);
    assert.equal(await open.read(), true);
    await drive(false);
    assert.equal(await open.read(), false);
    await open.close();
  });

  promise("tells every edge in order, with the level after it and the time at which it came", async (rig) => {
    const heard = edgeLog(rig.clock);
    await rig.drive(false);
    const open = await rig.driver.open(rig.pin, heard);
    for (const level of [true, false, true]) {
      const beforeMs = rig.clock.monotonicMs();
      await rig.drive(level);
      const edge = await heard.next();
      assert.equal(edge.level, level);
      assert.ok(edge.monotonicMs >= beforeMs && edge.monotonicMs <= rig.clock.monotonicMs());
    }
    await open.close();
  });

  promise("the level found when opening is no edge", async ({ driver, pin, drive, clock }) => {
    const heard = edgeLog(clock);
    await drive(true);
    const open = await driver.open(pin, heard);
    await drive(false);
    assert.equal((await heard.next()).level, false);
    await open.close();
  });

  promise("tells nothing after close, closes twice without a word, and opens again", async (rig) => {
    const closed = edgeLog(rig.clock);
    const heard = edgeLog(rig.clock);
    await rig.drive(false);
    const first = await rig.driver.open(rig.pin, closed);
    await first.close();
    await first.close();
    const second = await rig.driver.open(rig.pin, heard);
    await rig.drive(true);
    assert.equal((await heard.next()).level, true);
    assert.equal(closed.count(), 0);
    await second.close();
  });

  promise("refuses a chip or a line that is not there, naming it", async ({ driver, pin }) => {
    await assert.rejects(driver.open({ chip: "no-such-chip", line: 0 }, ignored), /no-such-chip/);
    await assert.rejects(driver.open({ chip: pin.chip, line: 100_000 }, ignored), new RegExp(pin.chip));
  });

  takenAway(name, rigOf);
}

function takenAway(name: string, rigOf: (t: TestContext) => Promise<PinRig | string>): void {
  test(`${name}: a pin that is taken away tells its holder once and refuses until it is put back`, async (t) => {
    const rig = await rigOf(t);
    if (typeof rig === "string") return t.skip(rig);
    const { driver, pin, plug, clock } = rig;
    if (typeof plug === "string") return t.skip(plug);
    const reasons: string[] = [];
    const told = new Condition(clock);
    const lost = (reason: string) => {
      reasons.push(reason);
      told.changed();
    };
    const open = await driver.open(pin, { edge: () => undefined, lost });
    await plug(false);
    await told.until("the loss is told", () => reasons.length > 0);
    await assert.rejects(open.read());
    await assert.rejects(driver.open(pin, ignored), (thrown) => thrown instanceof Error && thrown.message !== "");
    await open.close();
    await plug(true);
    const again = await driver.open(pin, ignored);
    await again.close();
    assert.equal(reasons.length, 1);
    assert.notEqual(reasons[0], "");
  });
}

const ignored: PinEvents = { edge: () => undefined, lost: () => undefined };

interface Edge {
  readonly level: boolean;
  readonly monotonicMs: number;
}

/** Hears edges, and hands them out one by one as they come. */
function edgeLog(clock: Clock) {
  const edges: Edge[] = [];
  let count = 0;
  let wake: () => void = () => undefined;
  return {
    edge(level: boolean, monotonicMs: number) {
      edges.push({ level, monotonicMs });
      count += 1;
      wake();
    },
    lost: (reason: string) => assert.fail(`lost: ${reason}`),
    count: () => count,
    async next(): Promise<Edge> {
      if (edges.length === 0) {
        await new Promise<void>((resolve) => {
          const limit = clock.after(EDGE_LIMIT_MS, resolve);
          wake = () => {
            limit.cancel();
            resolve();
          };
        });
      }
      const edge = edges.shift();
      assert.ok(edge !== undefined, "no edge was told");
      return edge;
    },
  };
}
