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
        find: "export function unanswered(guard: Guard, byteCount: number, untilMs: number, nowMs: number): Guard {",
        replace:
          "export function unanswered(guard: Guard, byteCount: number, untilMs: number, nowMs: number): Guard {\n  if (untilMs > 0) return guard;",
      },
    ],
  },
  {
    name: "a value that could not be read stays good",
    breaks: "P5",
    needs: ["silent"],
    edits: [
      {
        file: "tags/tag-table.ts",
        find: `if (value === undefined) return status === "Good" ? "BadUnexpectedError" : status;`,
        replace: `if (value === undefined) return "Good";`,
      },
      {
        file: "tags/tag-table.ts",
        find: `const status = presence === "lost" ? "BadNoCommunication" : "BadOutOfService";`,
        replace: `const status = presence === "lost" ? "Good" : "BadOutOfService";`,
      },
    ],
  },
  {
    name: "a read that fails is told neither at once nor as old",
    breaks: "P3",
    needs: ["silent"],
    edits: [
      {
        file: "sources/modbus/poll.ts",
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
    name: "the deadband is twice as wide as configured",
    breaks: "P3",
    needs: [],
    edits: [
      {
        file: "tags/deadband.ts",
        find: "Math.abs(read - reported) > deadband;",
        replace: "Math.abs(read - reported) > 2 * deadband;",
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
        find: "this.#epoch = this.#epochs.raiseEpoch();\n      this.#log.warning",
        replace: "this.#epoch = this.#epochs.epoch();\n      this.#log.warning",
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
