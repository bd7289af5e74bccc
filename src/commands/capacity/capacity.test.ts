import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import type { Config, UplinkConfig } from "../../config/config.ts";
import { parseConfig } from "../../config/load.ts";
import { silentLog } from "../../core/log.ts";
import { LIVE_MESSAGE_MAX_BYTES } from "../../uplinks/flow.ts";
import { packetBytes } from "../../uplinks/mqtt-packet-bytes.ts";
import { stampPayload } from "../../uplinks/sparkplug/payload.ts";
import { formatFor } from "../../uplinks/uplink.ts";
import { capacityOf, NONE } from "./capacity.ts";
import { MadeSite, UNIX_S } from "./made-site.ts";
import { footprintOf, UNIT_MEMORY_MAX_BYTES } from "./measured.ts";
import { shortagesOf } from "./shortages.ts";
import { motionOfSelf, turnsOf } from "./turn.ts";
import { uplinkLoad } from "./uplink-load.ts";
import { uplinkWords } from "./uplink-words.ts";

interface Site {
  readonly devices?: number;
  readonly tags?: number;
  readonly scanRateMs?: number;
  readonly uplinks?: string;
  readonly more?: string;
}

const FORMATS = ["json", "kepware", "sparkplug"] as const;
const ALL_FORMATS = FORMATS.map((format) => `  ${format}: { servers: [ "mqtts://b" ], format: ${format} }`).join("\n");

function configOf({ devices = 2, tags = 10, scanRateMs = 1_000, uplinks = ALL_FORMATS, more = "" }: Site): Config {
  const registers = Array.from({ length: tags }, (_, i) => `t${i}: { holdingRegister: ${i} }`).join(", ");
  const yaml = Array.from(
    { length: devices },
    (_, i) => `      d${i}: { unitId: ${i + 1}, scanRate: ${scanRateMs}ms, tags: { ${registers} } }`,
  );
  const text = `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks:
${uplinks}
lines:
  a:
    path: /dev/ttyUSB0
    serial: 115200 8N1
    devices:
${yaml.join("\n")}
${more}`;
  return parseConfig("gateway.yaml", text).config;
}

/** Of one uplink, at each share of changes. */
function uplinkBytes(config: Config, uplink: UplinkConfig, shares: readonly number[]): readonly number[] {
  const turns = turnsOf(config);
  const words = uplinkWords(config, uplink);
  return shares.map((share) => uplinkLoad(uplink, words, turns, share).networkBytesPerS);
}

function bytesOf(config: Config): readonly number[] {
  return config.uplinks.flatMap((uplink) => uplinkBytes(config, uplink, [1, 0.1, NONE]));
}

function assertNoLess(more: Config, less: Config): void {
  const [high, low] = [bytesOf(more), bytesOf(less)];
  // Text of made-up values is not always of one length.
  for (const [i, bytes] of high.entries()) assert.ok(bytes >= (low[i] ?? 0) * 0.999, `${bytes} of ${low[i]}`);
}

describe("capacity", () => {
  test("more devices, more tags, or shorter intervals never mean fewer bytes", () => {
    const site = fc.record({
      devices: fc.integer({ min: 1, max: 4 }),
      tags: fc.integer({ min: 1, max: 130 }),
      scanRateMs: fc.integer({ min: 500, max: 100_000 }),
    });
    const one = fc.integer({ min: 1, max: 20 });
    fc.assert(
      fc.property(site, one, (less, step) => {
        assertNoLess(configOf({ ...less, devices: less.devices + 1 }), configOf(less));
        assertNoLess(configOf({ ...less, tags: less.tags + step }), configOf(less));
        assertNoLess(configOf({ ...less, scanRateMs: Math.ceil(less.scanRateMs / (1 + step)) }), configOf(less));
      }),
      { numRuns: 8, seed: 5 },
    );
  });

  test("the more changes, the more goes out, and the sooner the outbox is full", () => {
    const config = configOf({ tags: 40 });
    const shares = [0, 0.01, 0.1, 0.4, 1];
    for (const uplink of config.uplinks) {
      const bytes = uplinkBytes(config, uplink, shares);
      assert.deepEqual(
        bytes,
        bytes.toSorted((a, b) => a - b),
        uplink.format,
      );
    }
    const [all, some] = capacityOf(config, 0.1).outbox.keeps;
    assert.ok((all?.bytesPerDay ?? 0) > (some?.bytesPerDay ?? Number.POSITIVE_INFINITY));
  });

  test("messages are as long as the formats make them of all tags of a device", () => {
    const config = configOf({ tags: 60 });
    for (const uplink of config.uplinks) {
      const words = uplinkWords(config, uplink).devices.get("d1");
      const foretold = (words?.messageBytes ?? 0) + [...(words?.sampleBytes.values() ?? [])].reduce((a, b) => a + b, 0);
      const real = wholeMessageBytes(config, uplink);
      assert.ok(Math.abs(real / foretold - 1) < 0.01, `${uplink.format}: ${real}, foretold ${foretold}`);
    }
  });

  test("what nobody reads is not counted; a slow tag that shares a request goes at its own rate", () => {
    const more = (tags: string) => configOf({ more: `      x: { unitId: 9, ${tags} }` });
    const { intake } = capacityOf(configOf({}), 0.1);
    const off = capacityOf(more("enabled: false, tags: { a: { coil: 1 } }"), 0.1).intake;
    assert.deepEqual(off.lines[0], intake.lines[0]);
    const slow = capacityOf(
      more("tags: { a: { holdingRegister: 1 }, b: { holdingRegister: 2, scanRate: 10s } }"),
      0.1,
    ).intake;
    assert.equal(slow.lines[0]?.tags, (intake.lines[0]?.tags ?? 0) + 2);
    assert.equal(slow.lines[0]?.valuesPerS.toFixed(3), ((intake.lines[0]?.valuesPerS ?? 0) + 1.1).toFixed(3));
  });

  test("where nothing changes Sparkplug says least: it has no status, and no snapshots each minute", () => {
    const config = configOf({ tags: 50 });
    const [json = 0, kepware = 0, sparkplug = 0] = config.uplinks.flatMap((uplink) =>
      uplinkBytes(config, uplink, [NONE]),
    );
    assert.ok(json > kepware && kepware > sparkplug && sparkplug > 0);
  });

  test("each tag of the gateway's own is known to move, to waver, or to stand still", () => {
    const own = turnsOf(configOf({})).filter(({ device }) => device === "gateway");
    const unknown = own.flatMap(({ tags }) => tags.filter(({ tag }) => motionOfSelf(tag.name) === undefined));
    assert.deepEqual(
      unknown.map(({ tag }) => tag.name),
      [],
    );
  });

  test("the memory that the unit allows is what the unit says", () => {
    const unit = readFileSync(new URL("../../../systemd/sallyport.service", import.meta.url), "utf8");
    assert.equal(UNIT_MEMORY_MAX_BYTES, Number(/^MemoryMax=(\d+)M$/m.exec(unit)?.[1]) * 1_048_576);
  });

  test("more tags never take less of the board, also beyond what was measured", () => {
    const loads = [0, 1, 50, 100, 5_000, 10_000, 40_000].map((tags) => footprintOf(tags, tags));
    for (const [i, { rssBytes, cpu }] of loads.entries()) {
      assert.ok(rssBytes >= (loads[i - 1]?.rssBytes ?? 0) && cpu >= (loads[i - 1]?.cpu ?? 0));
    }
    assert.ok((loads.at(-1)?.rssBytes ?? 0) > (loads.at(-2)?.rssBytes ?? 0));
  });
});

