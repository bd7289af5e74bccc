/** What births and data hold. */
import { BIRTHS, type Check, DATA, eachSent } from "./check.ts";
import { eachBornMetric, fits, isMetricDatatype } from "./metric-book.ts";
import type { Metric, PropertySet } from "./payload-decoder.ts";
import type { SentMessage, Story } from "./story.ts";

const BOOLEAN = 11n;
const INT32 = 3n;
const UINT32_COUNT = 2n ** 32n;
const REBIRTH = "Node Control/Rebirth";
const QUALITY = "Quality";
const QUALITIES: readonly unknown[] = [0n, 192n, 500n];

function isPayload(type: string): Check {
  return (stories, report) =>
    eachSent(stories, [type], ({ payload, index }, _, story) =>
      report.expect(payload?.flaws.length === 0, story, index, `${type} is no right payload: ${payload?.flaws}`),
    );
}

/** Name, datatype, and a value of it or an explicit null. */
function birthsAreWhole(type: string): Check {
  return (stories, report) =>
    eachSent(stories, [type], ({ payload, index }, _, story) => {
      for (const { name, datatype = -1n, isNull, value } of payload?.metrics ?? []) {
        report.expect(name !== undefined && name !== "", story, index, "a metric without a name");
        const whole = fits({ isNull, value }, datatype);
        report.expect(whole, story, index, `${name}: datatype ${datatype}, null ${isNull}, ${value?.field}`);
      }
    });
}

function dataIsBorn(type: string): Check {
  return (stories, report) =>
    eachBornMetric(stories, [type], (metric, birth, { device, index }, _, story) => {
      const what = `${device ?? "node"} ${metric.name ?? metric.alias}`;
      report.expect(birth !== undefined, story, index, `${what} is in no birth`);
      if (birth?.datatype === undefined) return;
      report.expect(
        fits(metric, birth.datatype),
        story,
        index,
        `${what}: ${metric.value?.field}, born ${birth.datatype}`,
      );
    });
}

function dataIsThere(type: string): Check {
  return (stories, report) =>
    eachSent(stories, [type], ({ payload, index }, _, story) =>
      report.expect((payload?.metrics.length ?? 0) > 0, story, index, `${type} without a metric`),
    );
}

/** Every device that answers has told of a change. */
const devicesTellChanges: Check = (stories, report) => {
  dataIsThere("DDATA")(stories, report);
  for (const story of stories) {
    const told = new Set<string>();
    eachSent([story], ["DDATA"], ({ device = "" }) => told.add(device));
    if (told.size === 0) continue;
    for (const device of story.site.devices) {
      report.expect(told.has(device), story, story.end, `nothing of ${device} was ever told`);
    }
  }
};

function rebirths(message: SentMessage): readonly Metric[] {
  return message.payload?.metrics.filter(({ name }) => name === REBIRTH) ?? [];
}

function rebirthMetric(what: string, holds: (metric: Metric) => boolean): Check {
  return (stories, report) =>
    eachSent(stories, ["NBIRTH"], (message, _, story) => {
      const [metric, ...more] = rebirths(message);
      const right = metric !== undefined && more.length === 0 && holds(metric);
      report.expect(right, story, message.index, `${REBIRTH} ${what}`);
    });
}

const isFalse = ({ value }: Metric) => value?.field === "boolean_value" && value.content === false;

/** What was told of a metric last, as text. */
function toldOf({ isNull, value, properties }: Metric): string {
  const quality = properties?.values[properties.keys.indexOf(QUALITY)]?.value?.content ?? 192n;
  const content = value?.content;
  const shown = content instanceof Uint8Array ? Buffer.from(content).toString("hex") : String(content);
  return `${isNull === true ? "null" : shown} ${quality}`;
}

/** As often a value is told again where it never changes. */
const REPEATED_AFTER_MS = 600_000n;

/**
 * A value that is no change stands only before one, as the read before it: slopes would not be true without. Or a birth
 * was first to show it, for the picture is taken when the change is known, and the change goes out all the same.
 */
