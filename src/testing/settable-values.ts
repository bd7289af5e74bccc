/** Current values that a test sets by hand: the tag table at its plainest. */
import type { Clock } from "../core/clock.ts";
import type { Status } from "../core/quality.ts";
import { type Tag, tagId, type Value, type ValueType } from "../core/tag.ts";
import type { CurrentValues, Device, Intake, Sample } from "../pipeline.ts";

/** A tag with all defaults. */
export function tagOf(device: string, name: string, type: ValueType = "float64", changes: Partial<Tag> = {}): Tag {
  return {
    id: tagId(device, name),
    device,
    name,
    type,
    priority: "normal",
    deadband: 0,
    scanRateMs: 1_000,
    staleMs: 5_000,
    maxIntervalMs: 600_000,
    writable: false,
    enabled: true,
    ...changes,
  };
}

/** `names` of float64 tags of one device. */
export function deviceOf(name: string, tags: readonly string[]): Device {
  return { name, tags: tags.map((tag) => tagOf(name, tag)) };
}

export class SettableValues implements CurrentValues {
  readonly #clock: Clock;
  readonly #intakes: readonly Intake[];
  readonly #last = new Map<string, Sample>();
  readonly #tags = new Map<string, Tag>();
  readonly #lost = new Set<string>();
  readonly #revisions = new Map<string, number>();
  #devices: readonly Device[];
  #epoch = 1;

  /** Everything set is told to the intakes in turn. */
  constructor(clock: Clock, devices: readonly Device[], intakes: readonly Intake[]) {
    this.#clock = clock;
    this.#intakes = intakes;
    this.#devices = devices;
    for (const tag of devices.flatMap(({ tags }) => tags)) {
      this.#tags.set(tag.id, tag);
      this.#note(this.#sample(tag, null, "BadWaitingForInitialData"));
    }
  }

  isUnsynced(): boolean {
    return false;
  }

  epoch(): number {
    return this.#epoch;
  }

  raiseEpoch(): void {
    this.#epoch += 1;
  }

  devices(): readonly Device[] {
    return this.#devices;
  }

  isLost(device: string): boolean {
    return this.#lost.has(device);
  }

  /** The device answers no more; all its tags are told so. */
  lose(device: string): void {
    this.#lost.add(device);
    this.setAll(this.snapshot(device).map(({ tag, value }) => [tag.id, value, "BadNoCommunication"]));
  }

  /** The device answers again; what it holds is told by what is set next. */
  find(device: string): void {
    this.#lost.delete(device);
  }

  remove(device: string): void {
    this.#devices = this.#devices.filter(({ name }) => name !== device);
  }

  snapshot(device: string): readonly Sample[] {
    const tags = this.#devices.find(({ name }) => name === device)?.tags ?? [];
    return tags.flatMap(({ id }) => this.#last.get(id) ?? []);
  }

  revision(device: string): number {
    return this.#revisions.get(device) ?? 0;
  }

  /** A read that is taken in. */
  set(id: string, value: Value, status: Status = "Good"): void {
    this.setAll([[id, value, status]]);
  }

  /** Reads taken in together. */
  setAll(reads: readonly (readonly [id: string, value: Value, status?: Status])[]): void {
    const samples = reads.map(([id, value, status]) => this.#sample(this.#tag(id), value, status ?? "Good"));
    for (const sample of samples) this.#note(sample);
    for (const intake of this.#intakes) intake.append(samples);
  }

  /** A read within the deadband: it is shown, and not taken in. */
  read(id: string, value: Value): void {
    this.#note(this.#sample(this.#tag(id), value, "Good"));
  }

  /** A read that was suppressed until this one broke the deadband: both are taken in. */
  jump(id: string, before: Value, value: Value): void {
    const first = { ...this.#sample(this.#tag(id), before, "Good"), readBefore: true as const };
    this.#note(first);
    const second = this.#sample(this.#tag(id), value, "Good");
    this.#note(second);
    for (const intake of this.#intakes) intake.append([first, second]);
  }

  #tag(id: string): Tag {
    const tag = this.#tags.get(id);
    if (tag === undefined) throw new RangeError(`no tag ${id}`);
    return tag;
  }

  /** Strictly increasing within an epoch, as the tag table stamps. */
  #sample(tag: Tag, value: Value, status: Status): Sample {
    const last = this.#last.get(tag.id);
    const floorMs = last?.epoch === this.#epoch ? last.sourceTimestampMs + 1 : 0;
    return { tag, value, status, sourceTimestampMs: Math.max(this.#clock.wallMs(), floorMs), epoch: this.#epoch };
  }

  #note(sample: Sample): void {
    this.#last.set(sample.tag.id, sample);
    this.#revisions.set(sample.tag.device, this.revision(sample.tag.device) + 1);
  }
}