describe("what is too much is told, with what to do", () => {
  const toldOf = (site: Site) => {
    const config = configOf(site);
    return shortagesOf(config, capacityOf(config, 0.1));
  };

  test("nothing is too much for a small site", () => {
    assert.deepEqual(toldOf({}), []);
  });

  test("an outbox that is full, or too old, in less than a day", () => {
    const busy = { devices: 4, tags: 120, scanRateMs: 200 };
    const [full] = toldOf({ ...busy, more: "outbox: { maxSize: 50MB }" });
    const told = `${full?.key}: ${full?.wrong}; ${full?.remedy}`;
    const [, enough] = /^outbox.maxSize: an outage is kept for [\d.]+ h .*; (\d+MB) keep a day/.exec(told) ?? [];
    assert.ok(enough !== undefined, told);
    assert.deepEqual(toldOf({ ...busy, more: `outbox: { maxSize: ${enough} }` }), []);
    const [old] = toldOf({ more: "outbox: { maxAge: 6h }" });
    assert.match(`${old?.key}: ${old?.wrong}; ${old?.remedy}`, /^outbox.maxAge: .* 6 h .*; make it a day or more/);
  });

  test("an uplink for which less than a day is kept, but for one whose history is off", () => {
    const of = (history: string) => `  cloud: { servers: [ "mqtts://b" ], history: ${history} }`;
    const busy = { devices: 4, tags: 120, scanRateMs: 200 };
    const keys = (history: string) => toldOf({ ...busy, uplinks: of(history) }).map(({ key }) => key);
    assert.deepEqual(keys("{ maxSize: 10MB }"), ["uplinks.cloud.history.maxSize"]);
    assert.deepEqual(keys("{ maxAge: 6h }"), ["uplinks.cloud.history.maxAge"]);
    assert.deepEqual([...keys("off"), ...keys("{ maxSize: 1GB }")], []);
  });

  test("a service that counts messages", () => {
    const aws = `  aws: { servers: [ "mqtts://b" ], format: json }`;
    const more = Array.from(
      { length: 15 },
      (_, i) => `      e${i}: { unitId: ${i + 1}, scanRate: 250ms, tags: { a: { coil: 0 } } }\n`,
    );
    const second = `  b:\n    path: /dev/ttyUSB1\n    serial: 115200 8N1\n    devices:\n${more.join("")}`;
    const config = configOf({ devices: 15, tags: 2, scanRateMs: 250, uplinks: aws, more: second });
    const asAws = { ...config, uplinks: config.uplinks.map((uplink) => ({ ...uplink, format: "aws-iot" as const })) };
    const found = shortagesOf(asAws, capacityOf(asAws, 0.1));
    assert.match(`${found[0]?.key}: ${found[0]?.wrong}`, /^uplinks.aws: 12\d messages a second .* takes 100/);
  });
});

/** A whole look at a device, as an uplink would send it. */
function wholeMessageBytes(config: Config, uplink: UplinkConfig): number {
  const site = new MadeSite(config);
  const state = { nextBdSeq: async () => 200 };
  const format = formatFor({ config: uplink, values: site.values, clock: site.clock, log: silentLog, state });
  const session = format.session(
    { session: UNIX_S, connectMs: site.clock.wallMs() },
    { messageMaxBytes: 100_000, retainAvailable: true },
  );
  for (const device of site.devices) site.read(device);
  for (const _ of session.picture());
  site.clock.pass(1_000);
  const device = site.devices.find(({ name }) => name === "d1");
  const { messages } = session.live(device === undefined ? [] : site.read(device), LIVE_MESSAGE_MAX_BYTES);
  return messages.reduce((sum, message) => {
    const { payload } = message;
    const written = uplink.format === "sparkplug" ? stampPayload(payload, site.clock.wallMs(), 200) : payload;
    return sum + packetBytes({ ...message, payload: written }, true);
  }, 0);
}
