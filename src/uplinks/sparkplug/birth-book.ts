/** What the far end was told in this session: which metrics are born, and what it holds for their current values. */
import { isGood, type Status } from "../../core/quality.ts";
import type { TagRef } from "../../core/tag.ts";
import type { Sample } from "../../pipeline.ts";
import { type BornMetric, bornMetric } from "./metrics.ts";

interface Entry {
  readonly born: BornMetric;
  /** The value told as current, by its place in the order of identities; undefined where none was. */
  told: { readonly epoch: number; readonly ms: number; readonly status: Status } | undefined;
}

export class BirthBook {
  readonly #withAliases: boolean;
  /** By tag id. They stay the same for the session, over rebirths. */
  readonly #aliases = new Map<string, number>();
  /** By tag id. */
  readonly #entries = new Map<string, Entry>();
  /** Ids of the tags that each device was born with. */
  readonly #devices = new Map<string, readonly string[]>();
  readonly #owed = new Set<string>();
  /** Tags that are born only because the far end is owed something of them. */
  readonly #former = new Map<string, Map<string, TagRef>>();

  constructor(withAliases: boolean) {
    this.#withAliases = withAliases;
  }

  /** A birth of the node: nothing is born but what follows. */
  begin(): void {
    this.#devices.clear();
    this.#entries.clear();
  }

  /** A birth of the device with these metrics, by tag id. */
  bear(device: string, tags: readonly TagRef[]): void {
    this.#unbear(device);
    for (const tag of tags) this.#entries.set(tag.id, { born: this.#metric(tag), told: undefined });
    this.#devices.set(device, [...new Set(tags.map(({ id }) => id))]);
  }

  isBorn(device: string): boolean {
    return this.#devices.has(device);
  }

  /** The device is told as dead; what was owed of it is told. */
  bury(device: string): void {
    this.#unbear(device);
    this.#former.delete(device);
    this.#owed.delete(device);
  }

  bornDevices(): readonly string[] {
    return [...this.#devices.keys()];
  }

  metric(tag: TagRef): BornMetric | undefined {
    return this.#entries.get(tag.id)?.born;
  }

  /** A metric of the node that is no tag. */
  own({ name, type }: BornMetric): BornMetric {
    return this.#metric({ id: ` ${name}`, name, type });
  }

  /** Something of a tag that is no more is owed: births name it from now on. */
  addFormer(tag: TagRef): void {
    const known = this.#former.get(tag.device) ?? new Map<string, TagRef>();
    if (!known.has(tag.id)) known.set(tag.id, tag);
    this.#former.set(tag.device, known);
  }

  former(device: string): readonly TagRef[] {
    return [...(this.#former.get(device)?.values() ?? [])];
  }

  /** It is born for what is owed of it, lost or not: until it is buried it belongs into every picture. */
  owe(device: string): void {
    this.#owed.add(device);
  }

  owedDevices(): readonly string[] {
    return [...this.#owed];
  }

  dropFormer(device: string): void {
    this.#former.delete(device);
  }

  /** The sample is told as the current value. */
  told({ tag, epoch, sourceTimestampMs, status }: Sample): void {
    const entry = this.#entries.get(tag.id);
    if (entry !== undefined) entry.told = { epoch, ms: sourceTimestampMs, status };
  }

  /** The far end holds a later value for current. */
  isOutdated({ tag, epoch, sourceTimestampMs }: Sample): boolean {
    const told = this.#entries.get(tag.id)?.told;
    if (told === undefined) return false;
    return epoch === told.epoch ? sourceTimestampMs < told.ms : epoch < told.epoch;
  }

  isToldBad(tag: TagRef): boolean {
    const told = this.#entries.get(tag.id)?.told;
    return told !== undefined && !isGood(told.status);
  }

  /** The far end holds this status for current. */
  isToldStatus({ tag, status }: Sample): boolean {
    return this.#entries.get(tag.id)?.told?.status === status;
  }

  #unbear(device: string): void {
    for (const id of this.#devices.get(device) ?? []) this.#entries.delete(id);
    this.#devices.delete(device);
  }

  #metric({ id, name, type }: Pick<TagRef, "id" | "name" | "type">): BornMetric {
    if (!this.#withAliases) return bornMetric(name, type);
    const alias = this.#aliases.get(id) ?? this.#aliases.size + 1;
    this.#aliases.set(id, alias);
    return bornMetric(name, type, alias);
  }
}
