import assert from "node:assert/strict";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { ConfigurationError } from "../core/errors.ts";
import { BOARD, ConfigFolder, FIXTURES } from "../testing/config-folder.ts";
import { LIMITS } from "./defaults.ts";
import { type LoadOptions, loadConfig } from "./load.ts";

/** Connectors that it does not have are told otherwise. */
const ONLY_PINS: LoadOptions = { board: { name: "bench", lines: {}, pins: BOARD.board?.pins ?? {} } };

let folder: ConfigFolder;

before(async () => {
  folder = await ConfigFolder.make();
});

after(() => folder.remove());

/** A sound file with one line exchanged or added. */
function variant(part: { uplink?: string; device?: string }): string {
  return `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks:
  cloud: { servers: [ "mqtts://broker.example.com:8883" ]${part.uplink ?? ""} }
lines:
  bench:
    path: /dev/ttyUSB0
    devices:
      pump-1: { unitId: 1${part.device ?? ", tags: { speed: { register: 40101 } }"} }
`;
}

describe("mistakes in a configuration", () => {
  test("every mistake of a file is told at once, each with place, key and remedy", () => {
    chmodSync(folder.path("gateway.key"), 0o644);
    const told = folder.complaints(readFileSync(join(FIXTURES, "bad.yaml"), "utf8"), ONLY_PINS);
    chmodSync(folder.path("gateway.key"), 0o640);
    assert.deepEqual(told, readFileSync(join(FIXTURES, "bad.txt"), "utf8").trimEnd().split("\n"));
  });

  test("P2: no plaintext, and nothing that turns verification off", () => {
    for (const server of ["mqtt://b:1883", "tcp://b:1883", "ws://b/mqtt", "http://b"]) {
      const [told] = folder.complaints(variant({}).replace("mqtts://broker.example.com:8883", server));
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
      const told = folder.complaints(variant({ uplink: `, tls: { ${key}: false }` }));
      assert.match(
        told.join(),
        /nothing turns the verification of the broker off; remove the key and name the CA/,
        key,
      );
    }
  });

  test("P2: no secret stands in the file, and none is repeated in a message", () => {
    for (const server of [
      "mqtt://u:geheim@b:1883",
      "mqqtt://u:geheim@b",
      "mqtts://u:geheim@b:8883",
      "mqtts://u:x@geheim@b:99999",
      "mqtts://u:x/geheim@b:99999",
      "u:geheim@b:8883",
    ]) {
      const told = folder.complaints(variant({}).replace("mqtts://broker.example.com:8883", server)).join();
      assert.match(told, /uplinks\.cloud\.servers\[0\]: /);
      assert.doesNotMatch(told, /geheim/, server);
    }
    assert.match(
      folder.complaints(variant({ uplink: ", login: { username: u, password: geheim }" })).join(),
      /a secret never stands/,
    );
  });

  test("key and password files that everybody may read are refused, those of the group are not", () => {
    const uplink =
      ", tls: { certificate: gateway.pem, key: gateway.key }, login: { username: u, passwordFile: cloud.password }";
    assert.deepEqual(folder.complaints(variant({ uplink })), []);
    for (const name of ["gateway.key", "cloud.password"]) {
      for (const mode of [0o644, 0o642, 0o641]) {
        chmodSync(folder.path(name), mode);
        assert.match(
          folder.complaints(variant({ uplink })).join(),
          new RegExp(`may use ${name}; chmod o-rwx ${name}; from a USB stick, copy it to this machine first$`),
        );
      }
      chmodSync(folder.path(name), 0o640);
    }
  });

  test("the board's console is no line", () => {
    const board = { name: "bench", lines: {}, pins: {}, console: "/dev/ttyUSB0" };
    const text = 'version: 1\ngateway: { group: g, name: n }\nuplinks: { a: { servers: [ "mqtts://h" ] } }\n';
    const told = folder.complaints(`${text}lines: { l: { path: /dev/ttyUSB0 } }\n`, { board });
    assert.deepEqual(told, ["gateway.yaml:4:21 lines.l.path: /dev/ttyUSB0 is the board's console; use another port"]);
  });

  test("a password that the service manager hands over goes before the file of that name", () => {
    const uplink = ", login: { username: u, passwordFile: passwords/cloud }";
    assert.match(folder.complaints(variant({ uplink })).join(), /there is no file passwords\/cloud/);
    writeFileSync(folder.path("passwords_cloud"), "geheim\n", { mode: 0o400 });
    assert.deepEqual(folder.complaints(variant({ uplink }), { credentialsFolder: folder.dir }), []);
    rmSync(folder.path("passwords_cloud"));
    const told = folder.complaints(variant({ uplink }), { credentialsFolder: folder.dir }).join();
    assert.match(told, /there is no file passwords\/cloud/);
  });

  test("files that are not what they are named for are refused", () => {
    const told = (tls: string) => folder.complaints(variant({ uplink: `, tls: { ${tls} }` })).join();
    assert.match(told("ca: gateway.key"), /uplinks\.cloud\.tls\.ca: gateway\.key holds no certificate in PEM form/);
    assert.match(told("certificate: gateway.pem, key: ops.pub"), /everybody|holds no private key/);
    assert.match(told("ca: ."), /is not a file/);
    assert.match(told("crl: ca.pem"), /holds no CRL in PEM form/);
    writeFileSync(folder.path("locked.key"), "-----BEGIN ENCRYPTED PRIVATE KEY-----\n", { mode: 0o600 });
    assert.match(
      told("certificate: gateway.pem, key: locked.key"),
      /needs a passphrase, and nobody is there to type it/,
    );
    writeFileSync(folder.path("empty.pem"), "\n");
    assert.match(told("ca: empty.pem"), /is empty/);
  });

  test("two uplinks never share a Sparkplug node, a client id or a topic on one server", () => {
    const two = (first: string, second: string) =>
      folder.complaints(`version: 1
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
    assert.match(folder.complaints(text).join(), /^gateway\.yaml:6:3 lines\.bench: has no path; give it one/);
    assert.match(folder.complaints(text, BOARD).join(), /is no connector of this board, which has RS485-1/);
    assert.deepEqual(folder.complaints(text, { board: { name: "b", lines: { bench: "/dev/ttyAMA1" }, pins: {} } }), []);
    assert.match(folder.complaints(text.replace("bench", "toString")).join(), /lines\.toString: has no path/);
  });

  test("an input's label needs a board that has it", () => {
    const text = variant({}).concat("inputs:\n  door: { pin: DI1 }\n");
    assert.match(folder.complaints(text).join(), /inputs\.door\.pin: "DI1" is a label, and no board is named; give/);
    assert.deepEqual(folder.complaints(text, BOARD), []);
    const other = text.replace("DI1", "DI9");
    assert.match(folder.complaints(other, BOARD).join(), /bench has no pin "DI9"; write one of DI1 or DI2, or/);
  });

  test("the later of two in the file is told, whatever their names", () => {
    // An object of JavaScript has its whole numbers first.
    const devices =
      "    devices: { b: { unitId: 7, tags: { t: { coil: 1 } } }, 1: { unitId: 7, tags: { t: { coil: 1 } } } }";
    const text = variant({}).replace(/ {4}devices:\n.*\n/, `${devices}\n`);
    assert.match(
      folder.complaints(text).join(),
      /^gateway\.yaml:8:65 lines\.bench\.devices\.1\.unitId: .* is b, line 8/,
    );
  });

  test("keys of remote commands must be there", () => {
    const told = folder.complaints(`${variant({})}commands: { authorizedKeys: [ ops.pub, gone.pub ] }\n`).join();
    assert.match(told, /^gateway\.yaml:\d+:40 commands\.authorizedKeys\[1\]: there is no file gone\.pub/);
  });

  test("P10: a key file holds one Ed25519 public key, once, that nobody else can change", () => {
    const told = (keys: string) => folder.complaints(`${variant({})}commands: { authorizedKeys: ${keys} }\n`).join();
    assert.equal(told("[ ops.pub, { file: shift.pub } ]"), "");
    assert.match(told("[ ops.pub, ops.pub ]"), /authorizedKeys\[1\]: ops\.pub holds the key of ops\.pub/);
    assert.match(told("[ gateway.key ]"), /holds a private key, which belongs to who signs/);
    assert.match(told("[ gateway.pem ]"), /holds a key of another kind \(ec\), not Ed25519/);
    assert.match(told("[ cloud.password ]"), /holds no public key in PEM form/);
    assert.match(told("[ { tags: [ a ] } ]"), /authorizedKeys\[0\]\.file: is missing/);
    chmodSync(folder.path("shift.pub"), 0o646);
    assert.match(told("[ shift.pub ]"), /everybody on this machine may change shift\.pub; chmod o-w/);
    chmodSync(folder.path("shift.pub"), 0o644);
  });

  test("P10: a key is for tags that are there and writable", () => {
    const devices =
      "    devices: { pump: { unitId: 1, tags: { a: { holdingRegister: 1, writable: true }, b: { coil: 1 } } } }";
    const told = (tags: string) => {
      const text = variant({}).replace(/ {4}devices:\n.*\n/, `${devices}\n`);
      return folder.complaints(`${text}commands: { authorizedKeys: [ { file: ops.pub, tags: ${tags} } ] }\n`).join();
    };
    assert.equal(told('[ pump/a, "pump/*" ]'), "");
    assert.match(
      told("[ pump/a, pump/b ]"),
      /commands\.authorizedKeys\[0\]\.tags\[1\]: there is no writable tag pump\/b/,
    );
    assert.match(told('[ "fan/*" ]'), /there is no writable tag fan\/\*/);
  });

  test("a broken model is told once, in its own file", () => {
    writeFileSync(
      folder.path("broken.yaml"),
      "name: X\nmaker: Y\nsource: Z\ntags: { a: { register: 40001, bit: 16 }, b: {} }\n",
    );
    const devices = "    devices: { m1: { unitId: 1, model: ./broken.yaml }, m2: { unitId: 2, model: ./broken.yaml } }";
    const text = variant({}).replace(/ {4}devices:\n.*\n/, `${devices}\n`);
    assert.deepEqual(folder.complaints(text), [
      "broken.yaml:4:36 tags.a.bit: 16 is out of range; write 0 to 15",
      "broken.yaml:4:42 tags.b: has no address; add one, as register: 40101 or holdingRegister: 100",
    ]);
  });

  test("what a device changes in a model is judged with the model's tag", () => {
    const device = (keys: string) => variant({ device: `, model: eastron-sdm630, ${keys}` });
    assert.deepEqual(folder.complaints(device("change: { power-total: { deadband: 1% } }")), []);
    assert.match(
      folder.complaints(device("change: { power-total: { max: -90000 } }")).join(),
      /change\.power-total\.max: -90000 is not above min -83000/,
    );
    assert.match(
      folder.complaints(device('unreadable: [ "3:52" ]')).join(),
      /devices\.pump-1\.model: power-total inputRegister:52 \(30053\) lies in what the device lists as unreadable/,
    );
    assert.match(folder.complaints(device("tags: { a: { coil: 1 } }")).join(), /with a model this is a list/);
    assert.match(
      folder.complaints(device("tags: [ frequency, frequency ], change: { voltage-l1: { scanRate: 5s } }")).join("\n"),
      /frequency is in the list already.*\n.*this tag is not read/,
    );
  });

  test("a text that is no configuration at all still ends soon", () => {
    const noise = Array.from({ length: LIMITS.problems * 2 }, (_, n) => `key${n}: 1`).join("\n");
    const told = folder.complaints(noise);
    assert.equal(told.length, LIMITS.problems + 1);
    assert.match(told.at(-1) ?? "", /203 more mistakes are not shown; mend these first/);
    assert.match(folder.complaints("").join(), /^gateway\.yaml:1:1 nothing is not a gateway's configuration/);
    assert.match(folder.complaints("[]").join(), /a list is not a gateway's configuration/);
  });

  test("a file that is missing, no file, too large or no text is told, never thrown otherwise", () => {
    const told = (name: string) => {
      try {
        loadConfig(folder.path(name));
        return "";
      } catch (error) {
        assert.ok(error instanceof ConfigurationError);
        return error.message.replaceAll(`${folder.dir}/`, "");
      }
    };
    assert.equal(told("absent.yaml"), "absent.yaml:1:1 there is no file absent.yaml; put it there, or mend the path");
    assert.match(told("tls"), /^tls:1:1 tls is not a file/);
    writeFileSync(folder.path("large.yaml"), " ".repeat(LIMITS.fileBytes + 1));
    assert.match(told("large.yaml"), /larger than 1000000 bytes/);
    writeFileSync(folder.path("latin.yaml"), Buffer.from([0x61, 0x3a, 0xe4]));
    assert.match(told("latin.yaml"), /is not UTF-8 text; save it as UTF-8/);
  });
});
