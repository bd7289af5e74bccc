/**
 * Debouncing as a pure step. A level counts once it has stood for the debounce time, and then with the time of the
 * edge that began it: from there on it is certain, while the first touch of a bouncing contact is not.
 */

export interface Contact {
  /** The level that counts. */
  readonly level: boolean;
  /** Since when the pin has been at the other level, without interruption; undefined while it is at this one. */
  readonly turningSinceMs: number | undefined;
}

/** `edge`: the pin told of it. `sampled`: somebody looked. `time`: nothing but time has passed. */
export type ContactEvent =
  | { readonly kind: "edge" | "sampled"; readonly level: boolean; readonly atMs: number }
  | { readonly kind: "time"; readonly atMs: number };

export interface Change {
  readonly level: boolean;
  readonly atMs: number;
}

/** What is known after an event, and the change of level that it made certain. A contact begins undefined. */
export function debounce(
  contact: Contact | undefined,
  event: ContactEvent,
  debounceMs: number,
): readonly [Contact | undefined, Change | undefined] {
  if (contact === undefined) return begin(event, debounceMs);
  // An edge can be heard before the timer that would have made the level before it count.
  const [settled, change] = settle(contact, event.atMs, debounceMs);
  if (event.kind === "time" || (event.kind === "sampled" && event.level === levelNow(settled)))
    return [settled, change];
  const turned = turn(settled.level, event);
  // Without a debounce time the edge counts at once; then no change can have been waiting before it.
  return debounceMs > 0 ? [turned, change] : settle(turned, event.atMs, debounceMs);
}

function begin(event: ContactEvent, debounceMs: number): readonly [Contact | undefined, Change | undefined] {
  switch (event.kind) {
    case "time":
      return [undefined, undefined];
    case "sampled":
      return [{ level: event.level, turningSinceMs: undefined }, undefined];
    case "edge":
      return settle(turn(!event.level, event), event.atMs, debounceMs);
  }
}

function levelNow(contact: Contact): boolean {
  return contact.turningSinceMs === undefined ? contact.level : !contact.level;
}

function turn(level: boolean, event: Change): Contact {
  return { level, turningSinceMs: event.level === level ? undefined : event.atMs };
}

function settle(contact: Contact, nowMs: number, debounceMs: number): readonly [Contact, Change | undefined] {
  const { level, turningSinceMs } = contact;
  if (turningSinceMs === undefined || nowMs - turningSinceMs < debounceMs) return [contact, undefined];
  return [
    { level: !level, turningSinceMs: undefined },
    { level: !level, atMs: turningSinceMs },
  ];
}
