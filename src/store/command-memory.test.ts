import assert from "node:assert/strict";
import { test } from "node:test";
import type { Facts } from "./block-store.ts";
import { createCommandMemory } from "./command-memory.ts";

/** Both files, as far as facts go. */
function files() {
  const saves: Facts[] = [];
  const copies: Facts[] = [];
  let fault: Error | undefined;
  let open: Promise<void> = Promise.resolve();
  return {
    saves,
    copies,
    fail(error: Error | undefined) {
      fault = error;
    },
    hold(until: Promise<void>) {
      open = until;
    },
    options: {
      file: {
        async save(facts: Facts) {
          await open;
          if (fault !== undefined) throw fault;
          saves.push(facts);
        },
      },
      blocks: {
        async commit({ facts }: { readonly facts: Facts }) {
          copies.push(facts);
          throw new Error("this file takes nothing");
        },
      },
    },
  };
}

test("P10: what was here is known again from state.db, the latest issue from the outbox as well", async () => {
  const { options, saves, copies } = files();
  const memory = createCommandMemory(options, [], []);
  assert.deepEqual(
    [memory.state().horizonMs, memory.state().nonces.size, memory.state().latestMs],
    [undefined, 0, undefined],
  );
  await memory.keep({ horizonMs: 5, nonces: new Map([["a", 10]]), latestMs: 10 });
  await memory.keep({ horizonMs: 10, nonces: new Map([["b", 20]]), latestMs: 20 });
  assert.deepEqual(saves, [
    [
      ["commands/horizon", "5"],
      ["commands/latest", "10"],
      ["commands/nonce/a", "10"],
    ],
    [
      ["commands/horizon", "10"],
      ["commands/latest", "20"],
      ["commands/nonce/b", "20"],
      ["commands/nonce/a", null],
    ],
  ]);
  const facts: Facts = [
    ["commands/horizon", "10"],
    ["commands/nonce/b", "20"],
    ["commands/nonce/c", "?"],
    ["known", "{}"],
  ];
  const next = createCommandMemory(options, facts, copies.at(-1) ?? []);
  assert.deepEqual(next.state(), { horizonMs: 10, nonces: new Map([["b", 20]]), latestMs: 20 });
});

test("P10: a save that failed is told, and goes with the next", async () => {
  const { options, saves, copies, fail } = files();
  const memory = createCommandMemory(options, [], [["commands/latest", "99"]]);
  fail(new Error("no space left"));
  await assert.rejects(memory.keep({ ...memory.state(), horizonMs: 1, nonces: new Map([["a", 10]]) }), /no space left/);
  assert.equal(memory.state().nonces.has("a"), true, "it is used up all the same");
  fail(undefined);
  await memory.keep({
    ...memory.state(),
    horizonMs: 1,
    nonces: new Map([
      ["a", 10],
      ["b", 20],
    ]),
  });
  assert.deepEqual(saves, [
    [
      ["commands/horizon", "1"],
      ["commands/nonce/a", "10"],
      ["commands/nonce/b", "20"],
    ],
  ]);
  assert.deepEqual(copies, [[["commands/latest", "99"]]]);
});

test("P7: while the card is slow one save is under way, and all that comes meanwhile goes together with the next", async () => {
  const { options, saves, hold } = files();
  let release = () => {};
  hold(
    new Promise((resolve) => {
      release = resolve;
    }),
  );
  const memory = createCommandMemory(options, [], []);
  const nonces = new Map<string, number>();
  const kept = Array.from({ length: 100 }, (_, i) => {
    nonces.set(`${i}`, i + 1);
    return memory.keep({ horizonMs: 0, nonces: new Map(nonces), latestMs: undefined });
  });
  release();
  await Promise.all(kept);
  assert.ok(saves.length <= 2, `${saves.length} saves`);
  assert.equal(saves.flat().length, 101);
});
