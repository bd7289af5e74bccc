import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Reader } from "../reader.ts";
import { type Format, type LinkName, MadeChain } from "./made-chain.ts";
import { CLOCK_ERROR_MS, type FarEvent, LATE_AFTER_MS } from "./picture.ts";

type Action =
  | { readonly type: "break" | "mend"; readonly link: LinkName }
  | { readonly type: "mend all" }
  | { readonly type: "change" }
  | { readonly type: "ask" }
  | { readonly type: "pass"; readonly ms: number };

const RUNS = 150;
const ACTIONS = { minLength: 10, maxLength: 60 } as const;
const LINKS = ["device", "gateway", "link", "bridge", "consumer"] as const;
/** Longer than a bridge needs to deliver what it kept, and than a status takes to come again. */
const SETTLED_MS = 70_000;

const action: fc.Arbitrary<Action> = fc.oneof(
  fc.record({ type: fc.constantFrom("break" as const, "mend" as const), link: fc.constantFrom(...LINKS) }),
  fc.constantFrom<Action>({ type: "mend all" }, { type: "change" }, { type: "ask" }),
  fc.record({ type: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 9_000 }) }),
);
const history = fc.record({
  actions: fc.array(action, ACTIONS),
  clockErrorMs: fc.integer({ min: -CLOCK_ERROR_MS, max: CLOCK_ERROR_MS }),
  quirks: fc.record({ newestFirst: fc.boolean(), retained: fc.constantFrom("before", "behind") }, { requiredKeys: [] }),
});

function play(chain: MadeChain, actions: readonly Action[]): void {
  mendAll(chain);
  chain.ask();
  for (const act of actions) {
    if (act.type === "break") chain.set(act.link, false);
    else if (act.type === "mend") chain.set(act.link, true);
    else if (act.type === "mend all") mendAll(chain);
    else if (act.type === "change") chain.change();
    else if (act.type === "ask") chain.ask();
    else if (act.type === "pass") chain.pass(act.ms);
    judge(chain);
  }
}

function mendAll(chain: MadeChain): void {
  for (const link of LINKS) chain.set(link, true);
}

/** What is believed was true: now, or while a bridge still delivers, within the time that a message may take. */
function judge(chain: MadeChain): void {
  const { isCurrent, shown } = chain.belief();
  if (!isCurrent) return;
  const told = `${shown?.value} ${shown?.status}`;
  const lateMs = chain.isKeeping ? LATE_AFTER_MS + CLOCK_ERROR_MS : 0;
  const truths = chain.truthsSince(chain.nowMs - lateMs);
  assert.ok(truths.includes(told), `believed ${told} where ${truths.map(String)} was true`);
}

function settle(chain: MadeChain): void {
  mendAll(chain);
  for (let i = 0; i < 2; i++) {
    chain.pass(SETTLED_MS);
    chain.ask();
    chain.change();
  }
}

for (const format of ["json", "sparkplug"] satisfies Format[]) {
  for (const isBridged of [false, true]) {
    describe(`${format}${isBridged ? " over a bridge" : ""}`, () => {
      test("P3: nothing is current while any link of the chain is down, whatever broke and came back before", () => {
        fc.assert(
          fc.property(history, ({ actions, clockErrorMs, quirks }) => {
            const chain = new MadeChain({ format, isBridged, clockErrorMs, quirks });
            chain.onEvent = () => judge(chain);
            play(chain, actions);
          }),
          { numRuns: RUNS },
        );
      });

      test("P3: once all links hold again, the true value is current", () => {
        fc.assert(
          fc.property(history, ({ actions, clockErrorMs, quirks }) => {
            const chain = new MadeChain({ format, isBridged, clockErrorMs, quirks });
            play(chain, actions);
            settle(chain);
            const { isCurrent, reason, shown } = chain.belief();
            assert.ok(isCurrent, reason);
            assert.ok(chain.truthsSince(chain.nowMs).includes(`${shown?.value} ${shown?.status}`));
          }),
          { numRuns: RUNS },
        );
      });
    });
  }
}

test("P3: the reducer and the reader say the same of every message", () => {
  fc.assert(
    fc.property(history, ({ actions, clockErrorMs }) => {
      const chain = new MadeChain({ format: "json", isBridged: false, clockErrorMs });
      const reader = new Reader("site/gateway");
      chain.onEvent = (event) => {
        tell(reader, event);
        const { isCurrent, reason } = chain.belief();
        if (chain.picture.isListening) assert.equal(isCurrent, reader.currency("pump").current, reason);
      };
      play(chain, actions);
    }),
    { numRuns: RUNS },
  );
});

function tell(reader: Reader, event: FarEvent): void {
  if (event.type === "cut off") reader.disconnected();
  if (event.type === "arrival") reader.receive(event.arrival.topic, event.arrival.payload, event.arrival.retained);
}
