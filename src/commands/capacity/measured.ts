/** What a running gateway was measured to take, and what the unit allows it. */

/** A steady load, of so many tags, each changed and published once a second by one JSON uplink. */
interface Measured {
  readonly tags: number;
  readonly rssBytes: number;
  /** Percent of one core. */
  readonly cpu: number;
}

/**
 * `npm run bench:footprint` on 2026-11-22 and 23: the release on Node 20.20, two x86-64 cores; the most of four runs,
 * each beside a soak or two.
 */
export const FOOTPRINT: readonly Measured[] = [
  { tags: 1, rssBytes: 76e6, cpu: 0.5 },
  { tags: 100, rssBytes: 79e6, cpu: 1.5 },
  { tags: 1_000, rssBytes: 85e6, cpu: 5.6 },
  { tags: 10_000, rssBytes: 107e6, cpu: 19.8 },
];
/** Node 24.21 took 15 to 23 MB more, beside a soak. */
export const FOOTPRINT_MEASURED =
  "npm run bench:footprint, 2026-11-23, Node 20 on x86-64; Node 24, which images bring, takes some 25 MB more";

/** By how much a backlog of millions grows the process while it drains: `npm run bench:replay` on 2026-11-22. */
export const DRAIN_BYTES = 17.3e6;

/** systemd/sallyport.service: MemoryMax; a test holds them equal. */
export const UNIT_MEMORY_MAX_BYTES = 512 * 1_048_576;

/**
 * From the first packet to CONNACK, both ways, at a Mosquitto: TLS 1.3 with an elliptic certificate on both sides.
 * `npm run bench:capacity -- --only connect` on 2026-11-22. Longer chains take more.
 */
export const HANDSHAKE_BYTES = 4_800;

/** Between two loads that were measured; above the largest one as from the last to it. */
export function footprintOf(tags: number, valuesPerS: number): { readonly rssBytes: number; readonly cpu: number } {
  return {
    // Each was read once a second: whatever is more counts.
    rssBytes: along(Math.max(tags, valuesPerS), ({ rssBytes }) => rssBytes),
    cpu: along(valuesPerS, ({ cpu }) => cpu),
  };
}

function along(load: number, of: (measured: Measured) => number): number {
  const above = FOOTPRINT.findIndex(({ tags }, i) => i > 0 && load <= tags);
  const end = above < 0 ? FOOTPRINT.length - 1 : above;
  const [from, to] = [FOOTPRINT[end - 1], FOOTPRINT[end]];
  if (from === undefined || to === undefined) return Number.NaN;
  const share = Math.max(0, load - from.tags) / (to.tags - from.tags);
  return of(from) + share * (of(to) - of(from));
}
