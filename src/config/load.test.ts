import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import fc from "fast-check";
import { ConfigurationError } from "../core/errors.ts";
import { BOARD, ConfigFolder, FIXTURES } from "../testing/config-folder.ts";
import { checkConfig, loadConfig, parseConfig } from "./load.ts";

let folder: ConfigFolder;

before(async () => {
  folder = await ConfigFolder.make();
});

after(() => folder.remove());

describe("the examples of the contract", () => {
  test("the shortest useful file loads, with every default", () => {
    const { config, notices } = checkConfig(folder.path("shortest.yaml"), BOARD);
    assert.deepEqual(notices, []);
    const [uplink] = config.uplinks;
    assert.deepEqual(uplink, {
      name: "cloud",
      servers: ["mqtts://broker.example.com:8883"],
      format: "json",
      node: { group: "plant-7", name: "pump-house-3" },
      clientId: "plant-7-pump-house-3-cloud",
      mqttVersion: "auto",
      tls: { ca: folder.path("ca.pem") },
      keepAliveMs: 15_000,
      reconnect: { spreadMs: 30_000, maxMs: 120_000 },
      startAt: "now",
      history: {
        enabled: true,
        maxAgeMs: 90 * 86_400_000,
        maxSizeBytes: 2_000_000_000,
        rateBytesPerS: Number.POSITIVE_INFINITY,
      },
      sparkplug: { aliases: false, datatypeInData: false, barrier: "ping" },
      topic: "plant-7/pump-house-3",
      id: "{device}/{tag}",
    });
    const [line] = config.lines;
    assert.equal(line?.path, "/dev/ttyAMA3");
    assert.deepEqual(line.serial, { baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 });
    const [device] = line.devices;
    assert.equal(device?.retries, 1);
    assert.equal(device.tags.length, 22);
    assert.deepEqual(device.tags[0], {
      id: "meter-1/voltage-l1",
      device: "meter-1",
      name: "voltage-l1",
      type: "float32",
      units: "V",
      priority: "normal",
      deadband: 0,
      scanRateMs: 1_000,
      staleMs: 5_000,
      maxIntervalMs: 600_000,
      writable: false,
      enabled: true,
      register: { table: "inputRegister", address: 0, type: "float32", byteOrder: "ABCD" },
      unsigned: false,
    });
    assert.deepEqual(config.clock, { source: "auto", waitAtMostMs: 600_000 });
    assert.equal(config.outbox.outageCommitIntervalMs, 1_000);
    assert.ok(!("commands" in config));
  });

  test("the full file loads; its device settings reach its tags", () => {
    const { config, notices } = checkConfig(folder.path("full.yaml"), BOARD);
    const tags = new Map(config.lines.flatMap((line) => line.devices.flatMap((d) => d.tags.map((t) => [t.id, t]))));
    assert.deepEqual(tags.get("pump-1/speed"), {
      id: "pump-1/speed",
      device: "pump-1",
      name: "speed",
      type: "float64",
      units: "rpm",
      priority: "normal",
      deadband: 0.5,
      scanRateMs: 500,
      staleMs: 5_000,
      maxIntervalMs: 600_000,
      writable: false,
      enabled: true,
      register: { table: "holdingRegister", address: 100, type: "float32", byteOrder: "CDAB" },
      scale: 0.1,
      unsigned: false,
    });
    assert.equal(tags.get("pump-1/fault")?.type, "bool");
    assert.equal(tags.get("pump-1/fault")?.register.bit, 4);
    assert.deepEqual(tags.get("pump-1/setpoint")?.writeLimits, { min: 0, max: 1_500 });
    // 1 % of what the model says the meter can measure.
    assert.equal(tags.get("meter-1/power-total")?.deadband, 1_660);
    assert.equal(tags.get("meter-1/power-total")?.staleMs, 15_000);
    assert.deepEqual([...tags.keys()].filter((id) => id.startsWith("meter-1/")).length, 2);
    const [door, energy] = config.inputs;
    assert.equal(door?.type, "bool");
    assert.deepEqual(energy?.counter, { edge: "rising", start: 48_211.4, scale: 0.001 });
    assert.deepEqual(
      config.commands?.authorizedKeys.map(({ file }) => file),
      [folder.path("ops.pub")],
    );
    assert.match(config.commands?.authorizedKeys[0]?.id ?? "", /^[0-9a-f]{16}$/);
    assert.equal(tags.get("pump-1/setpoint")?.writable, true);
    assert.deepEqual(notices, []);
  });

  test("a configuration is frozen to its last part", () => {
    const thawed: unknown[] = [];
    const visit = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      if (!Object.isFrozen(value)) thawed.push(value);
      Object.values(value).forEach(visit);
    };
    visit(loadConfig(folder.path("full.yaml"), BOARD));
    assert.deepEqual(thawed, []);
  });
});

