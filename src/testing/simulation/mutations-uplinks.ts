/** Planted mistakes of the uplinks. */
import type { Mutation } from "./mutation.ts";

export const UPLINK_MUTATIONS: readonly Mutation[] = [
  {
    name: "progress is advanced before the acknowledgement",
    breaks: "P4",
    needs: ["connections cut"],
    edits: [
      {
        file: "uplinks/live-feed.ts",
        find: "const keep = window?.sending(alike.slice(0, taken));",
        replace:
          "const keep = window?.sending(alike.slice(0, taken));\n    queue.acknowledge({ from: covers.from, to: upTo });",
      },
    ],
  },
  {
    name: "a message that was never acknowledged counts as delivered",
    breaks: "P4",
    needs: ["connections cut"],
    edits: [
      {
        file: "uplinks/link.ts",
        find: "if (acknowledged) delivered();",
        replace: "delivered();",
      },
    ],
  },
  {
    name: "history acknowledges more than it sent",
    breaks: "P4",
    needs: ["flapping"],
    edits: [
      {
        file: "uplinks/history-feed.ts",
        find: "const range = { from: covers.from, to: upTo };",
        replace: "const range = { from: covers.from, to: covers.to };",
      },
    ],
  },
  {
    name: "a loss counts as told when it is sent",
    breaks: "P4",
    needs: ["power cut", "flapping"],
    edits: [
      {
        file: "uplinks/history-feed.ts",
        find: "this.#told.add(loss.id);",
        replace: "this.#told.add(loss.id);\n        this.#lossDelivered(loss);",
      },
    ],
  },
  {
    name: "what is taken in while the snapshot is on its way is never sent",
    breaks: "P4",
    needs: ["connections cut"],
    edits: [
      {
        file: "uplinks/link.ts",
        find: "this.#flow = endCut(this.#flow, cut, tookMs);",
        replace:
          "for (let n = cut + 1; n <= queue.newest(); n++) queue.acknowledge({ from: n, to: n });\n    this.#flow = endCut(this.#flow, cut, tookMs);",
      },
    ],
  },
  {
    name: "a value of an earlier epoch does not say so",
    breaks: "identity",
    needs: ["power cut"],
    edits: [
      {
        file: "uplinks/json/json-payload.ts",
        find: "return epoch === messageEpoch ? undefined :",
        replace: "return epoch <= messageEpoch ? undefined :",
      },
    ],
  },
  {
    name: "history and losses go before the snapshot",
    breaks: "P3",
    needs: ["power cut"],
    edits: [
      {
        file: "uplinks/session.ts",
        find: `[{ type: "announce" }],`,
        replace: `[{ type: "announce" }, { type: "deliver" }],`,
      },
    ],
  },
  {
    name: "live values above the cut go before the snapshot",
    breaks: "P3",
    needs: ["connections cut"],
    edits: [
      {
        file: "uplinks/session.ts",
        find: `[{ type: "announce" }],`,
        replace: `[{ type: "announce" }, { type: "deliver" }],`,
      },
      { file: "uplinks/flow.ts", find: "if (flow.cutting || !hasRoom(", replace: "if (!hasRoom(" },
    ],
  },
  {
    name: "a snapshot claims to include messages that follow it",
    breaks: "P3",
    needs: [],
    edits: [
      {
        file: "uplinks/json/json-format.ts",
        find: "const after = this.#dataSeq;",
        replace: "const after = this.#dataSeq + 20;",
      },
    ],
  },
  {
    name: "the snapshot of a removed device stays at the broker",
    breaks: "P3",
    needs: ["remove device"],
    edits: [
      {
        file: "uplinks/link.ts",
        find: "if (!(await this.#publish(retained.farewells()))) return false;",
        replace: "if (!(await this.#publish([]))) return false;",
      },
    ],
  },
  {
    name: "the will says online",
    breaks: "P3",
    needs: ["broker gone"],
    edits: [
      {
        file: "uplinks/json/json-payload.ts",
        find: "    online: false,",
        replace: "    online: true,",
      },
    ],
  },
  {
    name: "the status of a value is dropped",
    breaks: "P5",
    needs: ["silent"],
    edits: [
      {
        file: "uplinks/json/json-payload.ts",
        find: "return isGood(status) ?",
        replace: "return isGood(status) || true ?",
      },
    ],
  },
  {
    name: "a frozen link is never noticed",
    breaks: "P3",
    needs: ["slow to acknowledge"],
    edits: [
      {
        file: "uplinks/sender.ts",
        find: "export const FROZEN_AFTER_MS = 5_000;",
        replace: "export const FROZEN_AFTER_MS = 5_000_000_000;",
      },
    ],
  },
  {
    name: "live values that lag for minutes still go out as live",
    breaks: "P3",
    needs: ["commit first"],
    edits: [
      {
        file: "uplinks/flow.ts",
        find: "nowMs - sample.takenInMs > flow.liveLagMaxMs",
        replace: "nowMs - sample.takenInMs > 100 * flow.liveLagMaxMs",
      },
    ],
  },
  {
    name: "history fills the link",
    breaks: "P6",
    needs: ["slow link", "broker gone"],
    edits: [
      { file: "uplinks/pace.ts", find: "const DELAY_TARGET_MS = 150;", replace: "const DELAY_TARGET_MS = 150_000;" },
      {
        file: "uplinks/flow.ts",
        find: "const linkFree = view.socketBytes === 0 && !liveBlocked && !liveUnderWay && !view.upkeepDue;",
        replace: "const linkFree = true;",
      },
    ],
  },
];
