/** Planted mistakes of limits, of changes, and of the time. */
import type { Mutation } from "./mutation.ts";

export const LIMIT_MUTATIONS: readonly Mutation[] = [
  {
    name: "what is dated by a guess stays good",
    breaks: "P9",
    needs: ["board"],
    edits: [
      {
        file: "store/stored-sample.ts",
        find: `sample.status === "Good" && !isCertain ? "UncertainLastUsableValue" : sample.status`,
        replace: `sample.status === "Good" && isCertain ? "Good" : sample.status`,
      },
    ],
  },
  {
    name: "the time that becomes known dates nothing of before",
    breaks: "P9",
    needs: ["board"],
    edits: [
      {
        file: "store/boot-times.ts",
        find: "return dated(sample, known?.fixed);",
        replace: "return dated(sample, undefined);",
      },
    ],
  },
  {
    name: "a watch over acknowledgements is never taken back",
    breaks: "P7",
    needs: [],
    edits: [
      {
        file: "uplinks/sender.ts",
        find: "    if (this.#watch !== undefined && this.#watchAtMs <= overdueAtMs) return;\n    this.#watch?.cancel();\n",
        replace: "",
      },
    ],
  },
  {
    name: "memory has no limit while the card takes nothing",
    breaks: "P7",
    needs: ["disk full", "small outbox"],
    edits: [
      {
        file: "store/ledger.ts",
        find: "while (!isWithin(tailSamples, tailBytes)) {",
        replace: "while (!isWithin(100 * tailSamples, 100 * tailBytes)) {",
      },
    ],
  },
  {
    name: "a damaged file is not set aside",
    breaks: "P8",
    needs: ["file damaged"],
    edits: [
      {
        file: "store/sqlite.ts",
        find: `if (failure.kind !== "damaged") throw failure;`,
        replace: `if (failure.kind !== "busy") throw failure;`,
      },
    ],
  },
  {
    name: "a stop waits for a broker that says nothing",
    breaks: "P8",
    needs: ["broker frozen", "restart"],
    edits: [{ file: "uplinks/session.ts", find: "    timer: stopHard,", replace: "    timer: stay," }],
  },
  {
    name: "a gap that is told begins where everything began",
    breaks: "P4",
    needs: ["power cut"],
    edits: [
      {
        file: "store/outbox.ts",
        find: "laterSafe(safe, lastKnown.safe) ?? BEGINNING;",
        replace: "(safe === lastKnown.safe ? undefined : undefined) ?? BEGINNING;",
      },
    ],
  },
  {
    name: "what is given up after its time is known waits for a start to be told",
    breaks: "P4",
    needs: ["board", "small outbox"],
    edits: [
      {
        file: "store/uplink-queue.ts",
        find: "this.#dated(draft) ?? draft",
        replace: "draft",
      },
    ],
  },
  {
    name: "the key of a tag that was lost in damage is given again",
    breaks: "identity",
    needs: ["file damaged"],
    edits: [{ file: "store/salvage.ts", find: "[...tags, fenceAbove(tags)]", replace: "tags" }],
  },
];
