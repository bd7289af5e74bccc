/** A host application's picture of one edge node, at its plainest: what may not happen is written down. */
import type { Metric } from "../uplinks/sparkplug/payload.ts";

/** A message as a host reads it. */
export interface Heard {
  readonly type: string;
  readonly device: string | undefined;
  readonly seq: number | undefined;
  readonly metrics: readonly Metric[];
  readonly atMs: number;
}

interface Current {
  readonly value: unknown;
  readonly quality: unknown;
  readonly ms: number;
}

const NODE = "gateway";

export class SparkplugHost {
  readonly violations: string[] = [];
  readonly #present: () => readonly string[];
  #seq = 0;
  /** Of the devices that must be born before data: those that were there at the birth of the node. */
  #awaited = new Set<string>();
  readonly #born = new Map<string, ReadonlyMap<string, Current>>();
  #bornNode = false;
  /** Everything told: device, name and time of a metric. */
  readonly #told = new Map<string, unknown>();
  #history = 0;

  /** @param present devices that the node must tell of when it is born */
  constructor(present: () => readonly string[]) {
    this.#present = present;
  }

  hear(heard: Heard): void {
    const { type, device, seq, metrics } = heard;
    if (type === "NDEATH") {
      this.#bornNode = false;
      this.#born.clear();
      return;
    }
    this.#seq = type === "NBIRTH" ? 0 : (this.#seq + 1) % 256;
    if (seq !== this.#seq) this.violations.push(`${type} ${device} has number ${seq}, not ${this.#seq}`);
    if (type === "NBIRTH") this.#nodeIsBorn();
    else if (!this.#bornNode) this.violations.push(`${type} ${device} before the birth of the node`);
    if (type.endsWith("DATA") && this.#awaited.size > 0) {
      this.violations.push(`${type} ${device} while ${[...this.#awaited]} is not born`);
    }
    if (type.endsWith("BIRTH")) this.#birth(device ?? NODE, metrics);
    else if (type.endsWith("DATA")) this.#data(device ?? NODE, metrics);
    else this.#born.delete(device ?? NODE);
  }

  isTold(device: string, name: string, ms: number): boolean {
    return this.#told.has(`${device} ${name} ${ms}`);
  }

  history(): number {
    return this.#history;
  }

  /** Undefined: the device is dead, or unknown. */
  current(device: string, name: string): Current | undefined {
    return this.#born.get(device)?.get(name);
  }

  #nodeIsBorn(): void {
    this.#bornNode = true;
    this.#born.clear();
    this.#awaited = new Set(this.#present());
  }

  #birth(device: string, metrics: readonly Metric[]): void {
    this.#awaited.delete(device);
    const before = this.#born.get(device);
    this.#born.set(device, new Map());
    for (const metric of metrics) this.#current(device, metric, before);
  }

  #data(device: string, metrics: readonly Metric[]): void {
    const born = this.#born.get(device);
    if (born === undefined) this.violations.push(`data of ${device}, which is not born`);
    for (const metric of metrics) {
      if (born?.has(metric.name ?? "") !== true)
        this.violations.push(`data of ${device}/${metric.name}, which is not born`);
      if (metric.isHistorical === true) {
        this.#history += 1;
        this.#note(device, metric);
      } else {
        this.#current(device, metric, born);
      }
    }
  }

  #current(device: string, metric: Metric, before: ReadonlyMap<string, Current> | undefined): void {
    const name = metric.name ?? "";
    const ms = Number(metric.timestamp);
    const last = before?.get(name);
    if (last !== undefined && ms < last.ms)
      this.violations.push(`${device}/${name} went back from ${last.ms} to ${ms}`);
    const quality = metric.properties?.find(({ key }) => key === "Quality")?.value?.value ?? 192;
    const current = { value: metric.value?.value ?? null, quality, ms };
    this.#born.set(device, new Map([...(this.#born.get(device) ?? []), [name, current]]));
    this.#note(device, metric);
  }

  #note(device: string, metric: Metric): void {
    this.#told.set(`${device} ${metric.name} ${metric.timestamp}`, metric.value?.value ?? null);
  }
}
