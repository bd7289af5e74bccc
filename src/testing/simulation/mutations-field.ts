/** Planted mistakes of the sources and the tag table. */
import type { Mutation } from "./mutation.ts";

export const FIELD_MUTATIONS: readonly Mutation[] = [
  {
    name: "no rule against late replies",
    breaks: "P5",
    needs: ["late"],
    edits: [
      {
        file: "sources/modbus/reply-guard.ts",
        find: "const pending = guard.unanswered.filter((e) => e.untilMs > nowMs);",
        replace: "const pending = guard.unanswered.filter((e) => e.untilMs < 0);",
      },
    ],
  },
  {
    name: "a reply of another unit is taken",
    breaks: "P5",
    needs: ["late"],
    edits: [
      {
        file: "sources/modbus/frame-scanner.ts",
        find: "if (bytes[0] !== expected.unitId) return undefined;",
        replace: "",
      },
    ],
  },
  {
    name: "the checksum of a reply is not looked at",
    breaks: "P5",
    needs: ["a bit flipped"],
    edits: [
      {
        file: "sources/modbus/frame-scanner.ts",
        find: `if (hasValidCrc(bytes.subarray(0, length))) return { kind: "answer", length };`,
        replace: `if (length > 0) return { kind: "answer", length };`,
      },
    ],
  },
  {
    name: "a failed read is not told",
    breaks: "P3",
    needs: ["silent"],
    edits: [
      {
        file: "sources/modbus/modbus-source.ts",
        find: 'if (verdict.answered) this.#deviceEvent(device, "answered");\n        this.#tell(entry.read.tags, verdict.status, atMs);',
        replace: 'if (verdict.answered) this.#deviceEvent(device, "answered");',
      },
      {
        file: "tags/staleness.ts",
        find: "return nowMs - lastGoodMs >= staleMs;",
        replace: "return nowMs - lastGoodMs >= 1e12 + staleMs;",
      },
      { file: "sources/modbus/device-state.ts", find: `? ["tellLost", "probe"] :`, replace: `? ["probe"] :` },
    ],
  },
  {
    name: "stale is never told",
    breaks: "P3",
    needs: [],
    edits: [
      {
        file: "tags/staleness.ts",
        find: "return nowMs - lastGoodMs >= staleMs;",
        replace: "return nowMs - lastGoodMs >= 1e12 + staleMs;",
      },
    ],
  },
  {
    name: "the deadband counts from the last read instead of the last reported one",
    breaks: "P3",
    needs: [],
    edits: [
      {
        file: "tags/tag-table.ts",
        find: "beyondDeadband(state.reportedValue, value, tag.deadband)",
        replace: "beyondDeadband(state.value, value, tag.deadband)",
      },
    ],
  },
  {
    name: "the read before a jump goes after it",
    breaks: "identity",
    needs: [],
    edits: [
      {
        file: "tags/tag-table.ts",
        find: "if (jump && state.suppressed) this.#found.push({ ...sampleOf(state), readBefore: true });",
        replace: "const before = jump && state.suppressed ? sampleOf(state) : undefined;",
      },
      {
        file: "tags/tag-table.ts",
        find: "    this.#found.push(sampleOf(state));\n  }",
        replace:
          "    this.#found.push(sampleOf(state));\n    if (before !== undefined) this.#found.push({ ...before, readBefore: true });\n  }",
      },
    ],
  },
  {
    name: "the epoch is not raised when the clock steps back",
    breaks: "identity",
    needs: ["clock step"],
    edits: [
      {
        file: "tags/stamps.ts",
        find: "this.#epoch = this.#epochs.raiseEpoch();",
        replace: "this.#epoch = this.#epochs.epoch();",
      },
    ],
  },
  {
    name: "two reads of a tag may have one stamp",
    breaks: "identity",
    needs: ["clock step"],
    edits: [
      {
        file: "tags/tag-table.ts",
        find: "state.epoch === epoch ? Math.max(stampMs, state.stampMs + 1) : stampMs",
        replace: "state.epoch === epoch ? Math.max(stampMs, state.stampMs) : stampMs",
      },
    ],
  },
  {
    name: "dead devices are asked as often as living ones",
    breaks: "P6",
    needs: ["silent"],
    edits: [
      {
        file: "sources/modbus/schedule.ts",
        find: "export const PROBE_INTERVAL_MIN_MS = 10_000;",
        replace: "export const PROBE_INTERVAL_MIN_MS = 100;",
      },
      {
        file: "sources/modbus/schedule.ts",
        find: "export const PROBE_SHARE = 0.05;",
        replace: "export const PROBE_SHARE = 1;",
      },
    ],
  },
];
