/** What state.db must do: part of the contract of outbox-contract.ts. */
import assert from "node:assert/strict";
import { readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type BlockStore, StorageFailure } from "../store/block-store.ts";
import type { StateFile, Storage } from "../store/storage-client.ts";
import { acknowledgeAll, type StoreCase } from "./store-rig.ts";

export const STATE_CASES: Record<string, StoreCase> = {
  "epochs and sessions only ever rise, over power cuts and with either file lost": async (rig) => {
    const lose = (file: string) => () => {
      for (const name of readdirSync(rig.dir)) if (name.startsWith(file)) rmSync(join(rig.dir, name));
    };
    const spoil = () => writeFileSync(join(rig.dir, "state.db"), "not a database ".repeat(500));
    let [epoch, session] = [Math.floor(rig.clock.wallMs() / 1_000), Math.floor(rig.clock.wallMs() / 1_000)];
    const rises = async () => {
      for (let i = 0; i < 40; i++) {
        const next = i === 0 ? rig.store.state.epoch() : rig.store.state.raiseEpoch();
        assert.ok(next > epoch, `epoch ${next} after ${epoch}`);
        assert.equal(rig.store.state.epoch(), next);
        epoch = next;
        // So many steps at once would outrun a card; a second lies between two.
        await rig.until(() => true);
        const given = await rig.store.state.nextSession("cloud");
        assert.ok(given > session, `session ${given} after ${session}`);
        session = given;
      }
    };
    for (const accident of [() => undefined, lose("state.db"), lose("outbox.db"), spoil, () => undefined]) {
      await rig.open();
      await rises();
      rig.cutPower();
      accident();
    }
    await rig.open();
    assert.ok(readdirSync(rig.dir).length > 0);
    await rises();
  },

  "sessions asked for at once are all different": async (rig) => {
    await rig.open();
    const given = await Promise.all(Array.from({ length: 40 }, () => rig.store.state.nextSession("cloud")));
    assert.equal(new Set(given).size, 40);
  },

  "bdSeq counts every CONNECT, over power cuts and with either file lost, and wraps after 255": async (rig) => {
    let expected = 0;
    for (const lost of ["", "state.db", "outbox.db", ""]) {
      await rig.open();
      for (let i = 0; i < 100; i++) assert.equal(await rig.store.state.nextBdSeq("cloud"), expected++ % 256);
      rig.cutPower();
      for (const name of readdirSync(rig.dir)) if (lost !== "" && name.startsWith(lost)) rmSync(join(rig.dir, name));
    }
    await rig.open();
    assert.equal(await rig.store.state.nextBdSeq("cloud"), expected % 256);
    assert.equal(await rig.store.state.nextBdSeq("dmz"), 0);
  },

  "retained topics survive a power cut, each uplink's and server's apart": async (rig) => {
    await rig.open();
    const server = "mqtts://a.example.com:8883";
    await rig.store.state.setRetained("cloud", server, ["t/status", "t/tags/pump-1"]);
    await rig.store.state.setRetained("cloud", "mqtts://b", ["other"]);
    await rig.store.state.setRetained("cloud", "mqtts://b", []);
    rig.cutPower();
    await rig.open();
    assert.deepEqual(rig.store.state.retained("cloud", server), ["t/status", "t/tags/pump-1"]);
    assert.deepEqual(rig.store.state.retained("cloud", "mqtts://b"), []);
    assert.deepEqual(rig.store.state.retained("dmz", server), []);
  },

  "retained topics that the card refuses go with its next record": async (rig) => {
    const card = new RefusingCard(rig.storage());
    await rig.open({}, { worker: card.storage });
    const { state } = rig.store;
    await state.setRetained("cloud", "mqtts://a", ["one"]);
    card.refuses = true;
    await state.setRetained("cloud", "mqtts://a", ["one", "two"]);
    assert.deepEqual(state.retained("cloud", "mqtts://a"), ["one", "two"]);
    assert.match(rig.store.outbox.report().healthReason, /state\.db: .*refused/);
    card.refuses = false;
    await rig.until(() => rig.store.outbox.report().health === "ok");
    rig.cutPower();
    await rig.open();
    assert.deepEqual(rig.store.state.retained("cloud", "mqtts://a"), ["one", "two"]);
  },

  "what inputs counted goes on over a stop; a power cut takes a minute of it at most, and leaves its mark": async (
    rig,
  ) => {
    await rig.open();
    assert.deepEqual(rig.store.state.count("energy", 5), { start: 5, edges: 0, certain: true });
    rig.store.state.keepCount("energy", { start: 5, edges: 0, certain: true });
    await rig.until(() => true);
    for (let edges = 1; edges <= 30; edges++) rig.store.state.keepCount("energy", { start: 5, edges, certain: true });
    await rig.close();
    await rig.open();
    assert.deepEqual(rig.store.state.count("energy", 5), { start: 5, edges: 30, certain: true });
    for (let second = 1; second <= 200; second++) {
      rig.store.state.keepCount("energy", { start: 5, edges: 30 + second, certain: true });
      await rig.clock.advance(1_000);
    }
    rig.cutPower();
    await rig.open();
    const { edges, certain } = rig.store.state.count("energy", 5);
    assert.ok(edges >= 30 + 200 - 65 && edges <= 30 + 200, `${edges} of 230 edges were kept`);
    assert.equal(certain, false);
    rig.store.state.keepCount("energy", { start: 5, edges, certain });
    await rig.close();
    await rig.open();
    assert.equal(rig.store.state.count("energy", 5).certain, false, "a stop in order mends nothing");
    assert.deepEqual(rig.store.state.count("energy", 700), { start: 700, edges: 0, certain: true });
  },

  "P5: a power cut right after a start, and a lost state.db, are marked in each total": async (rig) => {
    await rig.open();
    rig.store.state.keepCount("energy", { start: 0, edges: 7, certain: true });
    await rig.until(() => true);
    await rig.close();
    await rig.open();
    rig.cutPower();
    await rig.open();
    assert.deepEqual(rig.store.state.count("energy", 0), { start: 0, edges: 7, certain: false });
    rig.store.state.keepCount("door", { start: 0, edges: 0, certain: true });
    // Stored behind it, one after the other.
    await rig.store.state.nextSession("cloud");
    rig.cutPower();
    await rig.open();
    assert.equal(rig.store.state.count("door", 0).certain, false);
    await rig.close();
    for (const name of readdirSync(rig.dir)) if (name.startsWith("state.db")) rmSync(join(rig.dir, name));
    await rig.open();
    assert.deepEqual(rig.store.state.count("energy", 0), { start: 0, edges: 0, certain: false });
  },

  "a state.db whose last record is refused is closed all the same": async (rig) => {
    const card = new RefusingCard(rig.storage());
    await rig.open({}, { worker: card.storage });
    card.refuses = true;
    await rig.close();
    assert.ok(card.isClosed);
  },

  "P11: the state record is written at most once a minute, and tells how long all was safe": async (rig) => {
    await rig.open();
    const queue = rig.queue();
    for (let second = 0; second < 180; second++) {
      rig.append(10);
      acknowledgeAll(queue);
      await rig.clock.advance(1_000);
    }
    const wentDarkMs = rig.clock.wallMs();
    rig.cutPower();
    await rig.open();
    const [loss] = rig.queue().losses();
    assert.ok(loss !== undefined && loss.fromMs > wentDarkMs - 65_000, "no commit told it: state.db did");
  },
};

/** A card that takes no record of state.db while it refuses. */
class RefusingCard {
  refuses = false;
  isClosed = false;
  readonly storage: Storage;

  constructor(real: Storage) {
    const blocks: BlockStore = {
      ...real.blocks,
      commit: async (change) => {
        if (this.refuses) throw new StorageFailure("failing", "the card refused");
        return real.blocks.commit(change);
      },
    };
    const state: StateFile = {
      ...real.state,
      save: async (facts) => {
        if (this.refuses) throw new StorageFailure("failing", "the card refused");
        await real.state.save(facts);
      },
      close: async () => {
        await real.state.close();
        this.isClosed = true;
      },
    };
    this.storage = { ...real, blocks, state };
  }
}
