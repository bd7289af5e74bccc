/** The order of a session on the wire: tags, snapshots, status online, then data and history. */
import type { Message } from "../pipeline.ts";

type Stage = "tags" | "snapshot" | "online" | "data";

const RANK: Record<Stage, number> = { tags: 0, snapshot: 1, online: 2, data: 3 };
const VIOLATIONS_MAX = 50;

export class SessionOrder {
  readonly #topic: string;
  /** The furthest stage that each session has reached. */
  readonly #reached = new Map<number, Stage>();
  readonly #violations: string[] = [];
  #newest = 0;

  constructor(topic: string) {
    this.#topic = topic;
  }

  violations(): readonly string[] {
    return this.#violations;
  }

  arrived(message: Message): void {
    const stage = this.#stageOf(message);
    if (stage === undefined) return;
    const { session, online } = JSON.parse(Buffer.from(message.payload).toString());
    if (stage === "online" && online !== true) return;
    const reached = this.#reached.get(session);
    if (reached === undefined && session < this.#newest) this.#violation(`session ${session} after ${this.#newest}`);
    this.#newest = Math.max(this.#newest, session);
    // Snapshots and statuses come again within a session; only their first must be in its place.
    const first = reached === undefined || RANK[stage] > RANK[reached];
    if (!first) return;
    if (stage === "data" && reached !== "online") this.#violation(`data before the status in session ${session}`);
    if (stage === "online" && reached !== "snapshot") this.#violation(`status before snapshots in session ${session}`);
    if (stage === "snapshot" && reached !== "tags") this.#violation(`snapshot before tags in session ${session}`);
    this.#reached.set(session, stage);
  }

  #stageOf(message: Message): Stage | undefined {
    if (!message.topic.startsWith(`${this.#topic}/`) || message.payload.length === 0) return undefined;
    const [level] = message.topic.slice(this.#topic.length + 1).split("/");
    switch (level) {
      case "tags":
      case "snapshot":
        return level;
      case "status":
        return "online";
      case "data":
      case "history":
        return "data";
      default:
        return undefined;
    }
  }

  #violation(text: string): void {
    if (this.#violations.length < VIOLATIONS_MAX) this.#violations.push(text);
  }
}
