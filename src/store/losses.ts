/**
 * What one uplink did not and will not get: records that merge as they grow, and stay until its broker has
 * acknowledged them. Pure.
 */
import type { Priority, TagRef } from "../core/tag.ts";
import type { Loss, LossReason } from "../pipeline.ts";
import { isUndated, type StoredSample } from "./stored-sample.ts";

/** Records of one uplink. Beyond, the oldest of one reason and priority merge, over epochs. */
export const MAX_LOSSES = 32;

/** A loss that has no id yet. Its tags are of one priority, or of all where nothing is known (`mixed`). */
export interface LossDraft extends Omit<Loss, "id"> {
  readonly priority: Priority | "mixed";
  /** `fromMs` is the best-known time of this boot, and will be another one. */
  readonly fromBoot?: string;
  /** The same for `toMs`. */
  readonly toBoot?: string;
}

export type LossSpan = Pick<LossDraft, "epoch" | "toEpoch" | "fromMs" | "toMs" | "fromBoot" | "toBoot">;

export interface LossRecord extends LossDraft {
  readonly id: number;
}

/** One draft an epoch and time base of samples of one priority, with a count per tag. */
export function draftsOf(reason: LossReason, samples: Iterable<StoredSample>): LossDraft[] {
  const drafts = new Map<string, { draft: LossDraft; fromMs: number; toMs: number; counts: Map<TagRef, number> }>();
  for (const sample of samples) {
    const { tag, epoch } = sample;
    const boot = isUndated(sample) ? sample.boot : undefined;
    const at = isUndated(sample) ? sample.bootMs + sample.knownOffsetMs : sample.sourceTimestampMs;
    const key = `${tag.priority} ${epoch} ${boot}`;
    let entry = drafts.get(key);
    if (entry === undefined) {
      const draft: LossDraft = {
        reason,
        epoch,
        toEpoch: epoch,
        fromMs: at,
        toMs: at,
        priority: tag.priority,
        tags: [],
        ...spanIn(boot),
      };
      entry = { draft, fromMs: at, toMs: at, counts: new Map() };
      drafts.set(key, entry);
    }
    entry.fromMs = Math.min(entry.fromMs, at);
    entry.toMs = Math.max(entry.toMs, at);
    entry.counts.set(tag, (entry.counts.get(tag) ?? 0) + 1);
  }
  return [...drafts.values()].map(({ draft, fromMs, toMs, counts }) => ({
    ...draft,
    fromMs,
    toMs,
    tags: [...counts].map(([tag, count]) => ({ tag, count })),
  }));
}

/**
 * Adds a loss. One of the same reason, priority and epoch takes it in, under a new id: an acknowledgement that is
 * under way for the record as it was must not end the record as it is.
 */
export function addLoss(losses: readonly LossRecord[], draft: LossDraft, id: number): readonly LossRecord[] {
  const same = losses.find(
    (loss) => isSameKind(loss, draft) && loss.epoch === draft.epoch && loss.toEpoch === draft.toEpoch,
  );
  const partner = same ?? (losses.length >= MAX_LOSSES ? crowdedPartner(losses, draft) : undefined);
  if (partner === undefined) return [...losses, { ...draft, id }];
  return [...losses.filter((loss) => loss !== partner), { ...merge(partner, draft), id }];
}

function isSameKind(a: LossDraft, b: LossDraft): boolean {
  const isOneBase = a.fromBoot === b.fromBoot && a.toBoot === b.toBoot;
  return a.reason === b.reason && a.priority === b.priority && isOneBase;
}

/** Of a stretch that lies in one boot, or in UTC. */
export function spanIn(boot: string | undefined): Pick<LossDraft, "fromBoot" | "toBoot"> {
  return boot === undefined ? {} : { fromBoot: boot, toBoot: boot };
}

/**
 * In UTC; undefined as long as a boot of it is not dated.
 * @param shiftOf what makes a best-known time of a boot right
 */
export function datedLoss(
  loss: LossDraft,
  shiftOf: (boot: string | undefined) => number | undefined,
): LossDraft | undefined {
  const fromShiftMs = shiftOf(loss.fromBoot);
  const toShiftMs = shiftOf(loss.toBoot);
  if (fromShiftMs === undefined || toShiftMs === undefined) return undefined;
  const { fromBoot: _, toBoot: __, ...rest } = loss;
  const fromMs = loss.fromMs + fromShiftMs;
  return { ...rest, fromMs, toMs: Math.max(fromMs, loss.toMs + toShiftMs) };
}

/** At the limit epochs no longer keep records apart; the kinds are few. */
function crowdedPartner(losses: readonly LossRecord[], draft: LossDraft): LossRecord | undefined {
  return losses.find((loss) => isSameKind(loss, draft));
}

function merge(a: LossDraft, b: LossDraft): LossDraft {
  const tags = new Map<string, { tag: TagRef; count: number | null }>();
  for (const { tag, count } of [...a.tags, ...b.tags]) {
    const key = `${tag.id} ${tag.type}`;
    const before = tags.get(key);
    const sum = before === undefined ? count : before.count === null || count === null ? null : before.count + count;
    tags.set(key, { tag, count: sum });
  }
  return {
    reason: a.reason,
    priority: a.priority,
    ...(a.fromBoot !== undefined && { fromBoot: a.fromBoot }),
    ...(a.toBoot !== undefined && { toBoot: a.toBoot }),
    epoch: Math.min(a.epoch, b.epoch),
    toEpoch: Math.max(a.toEpoch, b.toEpoch),
    fromMs: Math.min(a.fromMs, b.fromMs),
    toMs: Math.max(a.toMs, b.toMs),
    tags: [...tags.values()],
  };
}

/** Samples that are known to be lost. */
export function lostSamples(draft: LossDraft): number {
  return draft.tags.reduce((sum, { count }) => sum + (count ?? 0), 0);
}
