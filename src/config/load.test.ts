import assert from "node:assert/strict";
import { chmodSync, copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { hostClock } from "../core/clock.ts";
import { ConfigurationError, problemText } from "../core/errors.ts";
import { writeCertificates } from "../testing/certificates.ts";
import { LIMITS } from "./defaults.ts";
import { checkConfig, loadConfig, parseConfig } from "./load.ts";

const FIXTURES = fileURLToPath(new URL("./fixtures", import.meta.url));
const BOARD = { boardLines: { "RS485-1": "/dev/ttyAMA3" } };

let dir = "";

before(async () => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-config-"));
  const { ca, crl, client } = await writeCertificates(join(dir, "tls"), hostClock);
  copyFileSync(ca, join(dir, "ca.pem"));
  copyFileSync(crl, join(dir, "crl.pem"));
  copyFileSync(client.certificate, join(dir, "gateway.pem"));
  copyFileSync(client.key, join(dir, "gateway.key"));
  for (const name of ["cloud.password", "proxy.password"]) writeFileSync(join(dir, name), "geheim\n", { mode: 0o640 });
  writeFileSync(join(dir, "ops.pub"), "ssh-ed25519 AAAA ops\n");
  chmodSync(join(dir, "gateway.key"), 0o640);
  for (const name of ["shortest.yaml", "full.yaml", "bad.yaml"]) copyFileSync(join(FIXTURES, name), join(dir, name));
});

after(() => rmSync(dir, { recursive: true, force: true }));

/** The complaints about a text, with the folder of the test left out. */
function complaints(text: string, options = {}): string[] {
  try {
    parseConfig(join(dir, "gateway.yaml"), text, options);
    return [];
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, `threw ${error}`);
    return error.problems.map((problem) => problemText(problem).replaceAll(`${dir}/`, ""));
  }
}

/** A sound file with one line exchanged or added. */
function variant(part: { uplink?: string; line?: string; device?: string; rest?: string }): string {
  return `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks:
  cloud: { servers: [ "mqtts://broker.example.com:8883" ]${part.uplink ?? ""} }
lines:
  bench:
    path: /dev/ttyUSB0${part.line ?? ""}
    devices:
      pump-1: { unitId: 1${part.device ?? ", tags: { speed: { register: 40101 } }"} }
${part.rest ?? ""}`;
}

const tag = (keys: string) => variant({ device: `, tags: { t: { ${keys} } }` });

