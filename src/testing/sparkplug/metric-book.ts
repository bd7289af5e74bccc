/** What a session has born so far, by which its data is read. */
import type { Metric, Value } from "./payload-decoder.ts";
import type { SentMessage, Session, Story } from "./story.ts";

export class MetricBook {
  /** By topic part that names node or device; each by name and by alias. */
  readonly #born = new Map<string, ReadonlyMap<string | bigint, Metric>>();

  /** Takes a birth in. */
  add({ type, device = "", payload }: SentMessage): void {
    if (type === "NBIRTH") this.#born.clear();
    if (type !== "NBIRTH" && type !== "DBIRTH") return;
    const metrics = new Map<string | bigint, Metric>();
    for (const metric of payload?.metrics ?? []) {
      if (metric.name !== undefined) metrics.set(metric.name, metric);
      if (metric.alias !== undefined) metrics.set(metric.alias, metric);
    }
    this.#born.set(device, metrics);
  }

  /** The metric of a data message as it was born. */
  birthOf({ device = "" }: SentMessage, { name, alias }: Metric): Metric | undefined {
    const metrics = this.#born.get(device);
    return metrics?.get(name ?? "") ?? (alias === undefined ? undefined : metrics?.get(alias));
  }
}

/** Each metric of the messages of a type, with its birth in that session. */
export function eachBornMetric(
  stories: readonly Story[],
  types: readonly string[],
  visit: (metric: Metric, birth: Metric | undefined, message: SentMessage, session: Session, story: Story) => void,
): void {
  for (const story of stories) {
    for (const session of story.sessions) {
      const book = new MetricBook();
      for (const message of session.sent) {
        book.add(message);
        if (!types.includes(message.type)) continue;
        for (const metric of message.payload?.metrics ?? []) {
          visit(metric, book.birthOf(message, metric), message, session, story);
        }
      }
    }
  }
}

/** Sparkplug B 3.0, 6.4.16: the field a datatype rides in; the types that a metric of ours may have. */
const FIELD_OF: ReadonlyMap<bigint, string> = new Map([
  ...[1n, 2n, 3n, 5n, 6n, 7n].map((type) => [type, "int_value"] as const),
  ...[4n, 8n, 13n].map((type) => [type, "long_value"] as const),
  [9n, "float_value"],
  [10n, "double_value"],
  [11n, "boolean_value"],
  ...[12n, 14n, 15n].map((type) => [type, "string_value"] as const),
  ...[17n, 18n].map((type) => [type, "bytes_value"] as const),
  [16n, "dataset_value"],
  [19n, "template_value"],
  ...[22n, 23n, 24n, 25n, 26n, 27n, 28n, 29n, 30n, 31n, 32n, 33n, 34n].map((type) => [type, "bytes_value"] as const),
]);

export function isMetricDatatype(datatype: bigint): boolean {
  return FIELD_OF.has(datatype);
}

/** Either a value in the field of its datatype, or an explicit null without one. */
export function fits({ isNull, value }: { isNull: boolean | undefined; value: Value | undefined }, datatype: bigint) {
  return isNull === true ? value === undefined : value?.field === FIELD_OF.get(datatype);
}
