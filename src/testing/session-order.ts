/** The order of a session on the wire: tags and snapshots of every device, whole, then status online, then data and history. */
import type { Message } from "../pipeline.ts";
import { parseWire } from "./wire.ts";

type Stage = "tags" | "snapshot" | "status" | "data" | "history";

/** What the messages of all stages have in common. */
interface Announcement {
  readonly session: number;
  readonly online?: boolean;
  readonly parts?: number;
}

/** What has come of one device. */
interface Announced {
  readonly tags: Parts;
  readonly snapshot: Parts;
}

/** A message that is whole by itself is part 1 of 1. */
interface Parts {
  readonly come: Set<number>;
  needed: number;
}

interface Session {
  readonly devices: Map<string, Announced>;
  online: boolean;
}

const VIOLATIONS_MAX = 50;

export class SessionOrder {
  readonly #topic: string;
  readonly #sessions = new Map<number, Session>();
  readonly #violations: string[] = [];
  #newest = 0;

  constructor(topic: string) {
    this.#topic = topic;
  }

  violations(): readonly string[] {
    return this.#violations;
  }

  arrived({ topic, payload }: Message): void {
    if (!topic.startsWith(`${this.#topic}/`) || payload.length === 0) return;
    const [stage, device = "", part = "1"] = topic.slice(this.#topic.length + 1).split("/");
    if (!isStage(stage)) return;
    const { session, online, parts = 1 } = parseWire<Announcement>(payload);
    // The will and a goodbye come when they must.
    if (stage === "status" && online !== true) return;
    const known = this.#session(session);
    const where = `in session ${session}`;
    switch (stage) {
      case "tags":
        if (known.online) this.#violation(`tags of ${device} after the status ${where}`);
        note(announced(known, device).tags, Number(part), parts);
        break;
      case "snapshot":
        // It comes again while online; only the first must be in its place.
        if (known.online && !known.devices.has(device)) this.#violation(`${device} appears after the status ${where}`);
        if (!isWhole(announced(known, device).tags)) this.#violation(`snapshot of ${device} before its tags ${where}`);
        note(announced(known, device).snapshot, Number(part), parts);
        break;
      case "status":
        if (!known.online) this.#checkAnnounced(known, where);
        known.online = true;
        break;
      default:
        if (!known.online) this.#violation(`${stage} before the status ${where}`);
    }
  }

  #checkAnnounced({ devices }: Session, where: string): void {
    if (devices.size === 0) this.#violation(`status before any device ${where}`);
    for (const [device, { tags, snapshot }] of devices) {
      if (!isWhole(tags)) this.#violation(`status before the tags of ${device} ${where}`);
      if (!isWhole(snapshot)) this.#violation(`status before the snapshot of ${device} ${where}`);
    }
  }

  #session(number: number): Session {
    let session = this.#sessions.get(number);
    if (session === undefined) {
      if (number < this.#newest) this.#violation(`session ${number} after ${this.#newest}`);
      this.#newest = Math.max(this.#newest, number);
      session = { devices: new Map(), online: false };
      this.#sessions.set(number, session);
    }
    return session;
  }

  #violation(text: string): void {
    if (this.#violations.length < VIOLATIONS_MAX) this.#violations.push(text);
  }
}

function isStage(level: string | undefined): level is Stage {
  return level === "tags" || level === "snapshot" || level === "status" || level === "data" || level === "history";
}

function announced({ devices }: Session, name: string): Announced {
  let device = devices.get(name);
  if (device === undefined) {
    device = { tags: { come: new Set(), needed: 1 }, snapshot: { come: new Set(), needed: 1 } };
    devices.set(name, device);
  }
  return device;
}

function note(parts: Parts, part: number, needed: number): void {
  parts.come.add(part);
  parts.needed = needed;
}

function isWhole({ come, needed }: Parts): boolean {
  for (let part = 1; part <= needed; part++) if (!come.has(part)) return false;
  return true;
}