describe("any text", () => {
  const words = fc.constantFrom(
    ..."version: 1|gateway:|uplinks:|lines:|devices:|tags:|a:|unitId: 1|register: 40001|- |{ |} |[ |] |&x |*x|\n|  |, |1%|~|'|\"".split(
      "|",
    ),
  );
  const only = (text: string) => {
    try {
      parseConfig(folder.path("gateway.yaml"), text, BOARD);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      assert.ok(error.problems.length > 0);
      for (const { line, column, wrong, remedy } of error.problems) {
        assert.ok(line >= 1 && column >= 1 && wrong !== "" && remedy !== "");
        assert.doesNotMatch(wrong + remedy, /undefined|\[object|\n/);
      }
    }
  };

  test("is a configuration or a ConfigurationError with remedies", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(words).map((parts) => parts.join("")),
        ),
        only,
      ),
      { numRuns: 150 },
    );
  });

  test("so is the full example with anything at any of its values", () => {
    const full = readFileSync(join(FIXTURES, "full.yaml"), "utf8").replace(/ +#.*$/gm, "");
    const values = [...full.matchAll(/(?<=[:[,] +)[^\s,{}[\]]+/g)].map((match) => ({
      from: match.index,
      to: match.index + match[0].length,
    }));
    const anything = fc.oneof(
      fc.json({ maxDepth: 2 }),
      fc.double().map(String),
      fc.bigInt().map(String),
      fc.constantFrom(
        "",
        "~",
        "off",
        "1%",
        "-1",
        "0",
        "65536",
        "40101",
        "string(16)",
        "[ a, a ]",
        "{ coil: 1 }",
        "1e400",
        ".nan",
      ),
    );
    fc.assert(
      fc.property(fc.constantFrom(...values), anything, ({ from, to }, text) =>
        only(full.slice(0, from) + text + full.slice(to)),
      ),
      { numRuns: 150 },
    );
  });
});

test("a tag that passes its checks is built; 64-bit marks are exact", () => {
  const load = (keys: string) => {
    const { config } = parseConfig(
      folder.path("gateway.yaml"),
      `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks: { cloud: { servers: [ "mqtts://broker.example.com:8883" ] } }
lines: { bench: { path: /dev/ttyUSB0, devices: { pump-1: { unitId: 1, tags: { t: { ${keys} } } } } } }
`,
    );
    return config.lines[0]?.devices[0]?.tags[0];
  };
  assert.equal(
    load("holdingRegister: 1, type: uint64, notAvailable: 0xFFFFFFFFFFFFFFFF")?.notAvailable,
    2n ** 64n - 1n,
  );
  assert.equal(load("holdingRegister: 1, type: int16, notAvailable: 0x8000")?.notAvailable, -32_768);
  const range = load("holdingRegister: 1, type: int32, notAvailable: { from: 0x7FFFFFF8, to: 0x7FFFFFFF }");
  assert.deepEqual([range?.notAvailable, range?.notAvailableTo], [0x7fff_fff8, 0x7fff_ffff]);
  assert.equal(load("holdingRegister: 1")?.type, "uint16");
  assert.equal(load("holdingRegister: 1, type: bcd32")?.type, "uint32");
  assert.equal(load("holdingRegister: 1, offset: 0")?.type, "float64");
  assert.deepEqual(load("holdingRegister: 1, type: int16, scaleFrom: 40003")?.scaleFrom, {
    table: "holdingRegister",
    address: 2,
  });
  assert.deepEqual(load('holdingRegister: 1, enum: { 0: stopped, 1: "on" }')?.enum, { 0: "stopped", 1: "on" });
  assert.deepEqual(load("holdingRegister: 1, type: int16, enum: { 01: on, -2: fault }")?.enum, {
    1: "on",
    "-2": "fault",
  });
  assert.deepEqual(load("inputRegister: 1, writeFirst: { holdingRegister: 100, value: 3 }")?.writeFirst, {
    address: 100,
    value: 3,
  });
  assert.equal(load("register: 00001")?.register.table, "coil");
  assert.equal(load("coil: 1, writable: true")?.writable, false, "there is no section commands");
});
