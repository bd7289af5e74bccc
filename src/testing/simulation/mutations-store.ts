/** Planted mistakes of the store. */
import type { Mutation } from "./mutation.ts";

export const STORE_MUTATIONS: readonly Mutation[] = [
  {
    name: "a commit does not wait for the card",
    breaks: "P4",
    needs: ["power cut"],
    edits: [{ file: "store/sqlite.ts", find: "synchronous = FULL", replace: "synchronous = OFF" }],
  },
  {
    name: "a commit that failed counts as stored",
    breaks: "P4",
    needs: ["disk full"],
    edits: [
      {
        file: "store/committer.ts",
        find: `let state: TailEntry["state"] = "new";`,
        replace: `let state: TailEntry["state"] = "stored";`,
      },
    ],
  },
  {
    name: "samples are committed ten times too late",
    breaks: "P4",
    needs: ["power cut"],
    edits: [
      {
        file: "store/commit-loop.ts",
        find: "nowMs - state.oldestMs >= state.intervalMs",
        replace: "nowMs - state.oldestMs >= 10 * state.intervalMs",
      },
    ],
  },
  {
    name: "a range is lost in a merge",
    breaks: "P4",
    needs: ["connections cut"],
    edits: [
      { file: "store/ranges.ts", find: "export const MAX_RANGES = 64;", replace: "export const MAX_RANGES = 1;" },
      {
        file: "store/ranges.ts",
        find: "if (last !== undefined && closed.has(i)) last.to = to;",
        replace: "if (last !== undefined && closed.has(i)) return;",
      },
    ],
  },
  {
    name: "the safe time runs ahead of what is stored",
    breaks: "P4",
    needs: ["power cut", "broker gone"],
    edits: [
      {
        file: "store/ledger.ts",
        find: "if (isEarlier(stamp, earliest)) earliest = stamp;",
        replace: "if (isEarlier(earliest, stamp)) earliest = stamp;",
      },
    ],
  },
  {
    name: "an unclean stop is not told",
    breaks: "P4",
    needs: ["power cut"],
    edits: [
      {
        file: "store/committer.ts",
        find: `...(this.#saysClean ? [[FACT.clean, "false"] as const] : []),`,
        replace: "",
      },
    ],
  },
  {
    name: "a loss is not persisted",
    breaks: "P4",
    needs: ["power cut", "broker gone", "restart"],
    edits: [
      {
        file: "store/uplink-queue.ts",
        find: "if (!this.#storedLosses.has(loss.id)) {",
        replace: "if (this.#storedLosses.has(loss.id) && loss.id < 0) {",
      },
    ],
  },
  {
    name: "retention drops the highest priority first",
    breaks: "P4",
    needs: ["small outbox", "broker gone"],
    edits: [
      {
        file: "store/retention.ts",
        find: "for (const { oldest, isAll } of groups) {",
        replace: "for (const { oldest, isAll } of [...groups].reverse()) {",
      },
    ],
  },
  {
    name: "what is dropped at a limit is not told",
    breaks: "P4",
    needs: ["small outbox", "broker gone"],
    edits: [
      {
        file: "store/retainer.ts",
        find: "if (samples.length > 0) ledger.lose(reason, samples);",
        replace: "if (samples.length < 0) ledger.lose(reason, samples);",
      },
    ],
  },
  {
    name: "numbers are used again after a restart",
    breaks: "P4",
    needs: ["restart"],
    edits: [
      {
        file: "store/highest-number.ts",
        find: "return Math.max(0, highest ?? 0, ...known);",
        replace: "return known.length < 0 ? 0 : (highest ?? 0);",
      },
    ],
  },
  {
    name: "epoch and session begin anew at every start",
    breaks: "identity",
    needs: ["restart"],
    edits: [
      {
        file: "store/state.ts",
        find: "if (name.startsWith(COUNTER)) this.#raise(",
        replace: "if (name === COUNTER) this.#raise(",
      },
      {
        file: "store/state.ts",
        find: "return Math.floor(this.#nowMs() / 1_000);",
        replace: "return 1;",
      },
    ],
  },
  {
    name: "a session number is given twice",
    breaks: "identity",
    needs: ["connections cut"],
    edits: [{ file: "store/state.ts", find: "return ++counter.value;", replace: "return counter.value;" }],
  },
];