describe("the examples of the contract", () => {
  test("the shortest useful file loads, with every default", () => {
    const { config, notices } = checkConfig(join(dir, "shortest.yaml"), BOARD);
    assert.deepEqual(notices, []);
    const [uplink] = config.uplinks;
    assert.deepEqual(uplink, {
      name: "cloud",
      servers: ["mqtts://broker.example.com:8883"],
      format: "json",
      node: { group: "plant-7", name: "pump-house-3" },
      clientId: "plant-7-pump-house-3-cloud",
      mqttVersion: "auto",
      tls: { ca: join(dir, "ca.pem") },
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
    assert.equal(device.tags.length, 13);
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
    const { config, notices } = checkConfig(join(dir, "full.yaml"));
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
    assert.deepEqual(config.commands, { authorizedKeys: [join(dir, "ops.pub")] });
    assert.ok(notices.some((notice) => notice.key === "uplinks.cloud.format" && notice.line === 7));
  });

  test("a configuration is frozen to its last part", () => {
    const thawed: unknown[] = [];
    const visit = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      if (!Object.isFrozen(value)) thawed.push(value);
      Object.values(value).forEach(visit);
    };
    visit(loadConfig(join(dir, "full.yaml")));
    assert.deepEqual(thawed, []);
  });
});

describe("mistakes", () => {
  test("every mistake of a file is told at once, each with place, key and remedy", () => {
    chmodSync(join(dir, "gateway.key"), 0o644);
    const told = complaints(readFileSync(join(dir, "bad.yaml"), "utf8"));
    chmodSync(join(dir, "gateway.key"), 0o640);
    assert.deepEqual(told, readFileSync(join(FIXTURES, "bad.txt"), "utf8").trimEnd().split("\n"));
  });

  test("P2: no plaintext, and nothing that turns verification off", () => {
    for (const server of ["mqtt://b:1883", "tcp://b:1883", "ws://b/mqtt", "http://b"]) {
      const [told] = complaints(variant({}).replace("mqtts://broker.example.com:8883", server));
      assert.match(
        told ?? "",
        /^gateway\.yaml:4:23 uplinks\.cloud\.servers\[0\]: \w+:\/\/ sends everything in the clear; use TLS: /,
      );
    }
    for (const key of [
      "rejectUnauthorized",
      "insecure",
      "skipVerify",
      "verifyHostname",
      "allowSelfSigned",
      "trustAll",
    ]) {
      const told = complaints(variant({ uplink: `, tls: { ${key}: false }` }));
      assert.match(
        told.join(),
        /nothing turns the verification of the broker off; remove the key and name the CA/,
        key,
      );
    }
  });

  test("P2: no secret stands in the file, and none is repeated in a message", () => {
    const inUrl = complaints(variant({}).replace("mqtts://", "mqtt://u:geheim@")).join();
    assert.doesNotMatch(inUrl, /geheim/);
    assert.doesNotMatch(complaints(variant({}).replace("mqtts://", "mqqtt://u:geheim@")).join(), /geheim/);
    assert.match(
      complaints(variant({ uplink: ", login: { username: u, password: geheim }" })).join(),
      /a secret never stands/,
    );
  });

  test("key and password files that everybody may read are refused, those of the group are not", () => {
    const uplink =
      ", tls: { certificate: gateway.pem, key: gateway.key }, login: { username: u, passwordFile: cloud.password }";
    assert.deepEqual(complaints(variant({ uplink })), []);
    for (const name of ["gateway.key", "cloud.password"]) {
      for (const mode of [0o644, 0o642, 0o641]) {
        chmodSync(join(dir, name), mode);
        assert.match(complaints(variant({ uplink })).join(), new RegExp(`may use ${name}; chmod o-rwx ${name}$`));
      }
      chmodSync(join(dir, name), 0o640);
    }
  });

  test("files that are not what they are named for are refused", () => {
    const told = (tls: string) => complaints(variant({ uplink: `, tls: { ${tls} }` })).join();
    assert.match(told("ca: gateway.key"), /uplinks\.cloud\.tls\.ca: gateway\.key holds no certificate in PEM form/);
    assert.match(told("certificate: gateway.pem, key: ops.pub"), /everybody|holds no private key/);
    assert.match(told("ca: ."), /is not a file/);
    assert.match(told("crl: ca.pem"), /holds no CRL in PEM form/);
    writeFileSync(join(dir, "locked.key"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", { mode: 0o600 });
    assert.match(
      told("certificate: gateway.pem, key: locked.key"),
      /needs a passphrase, and nobody is there to type it/,
    );
    writeFileSync(join(dir, "empty.pem"), "\n");
    assert.match(told("ca: empty.pem"), /is empty/);
  });

  test("two uplinks never share a Sparkplug node, a client id or a topic on one server", () => {
    const two = (first: string, second: string) =>
      complaints(`version: 1
gateway: { group: g, name: n }
uplinks:
  a: { servers: [ "mqtts://h:1", "mqtts://i:1" ], ${first} }
  b: { servers: [ "mqtts://I:1/" ], ${second} }
`);
    assert.deepEqual(two("format: sparkplug", "format: sparkplug, node: { group: G }"), [
      "gateway.yaml:5:56 uplinks.b.node: the Sparkplug node G/n is that of a, line 4; give this uplink its own node",
    ]);
    assert.deepEqual(two("format: sparkplug", "format: sparkplug, node: { name: m }"), []);
    assert.match(
      two("clientId: x", "clientId: x, topic: t").join(),
      /uplinks\.b\.clientId: the same client id .* by a, line 4/,
    );
    assert.match(
      two("topic: x/y", "topic: x/y").join(),
      /uplinks\.b\.topic: the same topic, x\/y, is used on the same server/,
    );
    assert.deepEqual(two("topic: x/y", "topic: x/z"), []);
  });

  test("a line without a path needs the board's label for it", () => {
    const text = variant({}).replace("    path: /dev/ttyUSB0\n", "");
    assert.match(complaints(text).join(), /^gateway\.yaml:6:3 lines\.bench: has no path; give it one/);
    assert.match(complaints(text, BOARD).join(), /is no connector of this board, which has RS485-1/);
    assert.deepEqual(complaints(text, { boardLines: { bench: "/dev/ttyAMA1" } }), []);
    assert.match(complaints(text.replace("bench", "toString")).join(), /lines\.toString: has no path/);
  });

  test("a broken model is told once, in its own file", () => {
    writeFileSync(
      join(dir, "broken.yaml"),
      "name: X\nmaker: Y\nsource: Z\ntags: { a: { register: 40001, bit: 16 }, b: {} }\n",
    );
    const devices = "    devices: { m1: { unitId: 1, model: ./broken.yaml }, m2: { unitId: 2, model: ./broken.yaml } }";
    const text = variant({}).replace(/ {4}devices:\n.*\n/, `${devices}\n`);
    assert.deepEqual(complaints(text), [
      "broken.yaml:4:36 tags.a.bit: 16 is out of range; write 0 to 15",
      "broken.yaml:4:42 tags.b: has no address; add one, as register: 40101 or holdingRegister: 100",
    ]);
  });

  test("what a device changes in a model is judged with the model's tag", () => {
    const device = (keys: string) => variant({ device: `, model: eastron-sdm630, ${keys}` });
    assert.deepEqual(complaints(device("change: { power-total: { deadband: 1% } }")), []);
    assert.match(
      complaints(device("change: { power-total: { max: -90000 } }")).join(),
      /change\.power-total\.max: -90000 is not above min -83000/,
    );
    assert.match(
      complaints(device('unreadable: [ "3:52" ]')).join(),
      /devices\.pump-1\.model: power-total inputRegister:52 \(30053\) lies in what the device lists as unreadable/,
    );
    assert.match(complaints(device("tags: { a: { coil: 1 } }")).join(), /with a model this is a list/);
    assert.match(
      complaints(device("tags: [ frequency, frequency ], change: { voltage-l1: { scanRate: 5s } }")).join("\n"),
      /frequency is in the list already.*\n.*this tag is not read/,
    );
  });

  test("a text that is no configuration at all still ends soon", () => {
    const noise = Array.from({ length: LIMITS.problems * 2 }, (_, n) => `key${n}: 1`).join("\n");
    const told = complaints(noise);
    assert.equal(told.length, LIMITS.problems + 1);
    assert.match(told.at(-1) ?? "", /203 more mistakes are not shown; mend these first/);
    assert.match(complaints("").join(), /^gateway\.yaml:1:1 nothing is not a gateway's configuration/);
    assert.match(complaints("[]").join(), /a list is not a gateway's configuration/);
  });

  test("a file that is missing, no file, too large or no text is told, never thrown otherwise", () => {
    const told = (name: string) => {
      try {
        loadConfig(join(dir, name));
        return "";
      } catch (error) {
        assert.ok(error instanceof ConfigurationError);
        return error.message.replaceAll(`${dir}/`, "");
      }
    };
    assert.equal(told("absent.yaml"), "absent.yaml:1:1 there is no file absent.yaml; put it there, or mend the path");
    assert.match(told("tls"), /^tls:1:1 tls is not a file/);
    writeFileSync(join(dir, "large.yaml"), " ".repeat(LIMITS.fileBytes + 1));
    assert.match(told("large.yaml"), /larger than 1000000 bytes/);
    writeFileSync(join(dir, "latin.yaml"), Buffer.from([0x61, 0x3a, 0xe4]));
    assert.match(told("latin.yaml"), /is not UTF-8 text; save it as UTF-8/);
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
      parseConfig(join(dir, "gateway.yaml"), text, BOARD);
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
    const { config } = parseConfig(join(dir, "gateway.yaml"), tag(keys));
    return config.lines[0]?.devices[0]?.tags[0];
  };
  assert.equal(
    load("holdingRegister: 1, type: uint64, notAvailable: 0xFFFFFFFFFFFFFFFF")?.notAvailable,
    2n ** 64n - 1n,
  );
  assert.equal(load("holdingRegister: 1, type: int16, notAvailable: 0x8000")?.notAvailable, -32_768);
  assert.equal(load("holdingRegister: 1")?.type, "uint16");
  assert.equal(load("holdingRegister: 1, type: bcd32")?.type, "uint32");
  assert.equal(load("holdingRegister: 1, offset: 0")?.type, "float64");
  assert.deepEqual(load("holdingRegister: 1, type: int16, scaleFrom: 40003")?.scaleFrom, {
    table: "holdingRegister",
    address: 2,
  });
  assert.deepEqual(load('holdingRegister: 1, enum: { 0: stopped, 1: "on" }')?.enum, { 0: "stopped", 1: "on" });
  assert.equal(load("register: 00001")?.register.table, "coil");
  assert.equal(load("coil: 1, writable: true")?.writable, true);
});
