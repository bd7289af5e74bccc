/**
 * Keeps the reply to one request from being taken for that to another, where the request cannot be made longer to tell
 * them apart: writes and identification. What may still come in the same form within maxLate is waited for, be it late
 * or a second time. Only a write that is repeated with no other one between may go at once: whichever of its replies
 * comes, the device holds what it says. Pure.
 */
import { type BusRequest, type ReadRequest, requestFunctionCode } from "./bus-request.ts";

interface Awaited {
  /** What its reply looks like. */
  readonly reply: string;
  readonly functionCode: number;
  readonly answered: boolean;
  readonly untilMs: number;
}

/** What is known of one unit. */
export interface WriteGuard {
  readonly awaited: readonly Awaited[];
  /** The last request that changed something. */
  readonly lastWrite: string | undefined;
}

export interface GuardedRequest {
  readonly functionCode: number;
  readonly reply: string;
  /** All of it, where it only changes something; undefined where it asks for values, too. */
  readonly write: string | undefined;
  readonly changes: boolean;
}

export const NOTHING_WRITTEN: WriteGuard = { awaited: [], lastWrite: undefined };

/** From when on the request may go. */
export function clearAtMs(guard: WriteGuard, request: GuardedRequest, nowMs: number): number {
  if (request.write !== undefined && request.write === guard.lastWrite) return nowMs;
  const alike = guard.awaited.filter((a) => a.reply === request.reply);
  return Math.max(nowMs, ...alike.map((a) => a.untilMs));
}

/** An exception that comes now answers the request that is asked now, and none before it. */
export function isExceptionClear(guard: WriteGuard, functionCode: number, nowMs: number): boolean {
  return !guard.awaited.some((a) => a.functionCode === functionCode && !a.answered && a.untilMs > nowMs);
}

/** The request was sent; its reply, or a second one, may come until that time. */
export function sent(
  guard: WriteGuard,
  request: GuardedRequest,
  answered: boolean,
  untilMs: number,
  nowMs: number,
): WriteGuard {
  const { functionCode, reply, changes } = request;
  const others = guard.awaited.filter((a) => a.untilMs > nowMs && !(a.answered === answered && a.reply === reply));
  const lastWrite = changes ? request.write : guard.lastWrite;
  return { awaited: [...others, { reply, functionCode, answered, untilMs }], lastWrite };
}

/** What the guard must know of a request: no two with different replies have the same `reply`. */
export function guardedRequest(request: Exclude<BusRequest, ReadRequest>): GuardedRequest {
  const functionCode = requestFunctionCode(request);
  const whole = { functionCode, write: JSON.stringify(request), changes: true };
  switch (request.kind) {
    case "writeCoil":
    case "writeRegister":
    case "maskRegister":
      return { ...whole, reply: whole.write };
    case "writeCoils":
    case "writeRegisters":
      return { ...whole, reply: `${functionCode} ${request.address} ${request.values.length}` };
    case "writeThenRead":
      return { ...whole, reply: `${functionCode} ${request.quantity}`, write: undefined };
    case "serverId":
      return { functionCode, reply: `${functionCode}`, write: undefined, changes: false };
    case "identification":
      return {
        functionCode,
        reply: `${functionCode} ${request.code} ${request.objectId}`,
        write: undefined,
        changes: false,
      };
  }
}
