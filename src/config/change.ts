/** What differs between two configurations, as far as it decides what a reload may leave running. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { Config } from "./config.ts";

export interface Change {
  /** By name of a line that stays as it was: its place in the old configuration. */
  readonly keptLines: ReadonlyMap<string, number>;
  /** Names of devices that are read on as they were. */
  readonly keptDevices: ReadonlySet<string>;
  readonly keepsInputs: boolean;
  /** Nothing has changed that any broker is told of. */
  readonly keepsUplinks: boolean;
  /** Sections that a running gateway does not change. */
  readonly needsRestart: readonly string[];
}

/** The device that all inputs are, and the one that the gateway is itself. */
const INPUTS = "inputs";
const GATEWAY = "gateway";

export function changeOf(before: Config, next: Config): Change {
  const keptLines = new Map<string, number>();
  for (const line of next.lines) {
    const index = before.lines.findIndex((old) => isDeepStrictEqual(old, line));
    if (index >= 0) keptLines.set(line.name, index);
  }
  const keepsInputs = isDeepStrictEqual(before.inputs, next.inputs);
  const keptDevices = new Set(
    next.lines.filter(({ name }) => keptLines.has(name)).flatMap(({ devices }) => devices.map(({ name }) => name)),
  );
  keptDevices.add(GATEWAY);
  if (keepsInputs) keptDevices.add(INPUTS);
  const keepsField = keptLines.size === next.lines.length && next.lines.length === before.lines.length && keepsInputs;
  return {
    keptLines,
    keptDevices,
    keepsInputs,
    keepsUplinks: keepsField && isDeepStrictEqual(toldBy(before), toldBy(next)),
    needsRestart: (["outbox", "clock"] as const).filter((key) => !isDeepStrictEqual(before[key], next[key])),
  };
}

/** What a session says and hears, beside the field. */
function toldBy({ gateway, uplinks, commands }: Config): readonly unknown[] {
  return [gateway, uplinks, commands];
}
