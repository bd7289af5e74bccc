/** How a mistake is put into words: what is wrong; what to do. */

/** A validation library hands on one string for a mistake; no text of ours holds a line break. */
const SEPARATOR = "\n";

const SHOWN_CHARS = 40;
/** Where a URL, or what was meant as one, holds a login. */
const BEFORE_HOST = /(?<=^(?:\w+:\/\/)?).*@/s;

export interface Words {
  readonly wrong: string;
  readonly remedy: string;
}

export function says(wrong: string, remedy: string): string {
  return `${wrong}${SEPARATOR}${remedy}`;
}

export function wordsOf(message: string): Words {
  const [wrong = "", remedy = "mend it"] = message.split(SEPARATOR);
  return { wrong, remedy };
}

/** A value of the file as a message shows it: short, on one line, and never a password inside a URL. */
export function shown(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a group of keys";
  if (typeof value !== "string") return String(value);
  const safe = value.replace(BEFORE_HOST, "…@");
  return JSON.stringify(safe.length > SHOWN_CHARS ? `${safe.slice(0, SHOWN_CHARS)}…` : safe);
}

/** A message for a validation: the value is not what it should be. */
export function not(what: string, remedy: string): (issue: { readonly input: unknown }) => string {
  return (issue) => says(`${shown(issue.input)} is not ${what}`, remedy);
}

/** The candidate that was most likely meant; undefined where none is near. */
export function nearest(word: string, candidates: Iterable<string>): string | undefined {
  const wanted = word.toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(word.length / 3)) + 1;
  for (const candidate of candidates) {
    const distance = editDistance(wanted, candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Letters too few, too many, wrong, or two exchanged; at least `limit` once it is certain to reach it. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let before: readonly number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, column) => column);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      const isExchange = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const exchange = isExchange ? (before[j - 2] ?? 0) + 1 : limit;
      next.push(Math.min(substitution, exchange, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    before = row;
    row = next;
  }
  return row[b.length] ?? limit;
}

/** `a, b or c` */
export function listed(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
