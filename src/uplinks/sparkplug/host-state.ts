/** What the primary host says of itself, by STATE (Sparkplug 3.0, 6.4.26): retained, and in whatever order it arrives. */

export interface HostState {
  readonly online: boolean;
  /** UTC ms: when the host connected. */
  readonly timestamp: number;
}

/** What was believed of it so far in one session with one server. */
export interface HostSeen {
  readonly online: boolean;
  readonly lastMs: number | undefined;
  readonly lastOnlineMs: number | undefined;
}

export const HOST_UNSEEN: HostSeen = { online: false, lastMs: undefined, lastOnlineMs: undefined };

/**
 * A later word counts, an earlier one does not: it may come from a session of the host that is over. Of a host that is
 * there, each word that it is there counts: it has connected anew, by a clock that was set back, and its will says so, too.
 */
export function hostAfter(seen: HostSeen, { online, timestamp }: HostState): HostSeen {
  const since = online ? seen.lastMs : seen.lastOnlineMs;
  if (since !== undefined && timestamp < since && !(online && seen.online)) return seen;
  return { online, lastMs: timestamp, lastOnlineMs: online ? timestamp : seen.lastOnlineMs };
}

/** Undefined where it is no STATE: what is not understood says nothing. */
export function parseHostState(payload: Uint8Array): HostState | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(payload).toString("utf8"));
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null || !("online" in parsed) || !("timestamp" in parsed))
    return undefined;
  const { online, timestamp } = parsed;
  return typeof online === "boolean" && isTime(timestamp) ? { online, timestamp } : undefined;
}

/** An endless one would make every later word an earlier one. */
function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}