function changesOnly(type: string): Check {
  return (stories, report) => {
    const last = new Map<string, { readonly told: string; readonly timestamp: bigint; readonly type: string }>();
    eachBornMetric(stories, [...BIRTHS, type], (metric, birth, message, { connection }, story) => {
      if (metric.isHistorical === true || metric.isTransient === true) return;
      const key = `${story.name} ${connection} ${message.device} ${birth?.name}`;
      const told = toldOf(metric);
      const timestamp = metric.timestamp ?? 0n;
      const before = last.get(key);
      last.set(key, { told, timestamp, type: message.type });
      if (message.type !== type) return;
      const isDue = before !== undefined && timestamp - before.timestamp >= REPEATED_AFTER_MS;
      const isBirths = before !== undefined && BIRTHS.includes(before.type) && before.timestamp === timestamp;
      const isChange = before?.told !== told || isDue || isBirths || leadsToChange(message, metric, told);
      report.expect(isChange, story, message.index, `${message.device ?? "node"} ${birth?.name}: ${told} again`);
    });
  };
}

function leadsToChange({ payload }: SentMessage, metric: Metric, told: string): boolean {
  const { metrics = [] } = payload ?? {};
  const later = metrics.slice(metrics.indexOf(metric) + 1);
  return later.some((m) => m.name === metric.name && m.alias === metric.alias && toldOf(m) !== told);
}

/** A reply may have been on its way when the values came to a stand. */
const IN_FLIGHT_MS = 1_000;

const standingIsSilence: Check = (stories, report) => {
  for (const story of stories) {
    for (const { mark, index, atMs } of story.marks) {
      if (mark.what !== "values stand") continue;
      const moves = story.marks.find((m) => m.index > index && m.mark.what === "values move");
      if (moves === undefined) continue;
      report.look();
      eachSent([story], ["DDATA"], (message, _, from) => {
        const within = message.index > index && message.index < moves.index;
        if (!within) return;
        const late = (metric: Metric) => Number(metric.timestamp ?? 0n) - atMs > IN_FLIGHT_MS;
        const live = message.payload?.metrics.filter((metric) => metric.isHistorical !== true && late(metric)) ?? [];
        report.expect(live.length === 0, from, message.index, `DDATA of ${message.device}, whose values stand`);
      });
    }
  }
};

function inTimeOrder(types: readonly string[]): Check {
  return (stories, report) =>
    eachSent(stories, types, ({ type, payload, index }, _, story) => {
      const times = payload?.metrics.filter((m) => m.isHistorical !== true).map((m) => m.timestamp ?? 0n) ?? [];
      const falls = times.findIndex((time, i) => i > 0 && time < (times[i - 1] ?? 0n));
      if (times.length > 1)
        report.expect(falls < 0, story, index, `${type}: metric ${falls} is older than the one before`);
    });
}

function everyMetric(
  types: readonly string[],
  holds: (metric: Metric, story: Story) => boolean | undefined,
  what: string,
): Check {
  return (stories, report) =>
    eachSent(stories, types, ({ type, payload, index }, _, story) => {
      for (const metric of payload?.metrics ?? []) {
        const right = holds(metric, story);
        if (right !== undefined) report.expect(right, story, index, `${type} ${metric.name ?? metric.alias}: ${what}`);
      }
    });
}

/** One alias, one metric, over the node and all its devices. */
const aliasesAreUnique: Check = (stories, report) => {
  for (const story of stories) {
    for (const { sent } of story.sessions) {
      let owners = new Map<bigint, string>();
      for (const { type, device = "", payload, index } of sent) {
        if (type === "NBIRTH") owners = new Map();
        if (!BIRTHS.includes(type)) continue;
        for (const { alias, name } of payload?.metrics ?? []) {
          if (alias === undefined) continue;
          const owner = owners.get(alias) ?? `${device} ${name}`;
          owners.set(alias, owner);
          report.expect(
            owner === `${device} ${name}`,
            story,
            index,
            `alias ${alias} of ${owner} and ${device} ${name}`,
          );
        }
      }
    }
  }
};

/** Known by name before any alias is. */
const BY_NAME: readonly (string | undefined)[] = [REBIRTH, "bdSeq"];

function everyPropertySet(
  types: readonly string[],
  holds: (set: PropertySet) => boolean | undefined,
  what: string,
): Check {
  const check = ({ properties }: Metric) => (properties === undefined ? undefined : holds(properties));
  return everyMetric(types, check, what);
}

const isUint32 = (number: bigint) => number < UINT32_COUNT;
const isPropertyType = (type: bigint) => (type >= 1n && type <= 14n) || type === 20n || type === 21n;

