/**
 * Whether a command is for this gateway, in time, and here for the first time. Pure.
 *
 * Held, whatever the clock and the files do: no signed command is carried out twice, none after one that was issued
 * later. A command is used up by its first arrival, whatever comes of it, save where so many are remembered that it
 * finds no room: then it may come again. Its nonce is kept until it is too old by any clock; from then on the horizon,
 * which only rises, refuses all that was issued as early. Each start begins a horizon above the time: whatever was
 * carried out before was issued before, also where the files that say so are lost, are old ones put back, or those of a
 * gateway that had another name.
 */
import type { CommandMemoryState } from "../../core/remote-write.ts";
import type { CommandContent } from "./signed-command.ts";

/** From issue to expiry. */
export const LIFETIME_MAX_MS = 300_000;
/** So much may the clock of whoever signs be ahead. */
export const AHEAD_MAX_MS = 10_000;
export const NONCES_MAX = 1_000;

export interface Now {
  /** UTC ms. */
  readonly nowMs: number;
  /** Somebody vouches for it. */
  readonly isClockGood: boolean;
  /** It was so once since the start. */
  readonly hasBegun: boolean;
  /** `group/name` */
  readonly gateway: string;
}

export interface Judged {
  /** Absent: it may be carried out as far as time and memory go. */
  readonly refusal?: string;
  /** Present: it is used up, and no nonce below the new horizon is needed any more. */
  readonly memory?: CommandMemoryState;
}

export function judgeFreshness(memory: CommandMemoryState, command: CommandContent, now: Now): Judged {
  const { gateway, issuedMs, nonce } = command;
  if (gateway !== now.gateway) return refused(`it is for the gateway ${gateway}, this is ${now.gateway}`);
  const { horizonMs = 0 } = memory;
  if (memory.nonces.has(nonce)) return refused("it was here before");
  if (issuedMs <= horizonMs)
    return refused(`it was issued too early for this gateway, which begins after ${at(horizonMs)}`);
  if (issuedMs < (memory.latestMs ?? 0)) return refused("one that was issued later was here before it");
  const pruned = now.isClockGood ? prune(memory, now.nowMs) : memory;
  if (pruned.nonces.size >= NONCES_MAX) return refused(`${NONCES_MAX} commands are remembered already`);
  const used = { ...pruned, nonces: new Map([...pruned.nonces, [nonce, issuedMs]]) };
  const refusal = now.hasBegun ? staleness(command, now) : CLOCK_UNKNOWN;
  return refusal === undefined ? { memory: afterLatest(used, issuedMs) } : { memory: used, refusal };
}

const CLOCK_UNKNOWN = "the clock is not known to be good";

/** Asked again when its turn comes. */
export function staleness({ issuedMs, expiresMs }: CommandContent, { nowMs, isClockGood }: Now): string | undefined {
  if (!isClockGood) return CLOCK_UNKNOWN;
  if (expiresMs <= issuedMs || expiresMs - issuedMs > LIFETIME_MAX_MS)
    return `it does not expire within ${LIFETIME_MAX_MS / 1_000} s of its issue`;
  if (issuedMs > nowMs + AHEAD_MAX_MS)
    return `it is issued at ${at(issuedMs)}, and here it is ${at(nowMs)}: compare the clocks`;
  return nowMs >= expiresMs ? `it expired at ${at(expiresMs)}, and here it is ${at(nowMs)}` : undefined;
}

/** As it is from the first good time after a start on: whatever was carried out before was issued before. */
export function begun(memory: CommandMemoryState, nowMs: number): CommandMemoryState {
  const { horizonMs = 0, latestMs = 0 } = memory;
  return { ...memory, horizonMs: Math.max(nowMs + AHEAD_MAX_MS, latestMs, horizonMs) };
}

function prune(memory: CommandMemoryState, nowMs: number): CommandMemoryState {
  const { horizonMs, nonces } = memory;
  const old = [...nonces.values()].filter((issuedMs) => issuedMs + LIFETIME_MAX_MS < nowMs);
  const next = Math.max(horizonMs ?? 0, ...old);
  return { ...memory, horizonMs: next, nonces: new Map([...nonces].filter(([, issuedMs]) => issuedMs > next)) };
}

/** What was issued before it is refused from now on, so the nonces of that are of no more use. */
function afterLatest(memory: CommandMemoryState, latestMs: number): CommandMemoryState {
  return { ...memory, latestMs, nonces: new Map([...memory.nonces].filter(([, issuedMs]) => issuedMs >= latestMs)) };
}

function refused(refusal: string): Judged {
  return { refusal };
}

function at(ms: number): string {
  const date = new Date(ms);
  return Number.isNaN(date.getTime()) ? `${ms}` : date.toISOString();
}
