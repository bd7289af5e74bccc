/** How much of something may happen: so many at once, so many a second after that. Pure. */
export interface Allowance {
  readonly left: number;
  /** Monotonic. */
  readonly atMs: number;
}

export interface Rate {
  readonly burst: number;
  readonly perS: number;
}

export function fullAllowance({ burst }: Rate, nowMs: number): Allowance {
  return { left: burst, atMs: nowMs };
}

/** With one taken out; undefined where none is left. */
export function takeOne(allowance: Allowance, { burst, perS }: Rate, nowMs: number): Allowance | undefined {
  const left = Math.min(burst, allowance.left + ((nowMs - allowance.atMs) * perS) / 1_000);
  return left < 1 ? undefined : { left: left - 1, atMs: nowMs };
}