function quality(holds: (type: bigint | undefined, field: string | undefined, content: unknown) => boolean): Check {
  const check = ({ keys, values }: PropertySet) => {
    const property = values[keys.indexOf(QUALITY)];
    if (!keys.includes(QUALITY)) return undefined;
    return holds(property?.type, property?.value?.field, property?.value?.content);
  };
  return everyPropertySet([...BIRTHS, ...DATA], check, "its Quality is none");
}

const types = ({ values }: PropertySet) => values.flatMap(({ type }) => (type === undefined ? [] : [type]));
const SENT = [...BIRTHS, ...DATA];

export const METRIC_CHECKS: Readonly<Record<string, Check>> = {
  "nbirth-is-payload": isPayload("NBIRTH"),
  "dbirth-is-payload": isPayload("DBIRTH"),
  "nbirth-is-whole": birthsAreWhole("NBIRTH"),
  "dbirth-is-whole": birthsAreWhole("DBIRTH"),
  "ndata-is-born": dataIsBorn("NDATA"),
  "ddata-is-born": dataIsBorn("DDATA"),
  "ndata-has-metrics": dataIsThere("NDATA"),
  "ddata-tells-changes": devicesTellChanges,
  "rebirth-is-there": rebirthMetric("is missing", () => true),
  "rebirth-has-no-alias": rebirthMetric("has an alias", ({ alias }) => alias === undefined),
  "rebirth-is-boolean": rebirthMetric("is no Boolean", ({ datatype }) => datatype === BOOLEAN),
  "rebirth-is-false": rebirthMetric("is not false", isFalse),
  "rebirth-is-false-boolean": rebirthMetric("is no false Boolean", (m) => m.datatype === BOOLEAN && isFalse(m)),
  "ndata-is-change": changesOnly("NDATA"),
  "ddata-is-change": changesOnly("DDATA"),
  "standing-is-silence": standingIsSilence,
  "node-in-time-order": inTimeOrder(["NBIRTH", "NDATA"]),
  "device-in-time-order": inTimeOrder(["DBIRTH", "DDATA"]),
  "metric-has-name-or-alias": everyMetric(SENT, (m) => (m.name ?? "") !== "" || m.alias !== undefined, "nameless"),
  "metric-has-time": everyMetric(SENT, ({ timestamp }) => timestamp !== undefined, "it has no time"),
  "aliases-are-unique": aliasesAreUnique,
  "births-have-aliases": everyMetric(
    BIRTHS,
    ({ name, alias }, { site }) =>
      site.aliases && !BY_NAME.includes(name) ? alias !== undefined && name !== undefined : undefined,
    "name or alias is missing",
  ),
  "data-has-aliases-only": everyMetric(
    DATA,
    ({ name, alias }, { site }) => (site.aliases ? alias !== undefined && name === undefined : undefined),
    "name beside alias",
  ),
  "datatype-is-uint32": everyMetric(
    SENT,
    ({ datatype }) => datatype === undefined || isUint32(datatype),
    "datatype beyond uint32",
  ),
  "datatype-is-known": everyMetric(
    SENT,
    ({ datatype }) => datatype === undefined || isMetricDatatype(datatype),
    "datatype unknown",
  ),
  "births-have-datatypes": everyMetric(BIRTHS, ({ datatype }) => datatype !== undefined, "no datatype"),
  "data-has-no-datatypes": everyMetric(
    DATA,
    ({ datatype }, { site }) => (site.datatypeInData ? undefined : datatype === undefined),
    "datatype in data",
  ),
  "property-keys-match-values": everyPropertySet(
    SENT,
    (s) => s.keys.length === s.values.length,
    "keys and values differ",
  ),
  "property-type-is-uint32": everyPropertySet(SENT, (s) => types(s).every(isUint32), "property type beyond uint32"),
  "property-type-is-known": everyPropertySet(SENT, (s) => types(s).every(isPropertyType), "property type unknown"),
  "birth-properties-have-types": everyPropertySet(
    BIRTHS,
    (s) => types(s).length === s.values.length,
    "property type missing",
  ),
  "quality-is-int32": quality((type) => type === INT32),
  "quality-is-0-192-500": quality((_, field, content) => field === "int_value" && QUALITIES.includes(content)),
  "no-datasets": everyMetric(SENT, ({ value }) => value?.field !== "dataset_value", "a DataSet"),
  "no-templates": everyMetric(SENT, ({ value }) => value?.field !== "template_value", "a Template"),
};
