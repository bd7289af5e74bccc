/**
 * Which spans of one table are read together, for the least time on the wire. Pure; in registers, or in bits for the
 * tables of bits.
 *
 * For one period the answer is exact: between two requests that overlap, or of which one lies in the other, spans can
 * change sides until they follow each other, at no cost. So only runs in the order of addresses need to be compared.
 * Spans of several periods may share a request, at the shortest of their periods, where that takes less of the line.
 */

/** What must be read whole, and how often. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly periodMs: number;
}

export interface BlockRules {
  /** What one more request costs, as so many registers or bits read for nothing. */
  readonly requestCost: number;
  /** Whether one request may ask for all of it. Where it may not, it may not ask for more either. */
  readonly fits: (from: number, to: number) => boolean;
}

/** Non-empty. */
type Block<S extends Span> = readonly S[];

/** Every span in exactly one block. What one request of its own cannot hold must not be among them. */
export function cheapestBlocks<S extends Span>(spans: readonly S[], rules: BlockRules): readonly Block<S>[] {
  const together = inOrder(spans, rules);
  if (spans.every(({ periodMs }) => periodMs === spans[0]?.periodMs)) return together;
  const apart = byPeriod(spans, rules);
  return load(together, rules) < load(apart, rules) ? together : apart;
}

/** Share of the line that the blocks take, in registers or bits a millisecond. */
export function load(blocks: readonly Block<Span>[], { requestCost }: BlockRules): number {
  return blocks.reduce((sum, block) => sum + costOf(requestCost, hullOf(block)), 0);
}

/** The best of all partitions into runs of neighbours. */
function inOrder<S extends Span>(spans: readonly S[], rules: BlockRules): readonly Block<S>[] {
  const sorted = spans.toSorted((a, b) => a.from - b.from || a.to - b.to);
  // For each length of the beginning: what its best partition costs, and where the last block of it begins.
  const best: { readonly cost: number; readonly begin: number }[] = [{ cost: 0, begin: 0 }];
  for (let end = 1; end <= sorted.length; end++) {
    let hull: Span | undefined;
    let chosen = { cost: Number.POSITIVE_INFINITY, begin: end - 1 };
    for (let begin = end - 1; begin >= 0; begin--) {
      const span = sorted[begin];
      if (span === undefined) break;
      hull = hull === undefined ? span : join(hull, span);
      if (!rules.fits(hull.from, hull.to)) break;
      const cost = (best[begin]?.cost ?? 0) + costOf(rules.requestCost, hull);
      if (cost < chosen.cost) chosen = { cost, begin };
    }
    best.push(chosen);
  }
  const blocks: Block<S>[] = [];
  for (let end = sorted.length; end > 0; ) {
    const begin = best[end]?.begin ?? 0;
    blocks.unshift(sorted.slice(begin, end));
    end = begin;
  }
  return blocks;
}

/**
 * The fastest first, each period by itself; of a slower one, what a faster request reads anyway goes with that, and a
 * block where lengthening a faster request costs less than one of its own.
 */
function byPeriod<S extends Span>(spans: readonly S[], rules: BlockRules): readonly Block<S>[] {
  const periods = [...new Set(spans.map((span) => span.periodMs))].sort((a, b) => a - b);
  let blocks: readonly Block<S>[] = [];
  for (const periodMs of periods) {
    const slower = spans.filter((span) => span.periodMs === periodMs);
    blocks = withSlower(blocks, slower, rules);
  }
  return blocks;
}

function withSlower<S extends Span>(
  faster: readonly Block<S>[],
  slower: readonly S[],
  rules: BlockRules,
): readonly Block<S>[] {
  let blocks = faster;
  let rest = slower;
  for (;;) {
    const { covering, uncovered } = cover(blocks, rest);
    const own = inOrder(uncovered, rules);
    const joints = savingJoints(covering, own, rules);
    if (joints.length === 0) return [...covering, ...own];
    const gains = new Map(joints.map(({ into, block }) => [into, block]));
    const gone = new Set(joints.flatMap(({ block }) => block));
    blocks = covering.map((block) => [...block, ...(gains.get(block) ?? [])]);
    rest = uncovered.filter((span) => !gone.has(span));
  }
}

function cover<S extends Span>(blocks: readonly Block<S>[], spans: readonly S[]) {
  const grown = blocks.map((block) => ({ hull: hullOf(block), spans: [...block] }));
  const uncovered: S[] = [];
  for (const span of spans) {
    const home = grown.find(({ hull }) => hull.from <= span.from && span.to <= hull.to);
    if (home === undefined) uncovered.push(span);
    else home.spans.push(span);
  }
  return { covering: grown.map((block): Block<S> => block.spans), uncovered };
}

interface Joint<S extends Span> {
  readonly into: Block<S>;
  readonly block: Block<S>;
  readonly saved: number;
}

/** Faster blocks and slower ones that cost less as one. The best first, each block in one of them only. */
function savingJoints<S extends Span>(
  faster: readonly Block<S>[],
  slower: readonly Block<S>[],
  { requestCost, fits }: BlockRules,
): readonly Joint<S>[] {
  const joints: Joint<S>[] = [];
  const hulls = slower.map((block) => ({ block, hull: hullOf(block) }));
  for (const into of faster) {
    const hull = hullOf(into);
    const alone = costOf(requestCost, hull);
    for (const { block, hull: other } of hulls) {
      const whole = join(hull, other);
      const saved = alone + costOf(requestCost, other) - costOf(requestCost, whole);
      if (saved > 0 && fits(whole.from, whole.to)) joints.push({ into, block, saved });
    }
  }
  const taken = new Set<Block<S>>();
  return joints
    .sort((a, b) => b.saved - a.saved)
    .filter(({ into, block }) => {
      if (taken.has(into) || taken.has(block)) return false;
      taken.add(into).add(block);
      return true;
    });
}

function costOf(requestCost: number, { from, to, periodMs }: Span): number {
  return (requestCost + to - from + 1) / periodMs;
}

function hullOf(block: Block<Span>): Span {
  return block.reduce(join);
}

function join(a: Span, b: Span): Span {
  return {
    from: Math.min(a.from, b.from),
    to: Math.max(a.to, b.to),
    periodMs: Math.min(a.periodMs, b.periodMs),
  };
}
