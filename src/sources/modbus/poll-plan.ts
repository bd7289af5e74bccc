/** Which registers are read together. Pure: tags in, block reads out. */
import type { DeviceConfig, LineConfig, RegisterRange, RegisterTable, RegisterTag } from "../../config/config.ts";
import { assert } from "../../core/errors.ts";
import { cheapestBlocks } from "./read-blocks.ts";
import {
  ADDRESS_MAX,
  BITS_MAX,
  BITS_PER_REGISTER,
  isBitTable,
  paddingStep,
  REGISTERS_MAX,
  rangeOf,
} from "./register-map.ts";
import { DEVICE_LATENCY_MS, pauseMs, silentIntervalMs, transferMaxMs } from "./wire-time.ts";

/** A request, and head and checksum of its reply: the characters of a read besides its data. */
export const READ_OVERHEAD_BYTES = 13;

const BYTES_PER_REGISTER = 2;

/** A read can be made longer by so many steps to be told apart from those before it. */
export const PADDING_MAX_STEPS = 4;

/** One request, again and again. */
export interface PollRead {
  readonly device: DeviceConfig;
  readonly table: RegisterTable;
  readonly address: number;
  readonly quantity: number;
  /** The shortest scanRate of its tags. */
  readonly periodMs: number;
  /** By address; each lies in the read as a whole. */
  readonly tags: readonly RegisterTag[];
  /** Written right before, each time; nothing else is asked between. */
  readonly writeFirst?: NonNullable<RegisterTag["writeFirst"]>;
  /** Steps by which the read may grow at its end: a register each, or eight bits. */
  readonly paddingSteps: number;
  /** The first step covers only what other tags of the device are read from. */
  readonly paddingKnown: boolean;
}

interface Placed {
  readonly tag: RegisterTag;
  readonly range: RegisterRange;
}

/** Registers that cost less to read through than a second request, at this speed. */
export function defaultMaxGap(line: Pick<LineConfig, "serial" | "turnaroundDelayMs">): number {
  const { serial } = line;
  const pausesMs = pauseMs(line) + silentIntervalMs(serial);
  const requestMs = transferMaxMs(serial, READ_OVERHEAD_BYTES) + pausesMs + DEVICE_LATENCY_MS;
  return Math.floor(requestMs / transferMaxMs(serial, BYTES_PER_REGISTER));
}

/**
 * A device's tags as the reads that take least of the line within the device's limits. That one request can hold each
 * tag is a rule of gateway.yaml.
 */
export function planReads(device: DeviceConfig, defaultGap: number): readonly PollRead[] {
  const placed = place(device.tags.filter((t) => t.enabled));
  for (const { tag, range } of placed) assert(isReadable(device, range), `no single request can read ${tag.id}`);
  // What is read behind different writes are different registers.
  const groups = new Map<string, { readonly table: RegisterTable; readonly group: Placed[] }>();
  for (const one of placed) {
    const { table } = one.range;
    const key = `${table} ${pageOf(one.tag)}`;
    const group = groups.get(key)?.group ?? [];
    group.push(one);
    groups.set(key, { table, group });
  }
  const maxGap = device.maxGap ?? defaultGap;
  return [...groups.values()].flatMap(({ table, group }) => planTable(device, table, group, maxGap));
}

function planTable(
  device: DeviceConfig,
  table: RegisterTable,
  group: readonly Placed[],
  maxGap: number,
): readonly PollRead[] {
  const spans = group.map(({ tag, range }) => ({ tag, range, ...range, periodMs: tag.scanRateMs }));
  const blocks = cheapestBlocks(spans, {
    // So a gap of maxGap is worth reading through, and a wider one is not.
    requestCost: (isBitTable(table) ? maxGap * BITS_PER_REGISTER : maxGap) + 0.5,
    fits: (from, to) => isReadable(device, { table, from, to }),
  });
  return blocks.map((block) => makeRead(device, block, group));
}

/**
 * Two reads in place of one, to find which register a device refuses: cut at the widest gap, because what lies in a
 * gap was never asked for by anyone, else in the middle. undefined: no cut leaves every tag whole.
 */
export function splitRead(read: PollRead): readonly [PollRead, PollRead] | undefined {
  const placed = place(read.tags);
  const cut = cutOf(placed);
  if (cut === undefined) return undefined;
  const { device } = read;
  const page = pageOf(read);
  const group = place(device.tags.filter((tag) => tag.enabled && pageOf(tag) === page));
  return [makeRead(device, placed.slice(0, cut), group), makeRead(device, placed.slice(cut), group)];
}

/** Whether splitRead() has two reads for it. */
export function isSplittable(read: PollRead): boolean {
  return cutOf(place(read.tags)) !== undefined;
}

/** How many tags lie before the cut. */
function cutOf(placed: readonly Placed[]): number | undefined {
  let best: { readonly at: number; readonly gap: number; readonly skew: number } | undefined;
  let reach = -1;
  for (const [at, { range }] of placed.entries()) {
    const gap = range.from - reach - 1;
    const skew = Math.abs(at - placed.length / 2);
    const better = best === undefined || gap > best.gap || (gap === best.gap && skew < best.skew);
    if (at > 0 && gap >= 0 && better) best = { at, gap, skew };
    reach = Math.max(reach, range.to);
  }
  return best?.at;
}

function place(tags: readonly RegisterTag[]): readonly Placed[] {
  return tags.map((tag) => ({ tag, range: rangeOf(tag) }));
}

/** Two tags on one page are read behind the same write. */
function pageOf({ writeFirst }: Pick<RegisterTag, "writeFirst">): string {
  return writeFirst === undefined ? "" : `${writeFirst.address}=${writeFirst.value}`;
}

/** @param group all that can be read on the same page */
function makeRead(device: DeviceConfig, block: readonly Placed[], group: readonly Placed[]): PollRead {
  const placed = block.toSorted((a, b) => a.range.from - b.range.from || a.range.to - b.range.to);
  const [first] = placed;
  assert(first !== undefined, "a read without tags");
  const { table, from } = first.range;
  const to = Math.max(...placed.map((p) => p.range.to));
  const step = paddingStep(table);
  let paddingSteps = 0;
  while (paddingSteps < PADDING_MAX_STEPS && isReadable(device, { table, from, to: to + step * (paddingSteps + 1) })) {
    paddingSteps += 1;
  }
  return {
    device,
    table,
    address: from,
    quantity: to - from + 1,
    periodMs: Math.min(...placed.map((p) => p.tag.scanRateMs)),
    tags: placed.map((p) => p.tag),
    ...(first.tag.writeFirst !== undefined && { writeFirst: first.tag.writeFirst }),
    paddingSteps,
    paddingKnown: paddingSteps > 0 && isCovered(group, { table, from: to + 1, to: to + step }),
  };
}

function isReadable(device: DeviceConfig, range: RegisterRange): boolean {
  const bits = isBitTable(range.table);
  const limit = bits ? Math.min(device.maxQuantity * BITS_PER_REGISTER, BITS_MAX) : device.maxQuantity;
  if (range.to > ADDRESS_MAX || range.to - range.from + 1 > Math.min(limit, bits ? BITS_MAX : REGISTERS_MAX)) {
    return false;
  }
  return !device.unreadable.some((u) => u.table === range.table && u.from <= range.to && u.to >= range.from);
}

function isCovered(group: readonly Placed[], { table, from, to }: RegisterRange): boolean {
  for (let address = from; address <= to; address++) {
    if (!group.some(({ range: r }) => r.table === table && r.from <= address && address <= r.to)) return false;
  }
  return true;
}
