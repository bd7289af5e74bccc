/** Planted mistakes of Sparkplug. */
import type { Mutation } from "./mutation.ts";

export const SPARKPLUG_MUTATIONS: readonly Mutation[] = [
  {
    name: "what is written counts as read by the broker",
    breaks: "P4",
    needs: ["sparkplug", "breaks at a byte"],
    edits: [
      {
        file: "uplinks/sparkplug/sparkplug-connection.ts",
        find: "connection.publish(written).catch(reject);",
        replace: "connection.publish(written).then(resolve, reject);",
      },
    ],
  },
  {
    name: "an answer confirms what was written after its question",
    breaks: "P4",
    needs: ["sparkplug", "breaks at a byte"],
    edits: [
      {
        file: "uplinks/sparkplug/barrier.ts",
        find: "return { ...barrier, asked, confirmed };",
        replace: "return { ...barrier, asked, confirmed: Math.max(confirmed, barrier.written) };",
      },
    ],
  },
  {
    name: "births that do not come back are no reason to hold data back",
    breaks: "P4",
    needs: ["not routed"],
    edits: [
      {
        file: "uplinks/sparkplug/attendance.ts",
        find: "if (state.echoesDue.length > 0) return",
        replace: "if (state.echoesDue.length > 9) return",
      },
    ],
  },
  {
    name: "nobody is waited for, though the primary host is away",
    breaks: "P3",
    needs: ["host away", "primary host"],
    edits: [
      {
        file: "uplinks/sparkplug/attendance.ts",
        find: "if (primaryHost !== undefined && !state.host.online) {",
        replace: "if (primaryHost !== undefined && state.host === undefined) {",
      },
    ],
  },
  {
    name: "a host that goes away is not noticed",
    breaks: "P3",
    needs: ["host away", "primary host"],
    edits: [
      {
        file: "uplinks/sparkplug/attendance.ts",
        find: "if (!host.online) return moveOn(next, context);",
        replace: "if (!host.online) return [next, []];",
      },
    ],
  },
  {
    name: "what came while the host was dead is not told again",
    breaks: "P4",
    needs: ["host away", "primary host"],
    edits: [
      {
        file: "uplinks/rolling-window.ts",
        find: "this.#owed = [...this.#owed, ...items];",
        replace: "this.#owed = [...this.#owed];",
      },
    ],
  },
  {
    name: "a Rebirth is ignored",
    breaks: "P3",
    needs: ["sparkplug"],
    edits: [
      {
        file: "uplinks/sparkplug/attendance.ts",
        find: "return rebirth({ ...missing(state, fromMs), rebirthWanted: true }, context);",
        replace: "return rebirth({ ...missing(state, fromMs), rebirthWanted: false }, context);",
      },
    ],
  },
  {
    name: "each Rebirth is answered, however many come",
    breaks: "P7",
    needs: ["rebirth"],
    edits: [
      {
        file: "uplinks/sparkplug/attendance.ts",
        find: "export const REBIRTH_GAP_MS = 5_000;",
        replace: "export const REBIRTH_GAP_MS = 0;",
      },
    ],
  },
  {
    name: "seq goes on over a birth of the node",
    breaks: "identity",
    needs: ["rebirth"],
    edits: [
      {
        file: "uplinks/sparkplug/sparkplug-connection.ts",
        find: `messageType(message.topic) === "NBIRTH" ? 0 : (this.#seq + 1) % SEQS;`,
        replace: `messageType(message.topic) === "NBIRTH" && this.#barrier.written === 0 ? 0 : (this.#seq + 1) % SEQS;`,
      },
    ],
  },
  {
    name: "bdSeq is not stored",
    breaks: "identity",
    needs: ["sparkplug", "restart"],
    edits: [
      {
        file: "store/state.ts",
        find: "await this.#saveOrOwe(name, JSON.stringify(count));",
        replace: "",
      },
    ],
  },
  {
    name: "the will bears the bdSeq of the connection before",
    breaks: "identity",
    needs: ["sparkplug"],
    edits: [
      {
        file: "uplinks/sparkplug/sparkplug-format.ts",
        find: "bdSeq = await state.nextBdSeq(config.name);\n      return deathOf(topics, bdSeq, clock.wallMs());",
        replace:
          "const before = bdSeq;\n      bdSeq = await state.nextBdSeq(config.name);\n      return deathOf(topics, before, clock.wallMs());",
      },
    ],
  },
  {
    name: "history is not marked as historical",
    breaks: "P3",
    needs: ["sparkplug", "broker gone"],
    edits: [
      {
        file: "uplinks/sparkplug/metrics.ts",
        find: "...(this.#epoch !== undefined && { isHistorical: true }),",
        replace: "...(this.#epoch !== undefined && { isHistorical: false }),",
      },
    ],
  },
  {
    name: "devices are born when something of them changes",
    breaks: "P3",
    needs: ["sparkplug", "connections cut"],
    edits: [
      {
        file: "uplinks/sparkplug/sparkplug-session.ts",
        find: "for (const device of this.#devicesToBear()) yield this.#deviceBirth(device);",
        replace: "for (const device of this.#devicesToBear().slice(0, 1)) yield this.#deviceBirth(device);",
      },
    ],
  },
  {
    name: "a value that is good again does not say so",
    breaks: "P5",
    needs: ["sparkplug", "silent"],
    edits: [
      {
        file: "uplinks/sparkplug/metrics.ts",
        find: "!isGood(status) || toldBad ? status",
        replace: "!isGood(status) ? status",
      },
    ],
  },
  {
    name: "a new epoch is not told to hosts",
    breaks: "identity",
    needs: ["sparkplug", "clock step"],
    edits: [
      {
        file: "uplinks/sparkplug/sparkplug-session.ts",
        find: "return [this.#nodeData(EPOCH, epoch)];",
        replace: "return [];",
      },
    ],
  },
  {
    name: "values without a known time are told as any others",
    breaks: "P9",
    needs: ["sparkplug", "board"],
    edits: [
      {
        file: "uplinks/sparkplug/metrics.ts",
        find: "...(this.#isTransient && { isTransient: true }),",
        replace: "",
      },
    ],
  },
];
