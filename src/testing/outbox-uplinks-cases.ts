/** What every outbox must do as uplinks are added, renamed and removed: a part of the outbox contract. */
import assert from "node:assert/strict";
import type { ConfiguredUplink } from "../pipeline.ts";
import { acknowledgeAll, readAll, type StoreCase, tagRef } from "./store-rig.ts";

/** All that is configured where another uplink was removed. */
const A: ConfiguredUplink = { name: "a", startAt: "now" };

export const OUTBOX_UPLINKS_CASES: Record<string, StoreCase> = {
  "a removed uplink is parked: what it had waits for it, nothing new does": async (rig) => {
    await rig.open();
    rig.queue("a");
    rig.queue("b");
    rig.append(3);
    await rig.close();
    await rig.open({}, { uplinks: [A] });
    assert.match(rig.logged.join("\n"), /3 samples wait for b, which gateway\.yaml names no more/);
    acknowledgeAll(rig.queue("a"));
    rig.append(4);
    await rig.close();
    await rig.open();
    const b = rig.queue("b");
    rig.append(1);
    assert.deepEqual(
      (await readAll(b)).map(({ number }) => number),
      [1, 2, 3, 8],
    );
  },

  "P4: a configured uplink waits for what is taken in before anybody asks for its queue": async (rig) => {
    await rig.open();
    rig.queue("a");
    rig.append(3);
    await rig.close();
    await rig.open({}, { uplinks: [A, { name: "new", startAt: "oldest" }] });
    rig.append(4);
    assert.equal((await readAll(rig.queue("a"))).length, 7);
    assert.equal((await readAll(rig.queue("new"))).length, 7);
  },

  "P8: uplinks are added, renamed and removed while it runs, as over a restart": async (rig) => {
    await rig.open();
    const a = rig.queue("a");
    const b = rig.queue("b");
    rig.append(2);
    acknowledgeAll(b);
    const tags = [tagRef("pump-1/speed")];
    rig.store.outbox.reconfigure([A, { name: "c", startAt: "oldest" }, { name: "d", startAt: "now" }], tags);
    const after = rig.append(3);
    const waiting = async (name: string) => (await readAll(rig.store.outbox.uplink(name, "now"))).length;
    assert.equal(a.depth(), 5, "the same goes on");
    assert.equal(b.depth(), 0, "a removed one waits for nothing new");
    assert.deepEqual([await waiting("c"), await waiting("d")], [5, 3]);
    rig.store.outbox.reconfigure([A, { name: "b", startAt: "now" }], tags);
    rig.append(1);
    assert.deepEqual((await readAll(b)).length, 1, "back again, without what came meanwhile");
    await rig.untilCommitted(after.length + 3);
    rig.cutPower();
    await rig.open({}, { uplinks: [A, { name: "b", startAt: "now" }] });
    assert.equal(
      (await readAll(rig.store.outbox.uplink("c", "now"))).length,
      5,
      "what was parked waits for its return",
    );
  },

  "P8: only what was removed can be forgotten": async (rig) => {
    await rig.open();
    rig.queue("a");
    rig.queue("b");
    rig.append(2);
    rig.store.outbox.reconfigure([A], [tagRef("pump-1/speed")]);
    assert.ok("refused" in (await rig.store.outbox.forget("a")));
    assert.ok("refused" in (await rig.store.outbox.forget("nobody")));
    assert.deepEqual(await rig.store.outbox.forget("b"), { samples: 2 });
    rig.cutPower();
    await rig.open({}, { uplinks: [A] });
    assert.equal(rig.store.outbox.uplink("b", "now").depth(), 0);
  },

  "a parked uplink is forgotten after maxAge": async (rig) => {
    const config = { maxAgeMs: 60_000 };
    await rig.open(config);
    rig.queue("a");
    rig.queue("gone");
    rig.append(3);
    await rig.close();
    await rig.open(config, { uplinks: [A] });
    const a = rig.queue("a");
    rig.append(1);
    await rig.clock.advance(120_000);
    acknowledgeAll(a);
    rig.append(1);
    await rig.untilCommitted(5);
    assert.equal(rig.store.outbox.report().released, 5);
  },
};
