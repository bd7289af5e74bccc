/** What an outage leaves in the outbox: samples of the configured tags with made-up values, in the order of time. */
import { seededRandom } from "../../core/random.ts";
import type { Tag, Value } from "../../core/tag.ts";
import type { NumberedSample } from "../../pipeline.ts";
import { UNIX_S } from "./made-site.ts";
import { MadeValues } from "./made-values.ts";
import type { Turn, TurnTag } from "./turn.ts";

const SEED = 2;

/** Eight blocks of it: what one of them is short of does not weigh. */
const SAMPLES = 8_192;
/** Looks at tags, told or not, before it is enough all the same. */
const LOOKS_MAX = 2_000_000;

interface Look {
  readonly atMs: number;
  readonly turn: Turn;
  readonly nth: number;
}

/** Of one tag. */
interface Told {
  value: Value;
  readAtMs: number;
  toldAtMs: number;
  suppressed: boolean;
}

/** @param samplesPerS as foretold: it says how long an outage is needed */
export function madeOutage(turns: readonly Turn[], share: number, samplesPerS: number): readonly NumberedSample[] {
  const outage = new Outage(share);
  const looksPerMs = turns.reduce((sum, { tags, periodMs }) => sum + tags.length / periodMs, 0);
  const spanMs = Math.min((SAMPLES / samplesPerS) * 1_000, LOOKS_MAX / looksPerMs);
  for (const look of looksOf(turns, spanMs)) outage.take(look);
  return outage.samples;
}

/** Each turn begins at a moment of its own. */
function looksOf(turns: readonly Turn[], spanMs: number): readonly Look[] {
  const random = seededRandom(SEED);
  const looks = turns.flatMap((turn) => {
    const firstMs = random.next() * turn.periodMs;
    const count = Math.ceil(Math.max(0, spanMs - firstMs) / turn.periodMs);
    return Array.from({ length: count }, (_, nth) => ({ atMs: Math.round(firstMs + nth * turn.periodMs), turn, nth }));
  });
  return looks.sort((a, b) => a.atMs - b.atMs);
}

class Outage {
  readonly samples: NumberedSample[] = [];
  readonly #share: number;
  readonly #random = seededRandom(SEED);
  readonly #made = new MadeValues();
  readonly #told = new Map<string, Told>();

  constructor(share: number) {
    this.#share = share;
  }

  take({ atMs, turn, nth }: Look): void {
    for (const each of turn.tags) if (nth % each.every === 0) this.#look(each, atMs);
  }

  /** As the tag table decides. */
  #look({ tag, motion }: TurnTag, atMs: number): void {
    const known = this.#told.get(tag.id) ?? this.#begin(tag, atMs);
    const changes = motion === "always" || (motion === "as asked" && this.#random.next() < this.#share);
    if (changes && known.suppressed) this.#push(tag, known, true);
    if (changes) known.value = this.#made.next(tag);
    known.readAtMs = atMs;
    known.suppressed = !changes && atMs - known.toldAtMs < tag.maxIntervalMs;
    if (known.suppressed) return;
    known.toldAtMs = atMs;
    this.#push(tag, known, false);
  }

  /** It was told at some time before. */
  #begin(tag: Tag, atMs: number): Told {
    const toldAtMs = atMs - this.#random.next() * tag.maxIntervalMs;
    const told = { value: this.#made.next(tag), readAtMs: atMs, toldAtMs, suppressed: false };
    this.#told.set(tag.id, told);
    return told;
  }

  #push(tag: Tag, { value, readAtMs }: Told, isReadBefore: boolean): void {
    const number = this.samples.length + 1;
    const sample = {
      tag,
      value,
      status: "Good" as const,
      sourceTimestampMs: UNIX_S * 1_000 + readAtMs,
      epoch: UNIX_S,
      number,
    };
    this.samples.push(isReadBefore ? { ...sample, readBefore: true } : sample);
  }
}
