/**
 * What a Sparkplug uplink remembers of its host from session to session, and over a reload of the configuration: what
 * was acknowledged lately, and whom it was for. In memory only.
 */
import type { UplinkConfig } from "../../config/config.ts";
import { MISSES_ALL, MISSES_NOTHING, RollingWindow } from "../rolling-window.ts";
import type { FormerAttendance } from "./attendance.ts";

type Identity = Pick<UplinkConfig, "name" | "node" | "primaryHost">;

export class HostMemory {
  readonly #identity: Identity;
  readonly window = new RollingWindow();
  readonly #hostsMs = new Map<string, number>();
  #missesFromMs = MISSES_NOTHING;
  /** Where data went last. */
  #server: string | undefined;

  constructor({ name, node, primaryHost }: Identity) {
    this.#identity = { name, node, ...(primaryHost !== undefined && { primaryHost }) };
  }

  /** Another node, or another host, has missed nothing of this. */
  isOf({ name, node, primaryHost }: Identity): boolean {
    const mine = this.#identity;
    const isNode = node.group === mine.node.group && node.name === mine.node.name;
    return name === mine.name && isNode && primaryHost === mine.primaryHost;
  }

  at(server: string): FormerAttendance {
    return { hostMs: this.#hostsMs.get(server), missesFromMs: this.#missesFromMs };
  }

  note(server: string, { hostMs, missesFromMs }: FormerAttendance): void {
    if (hostMs === undefined) this.#hostsMs.delete(server);
    else this.#hostsMs.set(server, hostMs);
    this.#missesFromMs = missesFromMs;
  }

  /** A session is about to tell its first births. */
  begins(nowMs: number): void {
    this.window.begin(nowMs);
  }

  /** Births go out there, and then what is missed: nobody knows what became of the last words at another server. */
  tells(server: string, missesFromMs: number, nowMs: number): void {
    const isElsewhere = this.#server !== undefined && this.#server !== server;
    this.#server = server;
    this.window.owe(isElsewhere ? MISSES_ALL : missesFromMs, nowMs);
  }
}
