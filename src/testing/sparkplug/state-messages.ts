/** What the gateway heard of its primary host, and what the specification makes of it. */
import type { HeardMessage, Session, Story } from "./story.ts";

export interface StateMessage {
  readonly index: number;
  readonly atMs: number;
  readonly online: boolean;
  readonly timestamp: number;
  /** Older than what it would have to replace. */
  readonly stale: boolean;
}

/** In the order heard; what is no STATE of this form is left out, as a node leaves it out. */
export function statesOf(story: Story, session: Session): readonly StateMessage[] {
  const topic = `spBv1.0/STATE/${story.site.primaryHost}`;
  const states: StateMessage[] = [];
  let last = Number.NEGATIVE_INFINITY;
  let lastOnline = Number.NEGATIVE_INFINITY;
  for (const heard of session.heard) {
    const state = heard.topic === topic && heard.passed ? parse(heard) : undefined;
    if (state === undefined) continue;
    const { online, timestamp } = state;
    const stale = timestamp < (online ? last : lastOnline);
    states.push({ index: heard.index, atMs: heard.atMs, online, timestamp, stale });
    if (stale) continue;
    last = timestamp;
    if (online) lastOnline = timestamp;
  }
  return states;
}

function parse({ bytes }: HeardMessage): { readonly online: boolean; readonly timestamp: number } | undefined {
  try {
    const state: Readonly<Record<string, unknown>> | null = JSON.parse(bytes.toString("utf8"));
    const { online, timestamp } = state ?? {};
    return typeof online === "boolean" && isTime(timestamp) ? { online, timestamp } : undefined;
  } catch {
    return undefined;
  }
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0;
}
