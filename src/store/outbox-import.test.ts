import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { acknowledgeAll, plain, readAll, StoreRig, tagRef } from "../testing/store-rig.ts";
import { OutboxFile } from "./outbox-file.ts";
import { type Imported, importOutbox } from "./outbox-import.ts";

const IN_PROCESS = { name: "in-process", worker: "in-process" } as const;

/** A gateway that died with something in its outbox. */
async function deadGateway(t: TestContext): Promise<StoreRig> {
  const rig = new StoreRig(t, IN_PROCESS);
  await rig.open();
  rig.queue("cloud");
  rig.queue("dmz");
  return rig;
}

function takeOver(from: StoreRig, to: StoreRig): Imported {
  const source = new OutboxFile(join(from.dir, "outbox.db"));
  try {
    return importOutbox(source, join(to.dir, "outbox.db"), to.clock.wallMs());
  } finally {
    source.close();
  }
}

test("P4: a new gateway takes over what the dead one's brokers had not acknowledged, each uplink its own", async (t) => {
  const dead = await deadGateway(t);
  const first = dead.append(4);
  const second = [...dead.append(3, tagRef("pump-1/fault", "high")), ...dead.append(2)];
  dead.queue("dmz").acknowledge({ from: 1, to: 4 });
  await dead.untilCommitted(9);
  dead.cutPower();

  const heir = new StoreRig(t, IN_PROCESS, dead.clock);
  const { samples, waiting } = takeOver(dead, heir);
  assert.equal(samples, 9);
  assert.deepEqual(Object.fromEntries(waiting), { cloud: 9, dmz: 5 });

  await heir.open(
    {},
    {
      uplinks: [
        { name: "cloud", startAt: "now" },
        { name: "dmz", startAt: "now" },
      ],
    },
  );
  const cloud = await readAll(heir.queue("cloud"));
  const dmz = await readAll(heir.queue("dmz"));
  assert.deepEqual(cloud.map(plain), [...first, ...second]);
  assert.deepEqual(dmz.map(plain), second);
});

test("P8: a backlog for which there is no room beside the reserve is refused before anything of it is written", async (t) => {
  const dead = await deadGateway(t);
  dead.append(5);
  await dead.untilCommitted(5);
  dead.cutPower();
  const heir = new StoreRig(t, IN_PROCESS, dead.clock);
  const path = join(heir.dir, "outbox.db");
  const source = new OutboxFile(join(dead.dir, "outbox.db"));
  assert.throws(() => importOutbox(source, path, dead.clock.wallMs(), Number.MAX_SAFE_INTEGER), /room for 0 MB beside/);
  source.close();
  const untouched = new OutboxFile(path);
  assert.equal(untouched.summary().samples, 0);
  untouched.close();
});

test("P4: what the heir owed itself stays owed, and its other uplinks get nothing of the dead one's", async (t) => {
  const dead = await deadGateway(t);
  const left = dead.append(5);
  await dead.untilCommitted(5);
  dead.cutPower();

  const heir = new StoreRig(t, IN_PROCESS, dead.clock);
  await heir.open();
  heir.queue("cloud");
  heir.queue("local");
  const own = heir.append(3);
  await heir.close();
  takeOver(dead, heir);

  await heir.open();
  const after = heir.append(1);
  assert.deepEqual((await readAll(heir.queue("cloud"))).map(plain), [...own, ...left, ...after]);
  assert.deepEqual((await readAll(heir.queue("local"))).map(plain), [...own, ...after]);
});

test("P4: what the dead gateway may have lost in its last moments is told by the heir", async (t) => {
  const dead = await deadGateway(t);
  dead.append(2);
  await dead.untilCommitted(2);
  dead.cutPower();
  const heir = new StoreRig(t, IN_PROCESS, dead.clock);
  takeOver(dead, heir);
  await heir.open({}, { uplinks: [{ name: "cloud", startAt: "now" }] });
  const [loss] = heir.queue("cloud").losses();
  assert.equal(loss?.reason, "unclean stop");
  assert.deepEqual(
    loss?.tags.map(({ tag }) => tag.id),
    ["pump-1/speed"],
  );
});

test("P9: epochs of the heir go on above those it took over", async (t) => {
  const dead = await deadGateway(t);
  for (let i = 0; i < 40; i++) dead.store.state.raiseEpoch();
  dead.append(1);
  await dead.untilCommitted(1);
  const epoch = dead.store.state.epoch();
  dead.cutPower();
  const heir = new StoreRig(t, IN_PROCESS, dead.clock);
  takeOver(dead, heir);
  await heir.open();
  assert.ok(heir.store.state.epoch() > epoch);
});

test("P4: taken over twice, samples are twice the same", async (t) => {
  const dead = await deadGateway(t);
  const left = dead.append(3);
  await dead.untilCommitted(3);
  dead.cutPower();
  const heir = new StoreRig(t, IN_PROCESS, dead.clock);
  takeOver(dead, heir);
  takeOver(dead, heir);
  await heir.open({}, { uplinks: [{ name: "cloud", startAt: "now" }] });
  const queue = heir.queue("cloud");
  assert.deepEqual((await readAll(queue)).map(plain), [...left, ...left]);
  acknowledgeAll(queue);
  assert.equal(queue.depth(), 0);
});
