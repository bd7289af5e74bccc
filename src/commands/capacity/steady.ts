/**
 * How many samples and messages a turn gives in the long run, where each look finds a tag changed with some chance, by
 * the rules of the tag table: a change is told; before it the read that was not told; and what does not change is told
 * again after maxInterval. Pure.
 */
import type { Turn, TurnTag } from "./turn.ts";

/** Of a turn, in the mean. */
export interface Steady {
  /** Chance that anything is told. */
  readonly messages: number;
  /** Samples of each of its tags. */
  readonly samples: readonly number[];
}

/** @param share of all looks that find another value, 0 to 1 */
export function steadyOf({ tags, periodMs }: Turn, share: number): Steady {
  const told = tags.map((each) => ({ each, ...toldOf(each, share, periodMs) }));
  // What is looked at together is told together, in a rhythm; all else are chances that multiply.
  const rhythms = [...new Set(tags.map(({ every }) => every))].map((every) => {
    const group = told.filter(({ each }) => each.every === every);
    return (1 - product(group.map(({ changes }) => 1 - changes))) / every;
  });
  // What never changes is told again together, for it was first read together.
  const repeats = told.map(({ each, changes, repeats }) => ({ still: changes === 0, chance: repeats / each.every }));
  const together = Math.max(0, ...repeats.map(({ still, chance }) => (still ? chance : 0)));
  const apart = repeats.flatMap(({ still, chance }) => (still ? [] : [1 - chance]));
  const silence = product(rhythms.map((chance) => 1 - chance)) * (1 - together) * product(apart);
  return { messages: 1 - silence, samples: told.map(({ each, samples }) => samples / each.every) };
}

/** Of one tag, at each of its looks. */
function toldOf({ tag, every, motion }: TurnTag, share: number, periodMs: number) {
  const changes = motion === "always" ? 1 : motion === "never" ? 0 : share;
  // The look at which it is told again, changed or not.
  const last = Math.max(1, Math.ceil(tag.maxIntervalMs / (every * periodMs)));
  // By these functions, for 1 - (1 - a little) is nothing.
  const changesBefore = -Math.expm1(last * Math.log1p(-changes));
  const meanLooks = changes === 0 ? last : changesBefore / changes;
  const readsBefore = Math.max(0, changesBefore - changes);
  return {
    changes,
    repeats: Math.max(0, 1 / meanLooks - changes),
    samples: (1 + readsBefore) / meanLooks,
  };
}

function product(chances: readonly number[]): number {
  return chances.reduce((all, chance) => all * chance, 1);
}
