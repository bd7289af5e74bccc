import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { sleep } from "../../core/clock.ts";
import type { Connection } from "../../pipeline.ts";
import { deviceOf } from "../../testing/settable-values.ts";
import type { Heard } from "../../testing/sparkplug-host.ts";
import { OTHER_SERVER, SparkplugRig } from "../../testing/sparkplug-rig.ts";
import { MESSAGES_IN_FLIGHT_MAX } from "../flow.ts";
import { STOP_LIMIT_MS } from "../session.ts";
import type { Metric } from "./payload.ts";

const TWO = [deviceOf("pump", ["speed", "flow"]), deviceOf("fan", ["speed"])];

function property(metric: Metric | undefined, key: string): unknown {
  return metric?.properties?.find((one) => one.key === key)?.value?.value;
}

function named(heard: Heard | undefined, name: string): Metric | undefined {
  return heard?.metrics.find((metric) => metric.name === name);
}

/** Its end is never told, whatever comes of it. */
function withoutEnd(connection: Connection): Connection {
  return new Proxy(connection, {
    get(target, key) {
      if (key === "closed") return new Promise(() => undefined);
      if (key === "close") return () => new Promise(() => undefined);
      const value: unknown = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

describe("births, data, deaths", () => {
  test("P3: the node is born, then its devices, then data follow", async () => {
    const rig = new SparkplugRig({ devices: TWO });
    rig.values.set("pump/speed", 1);
    await rig.start();
    rig.values.set("fan/speed", 7);
    await rig.until("told", () => rig.of("DDATA", "fan").length > 0);
    assert.deepEqual(rig.story().slice(0, 3), ["NBIRTH", "DBIRTH pump", "DBIRTH fan"]);
    assert.deepEqual(
      rig.heard.map(({ seq }) => seq),
      rig.heard.map((_, index) => index),
    );
    const [birth] = rig.of("DBIRTH", "pump");
    assert.equal(named(birth, "speed")?.value?.value, 1);
    assert.equal(named(birth, "flow")?.isNull, true);
    assert.equal(property(named(birth, "flow"), "Quality"), 0);
    assert.equal(property(named(birth, "flow"), "StatusName"), "BadWaitingForInitialData");
  });

  test("P3: a lost device is told bad tag by tag, then dead; its return is a birth", async () => {
    const rig = new SparkplugRig({ devices: TWO });
    rig.values.setAll([
      ["pump/speed", 1],
      ["pump/flow", 2],
      ["fan/speed", 3],
    ]);
    await rig.start();
    rig.values.lose("pump");
    await rig.until("dead", () => rig.of("DDEATH", "pump").length > 0, 5_000);
    const [bad] = rig.of("DDATA", "pump").slice(-1);
    assert.deepEqual(
      bad?.metrics.map((metric) => property(metric, "Quality")),
      [0, 0],
    );
    assert.ok(rig.story().indexOf("DDEATH pump") > rig.story().lastIndexOf("DDATA pump"));
    rig.values.find("pump");
    rig.values.set("pump/speed", 9);
    await rig.until("back", () => rig.of("DBIRTH", "pump").length > 1);
    assert.equal(named(rig.of("DBIRTH", "pump")[1], "speed")?.value?.value, 9);
    await rig.pass(5_000);
    assert.equal(rig.of("DDEATH", "pump").length, 1);
  });

  test("P4: a device that is lost at birth time is born for its history, and dies when all of it is told", async () => {
    const rig = new SparkplugRig({ devices: TWO });
    for (let i = 1; i <= 3_000; i++) rig.values.set("pump/speed", i);
    rig.values.lose("pump");
    await rig.start();
    await rig.until("all is acknowledged", () => rig.queue.depth() === 0);
    await rig.until("dead", () => rig.of("DDEATH", "pump").length > 0, 5_000);
    const story = rig.story().filter((line) => line.endsWith(" pump"));
    assert.equal(story[0], "DBIRTH pump");
    assert.equal(story.at(-1), "DDEATH pump");
    assert.deepEqual([rig.of("DBIRTH", "pump").length, rig.of("DDEATH", "pump").length], [1, 1]);
    const values = rig.of("DDATA", "pump").flatMap(({ metrics }) => metrics);
    assert.equal(values.filter(({ name, value }) => name === "speed" && value !== undefined).length, 3_001);
    assert.ok(values.every((metric) => metric.isHistorical === true && property(metric, "Epoch") !== undefined));
  });

  test("P4: a Rebirth in the middle of a lost device's history bears it again with the others", async () => {
    const rig = new SparkplugRig({ devices: TWO, broker: { bytesPerS: 20_000, latencyMs: 20 } });
    for (let i = 1; i <= 3_000; i++) rig.values.set("pump/speed", i);
    rig.values.lose("pump");
    await rig.start();
    await rig.until("its history comes", () => rig.of("DDATA", "pump").length > 3);
    rig.rebirth();
    await rig.until("all is acknowledged", () => rig.queue.depth() === 0);
    await rig.until("dead", () => rig.of("DDEATH", "pump").length > 0, 5_000);
    const births = rig.story().filter((line) => line.includes("BIRTH"));
    assert.deepEqual(births.slice(-3), ["NBIRTH", "DBIRTH fan", "DBIRTH pump"]);
    assert.deepEqual(rig.scada.violations, []);
  });

  test("P4: a device that is no more is born for its history, and dies", async () => {
    const rig = new SparkplugRig({ devices: TWO });
    for (let i = 1; i <= 100; i++) rig.values.set("fan/speed", i);
    rig.values.remove("fan");
    await rig.start();
    await rig.until("dead", () => rig.of("DDEATH", "fan").length > 0, 10_000);
    assert.equal(rig.queue.depth(), 0);
    const [birth] = rig.of("DBIRTH", "fan");
    assert.equal(named(birth, "speed")?.isNull, true);
    assert.equal(rig.of("DDATA", "fan").flatMap(({ metrics }) => metrics).length, 100);
  });
});

describe("commands", () => {
  test("P7: a storm of Rebirths costs one birth at once and one after the gap", async () => {
    const rig = new SparkplugRig();
    await rig.start();
    await rig.pass(20_000);
    for (let i = 0; i < 50; i++) rig.rebirth();
    await rig.pass(20_000);
    assert.equal(rig.of("NBIRTH").length, 3);
    assert.deepEqual(
      rig.of("NBIRTH").map(({ seq }) => seq),
      [0, 0, 0],
    );
  });

  test("P3: values that were being read when births are asked for wait until all of these are told", async () => {
    const many = Array.from({ length: 2 * MESSAGES_IN_FLIGHT_MAX }, (_, n) => deviceOf(`pump-${n}`, ["speed"]));
    const rig = new SparkplugRig({ devices: many, broker: { latencyMs: 50 } });
    await rig.start();
    await rig.pass(20_000);
    const read = rig.queue.readLive.bind(rig.queue);
    rig.queue.readLive = async (...range) => {
      const batch = await read(...range);
      await sleep(rig.clock, 70);
      return batch;
    };
    rig.values.set("pump-0/speed", 7);
    rig.rebirth();
    await rig.until("all is acknowledged", () => rig.queue.depth() === 0);
    const again = rig.story().slice(rig.story().lastIndexOf("NBIRTH"));
    assert.deepEqual(again.slice(0, many.length + 1), ["NBIRTH", ...many.map(({ name }) => `DBIRTH ${name}`)]);
    assert.deepEqual(rig.scada.violations, []);
  });

  test("P7: a flood of what is not understood, not for it or refused costs a line of the log a second", async () => {
    const rig = new SparkplugRig({ config: { primaryHost: "scada" } });
    rig.host(true, 1);
    await rig.start();
    await rig.pass(5_000);
    const [linesBefore, fromMs] = [rig.log.length, rig.clock.monotonicMs()];
    for (let i = 0; i < 100; i++) {
      rig.broker.publish({ topic: "spBv1.0/STATE/scada", payload: Buffer.from("OFFLINE"), qos: 1, retain: true });
      rig.command([{ name: "Node Control/Reboot", value: { field: "boolean", value: true } }]);
      await rig.pass(10);
    }
    assert.equal(rig.uplink.report().state, "connected");
    const seconds = (rig.clock.monotonicMs() - fromMs) / 1_000;
    const lines = rig.log.length - linesBefore;
    assert.ok(lines > 0 && lines <= seconds + 1, `${lines} lines in ${seconds} s`);
  });

  test("P10: any other command is refused, aloud", async () => {
    const rig = new SparkplugRig();
    await rig.start();
    rig.command([{ name: "setpoint", value: { field: "int", value: 5 } }], "pump");
    await rig.until("refused", () => rig.of("NDATA").length > 0, 5_000);
    const [metric] = rig.of("NDATA")[0]?.metrics ?? [];
    assert.equal(metric?.name, "commands/refused");
    assert.match(String(metric?.value?.value), /DCMD to pump setpoint: this gateway takes no commands/);
  });
});

describe("the primary host", () => {
  const config = { primaryHost: "scada" };

  test("nothing is told until it is online, and where it goes the node is dead at once", async () => {
    const rig = new SparkplugRig({ config });
    rig.begin();
    await rig.pass(60_000);
    assert.deepEqual([rig.story(), rig.uplink.report().state], [[], "waiting-for-host"]);
    rig.host(true, 1_000);
    await rig.until("connected", () => rig.uplink.report().state === "connected");
    rig.host(false, 999);
    await rig.pass(5_000);
    assert.equal(rig.uplink.report().state, "connected");
    rig.host(false, 1_000);
    await rig.until("it waits", () => rig.uplink.report().state === "waiting-for-host");
    assert.equal(rig.of("NDEATH").length >= 1, true);
    const births = rig.of("NBIRTH").length;
    rig.values.set("pump/speed", 5);
    await rig.pass(60_000);
    assert.equal(rig.of("NBIRTH").length, births);
    rig.host(true, 2_000);
    await rig.until("all is acknowledged", () => rig.queue.depth() === 0);
  });

  test("P4: what the host may have missed before it was known to be gone is told again", async () => {
    const rig = new SparkplugRig({ config });
    rig.host(true, 1_000);
    await rig.start();
    rig.values.set("pump/speed", 5);
    await rig.until("acknowledged", () => rig.queue.depth() === 0);
    rig.host(false, 1_000);
    await rig.until("it waits", () => rig.uplink.report().state === "waiting-for-host");
    rig.host(true, 2_000);
    const again = () => rig.of("DDATA", "pump").filter(({ metrics }) => metrics[0]?.isHistorical === true);
    await rig.until("told again", () => again().some((heard) => named(heard, "speed")?.value?.value === 5));
  });

  test("P4: so it is where the node hears nothing of it, but finds a host that connected anew", async () => {
    for (const isConnected of [true, false]) {
      const rig = new SparkplugRig({ config });
      rig.host(true, 1_000);
      await rig.start();
      rig.values.set("pump/speed", 5);
      await rig.until("acknowledged", () => rig.queue.depth() === 0);
      const again = () => rig.of("DDATA", "pump").filter(({ metrics }) => metrics[0]?.isHistorical === true);
      rig.host(true, 1_000);
      await rig.pass(5_000);
      assert.deepEqual(again(), [], "the same word again is no news");
      if (!isConnected) rig.broker.drop();
      rig.host(true, 2_000);
      await rig.until("told again", () => again().some((heard) => named(heard, "speed")?.value?.value === 5));
      await rig.stop();
    }
  });

  test("P4: what a host that connected anew missed is told behind births, so that it can be understood", async () => {
    const rig = new SparkplugRig({ config });
    rig.host(true, 1_000);
    await rig.start();
    rig.values.set("pump/speed", 5);
    await rig.until("acknowledged", () => rig.queue.depth() === 0);
    await rig.pass(10_000);
    const births = rig.of("NBIRTH").length;
    rig.host(true, 2_000);
    const isAgain = (heard: Heard) => heard.metrics.some(({ isHistorical }) => isHistorical === true);
    await rig.until("told again", () => rig.of("DDATA", "pump").some(isAgain));
    const firstAgain = rig.heard.findIndex((heard) => heard.type === "DDATA" && isAgain(heard));
    const birthsBefore = rig.heard.slice(0, firstAgain).filter(({ type }) => type === "NBIRTH").length;
    assert.equal(birthsBefore, births + 1);
  });

  test("with several servers the node goes where the host is, and is never at two", async () => {
    const rig = new SparkplugRig({ config: { ...config, servers: ["mqtts://broker:8883", OTHER_SERVER] } });
    rig.host(false, 1_000);
    rig.host(true, 1_000, rig.other);
    await rig.start();
    assert.equal(rig.uplink.report().server, OTHER_SERVER);
    assert.equal(rig.broker.connections(), 0);
    rig.host(false, 1_000, rig.other);
    rig.host(true, 2_000);
    await rig.until("it is at the first", () => rig.uplink.report().server !== OTHER_SERVER);
    await rig.until("connected", () => rig.uplink.report().state === "connected");
    assert.equal(rig.other.connections(), 0);
  });

  test("P7: of a connection that is left and does not end, nothing goes on", async () => {
    const rig = new SparkplugRig({ config: { ...config, servers: ["mqtts://broker:8883", OTHER_SERVER] } });
    const connect = rig.broker.connect.bind(rig.broker);
    rig.broker.connect = async (request) => withoutEnd(await connect(request));
    rig.host(true, 1_000);
    await rig.start();
    await rig.pass(10_000);
    rig.host(false, 1_000);
    await rig.pass(STOP_LIMIT_MS - 500);
    assert.equal(rig.broker.connections(), 1);
    const before = rig.clock.pendingTimers();
    await rig.pass(600);
    assert.equal(rig.broker.connections(), 0);
    assert.equal(rig.clock.pendingTimers(), before - 1, "the watch over its acknowledgements is gone");
  });
});

describe("what is acknowledged", () => {
  test("P4: a broker that does not route our births gets none of our acknowledgements", async () => {
    const rig = new SparkplugRig({ broker: { deniedTopics: ["spBv1.0/plant/NBIRTH/gateway"] } });
    rig.values.set("pump/speed", 5);
    rig.begin();
    await rig.until("it fails", () => rig.uplink.report().state.startsWith("failed"));
    assert.match(rig.uplink.report().state, /does not route our data/);
    await rig.pass(60_000);
    assert.equal(rig.queue.depth(), 1);
  });

  test("P4: with a Rebirth in mid-session what was acknowledged lately is told again as history", async () => {
    const rig = new SparkplugRig();
    await rig.start();
    await rig.pass(30_000);
    rig.values.set("pump/speed", 5);
    await rig.until("acknowledged", () => rig.queue.depth() === 0);
    rig.rebirth();
    await rig.until(
      "again",
      () => rig.of("DDATA", "pump").some(({ metrics }) => metrics[0]?.isHistorical === true),
      10_000,
    );
    assert.equal(rig.of("NBIRTH").length, 2);
  });
});

test("P4: live values that are read while a Rebirth is answered go once, as history", async () => {
  const rig = new SparkplugRig();
  await rig.start();
  const readLive = rig.queue.readLive.bind(rig.queue);
  rig.queue.readLive = async (from, to, maxSamples) => {
    const batch = await readLive(from, to, maxSamples);
    await sleep(rig.clock, 1_000);
    return batch;
  };
  rig.values.set("pump/speed", 5);
  rig.rebirth();
  await rig.pass(5_000);
  assert.equal(rig.of("NBIRTH").length, 2);
  assert.equal(rig.queue.depth(), 0);
  const told = rig.of("DDATA", "pump").flatMap(({ metrics }) => metrics);
  assert.deepEqual(
    told.map(({ name, isHistorical }) => [name, isHistorical]),
    [["speed", true]],
  );
});

test("aliases: births have both, data the alias alone, what goes by its name has none", async () => {
  const rig = new SparkplugRig({ config: { sparkplug: { aliases: true, datatypeInData: false, barrier: "ping" } } });
  await rig.start();
  rig.values.set("pump/speed", 5);
  await rig.until("told", () => rig.of("DDATA", "pump").length > 0);
  const births = [...rig.of("NBIRTH"), ...rig.of("DBIRTH", "pump")].flatMap(({ metrics }) => metrics);
  const aliases = births.flatMap(({ alias }) => (alias === undefined ? [] : [alias]));
  assert.equal(new Set(aliases).size, aliases.length);
  const byName = births.filter(({ alias }) => alias === undefined).map(({ name }) => name);
  assert.deepEqual(byName.sort(), ["Node Control/Rebirth", "bdSeq"]);
  const [metric] = rig.of("DDATA", "pump")[0]?.metrics ?? [];
  assert.deepEqual([metric?.name, metric?.alias], [undefined, births.find(({ name }) => name === "speed")?.alias]);
});
