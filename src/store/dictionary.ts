/** The tags of the file by key. Blocks and losses refer to them, whatever the configuration says today. */
import { PRIORITIES, type Priority, type TagRef, tagId, VALUE_TYPES, type ValueType } from "../core/tag.ts";
import type { TagEntry } from "./block-store.ts";

/** More than a file ever gives: a name takes bytes, and unused ones are forgotten. */
const KEYS_MAX = 1_000_000;
/** Far above what any life of a file gives, and below what a number can count. */
const KEY_MAX = 2 ** 52;
/** Wider than what gateway.yaml takes today, without what breaks a topic or a line. Tags of the gateway itself have a slash. */
const DEVICE_NAME = /^[^\p{C}\s/+#]{1,256}$/u;
const TAG_NAME = /^[^\p{C}\s+#]{1,256}$/u;

/** Of tags that may be missing here blocks have keys all the same: an entry that no tag has, and new keys lie above. */
export function fenceAbove(known: readonly TagEntry[]): TagEntry {
  const highest = known.reduce((max, { key }) => Math.max(max, key), 0);
  return { key: highest + KEYS_MAX, device: "", name: "", type: "" };
}

/** Names go into topics, logs and tables: those that no configuration takes are a foreign hand's, or a fence. */
function isNamed({ device, name }: TagEntry): boolean {
  return DEVICE_NAME.test(device) && TAG_NAME.test(name);
}

export class Dictionary {
  readonly #keys = new Map<string, number>();
  readonly #entries = new Map<number, TagEntry>();
  /** Tags as read back, shared by all samples of a key and priority. */
  readonly #refs = new Map<string, TagRef>();
  /** Most samples bring the very same object again. */
  #known = new WeakMap<TagRef, number>();
  #unstored: TagEntry[] = [];
  #nextKey = 1;

  constructor(stored: readonly TagEntry[]) {
    // A foreign hand may have written keys above which no number is the next one: two tags would share it.
    for (const entry of stored) if (entry.key > 0 && entry.key <= KEY_MAX) this.#put(entry);
  }

  keyOf(tag: TagRef): number {
    const known = this.#known.get(tag);
    if (known !== undefined) return known;
    const name = textOf(tag);
    let key = this.#keys.get(name);
    if (key === undefined) {
      key = this.#nextKey;
      const entry = { key, device: tag.device, name: tag.name, type: tag.type };
      this.#put(entry);
      this.#unstored.push(entry);
    }
    this.#known.set(tag, key);
    return key;
  }

  /** Priority is the block's: that of the configuration may have changed since. */
  tagOf(key: number, priority: Priority): TagRef | undefined {
    const cacheKey = `${key} ${priority}`;
    const cached = this.#refs.get(cacheKey);
    if (cached !== undefined) return cached;
    const entry = this.#entries.get(key);
    if (entry === undefined || !isNamed(entry)) return undefined;
    const { device, name } = entry;
    const tag: TagRef = Object.freeze({ id: tagId(device, name), device, name, type: typeOf(entry.type), priority });
    this.#refs.set(cacheKey, tag);
    return tag;
  }

  /** Every tag of it; its priority is not known here. */
  all(): readonly TagRef[] {
    return [...this.#entries.keys()].flatMap((key) => this.tagOf(key, "normal") ?? []);
  }

  /** Entries that the file does not have yet, for the next commit. */
  unstored(): readonly TagEntry[] {
    return [...this.#unstored];
  }

  stored(entries: readonly TagEntry[]): void {
    const keys = new Set(entries.map((entry) => entry.key));
    this.#unstored = this.#unstored.filter((entry) => !keys.has(entry.key));
  }

  /** Entries that are in the file. */
  get storedCount(): number {
    return this.#entries.size - this.#unstored.length;
  }

  /** Keys of stored entries that none of these tags has. */
  unusedBy(tags: Iterable<TagRef>): readonly number[] {
    const used = new Set([...tags].map((tag) => this.#keys.get(textOf(tag))));
    const unstored = new Set(this.#unstored.map((entry) => entry.key));
    return [...this.#entries.keys()].filter((key) => !used.has(key) && !unstored.has(key));
  }

  /** The file has these no more; their keys are not given again in this life. */
  forget(keys: readonly number[]): void {
    if (keys.length === 0) return;
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) this.#keys.delete(textOf(entry));
      this.#entries.delete(key);
    }
    this.#refs.clear();
    this.#known = new WeakMap();
  }

  /** The file was replaced by an empty one. */
  forgetStored(): void {
    this.#unstored = [...this.#entries.values()];
  }

  #put(entry: TagEntry): void {
    this.#entries.set(entry.key, entry);
    this.#keys.set(textOf(entry), entry.key);
    this.#nextKey = Math.max(this.#nextKey, entry.key + 1);
  }
}

/** No name contains a line feed: those of the configuration are words, and others are only compared. */
function textOf(tag: { readonly device: string; readonly name: string; readonly type: string }): string {
  return `${tag.device}\n${tag.name}\n${tag.type}`;
}

function typeOf(text: string): ValueType {
  return VALUE_TYPES.find((type) => type === text) ?? "string";
}

export function rankOf(priority: Priority): number {
  return PRIORITIES.indexOf(priority);
}

export function priorityOf(rank: number): Priority {
  return PRIORITIES[rank] ?? "normal";
}

/** Tags that are configured no more may still have samples here. */
export function withFormer(tags: readonly TagRef[], former: readonly TagRef[]): readonly TagRef[] {
  const named = new Set(tags.map(({ id }) => id));
  return [...tags, ...former.filter(({ id }) => !named.has(id))];
}
