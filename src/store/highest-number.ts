import { contentOf } from "./block-content.ts";
import type { OpenedBlocks } from "./block-store.ts";
import type { Dictionary } from "./dictionary.ts";
import type { SavedOutbox } from "./saved-facts.ts";

/** Numbers go on above every one that the file knows of. */
export function highestNumber(
  { highest, newest }: OpenedBlocks,
  { uplinks }: SavedOutbox,
  dictionary: Dictionary,
): number {
  const known = [...uplinks.values()]
    .flatMap((progress) => progress?.pending ?? [])
    .map(({ from, to }) => (to === Infinity ? from - 1 : to));
  for (const block of newest) known.push(contentOf(block, dictionary).samples.at(-1)?.number ?? 0);
  return Math.max(0, highest ?? 0, ...known);
}
