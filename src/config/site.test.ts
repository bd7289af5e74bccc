import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCommandLine } from "../commands/cli.ts";
import { ConfigurationError, problemText } from "../core/errors.ts";
import { runCommand } from "../testing/command-run.ts";
import { schemaBreaches } from "../testing/json-schema-check.ts";
import { parseSource } from "./document.ts";
import { siteJsonSchema } from "./json-schema.ts";
import { checkSite } from "./site.ts";

const FIXED = `version: 1
board: raspberry-pi-4
hostname: pump-house-3
network: { address: 192.168.10.20/24, gateway: 192.168.10.1 }
dns: [ 192.168.10.1 ]
ntp: [ ntp.example.com ]
wifi: { ssid: plant, passwordFile: wifi.password, country: DE }
console: { passwordFile: console.password }
`;
const DHCP = "version: 1\nboard: virtual\nhostname: bench\nnetwork: dhcp\n";
const GATEWAY = `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks:
  cloud: { servers: [ "mqtts://a.example.com", "wss://b.example.com/mqtt" ] }
  far: { servers: [ "mqtts://c.example.com:18883" ], proxy: { url: "http://192.168.10.9:3128" } }
lines:
  UART0: { serial: 9600 8N1 }
`;

let dir = "";

before(() => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-site-"));
  for (const name of ["wifi", "console"]) writeFileSync(join(dir, `${name}.password`), "geheimnis\n", { mode: 0o600 });
});

after(() => rmSync(dir, { recursive: true }));

function put(site: string, gateway = GATEWAY): void {
  writeFileSync(join(dir, "site.yaml"), site);
  writeFileSync(join(dir, "gateway.yaml"), gateway);
}

function mistakes(site: string, gateway = GATEWAY): readonly string[] {
  put(site, gateway);
  try {
    checkSite(dir);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return error.problems.map((problem) => problemText(problem).replaceAll(`${dir}/`, ""));
  }
}

const changed = (from: string | RegExp, to: string) => {
  assert.notEqual(FIXED.replace(from, to), FIXED);
  return FIXED.replace(from, to);
};

describe("a site", () => {
  test("in order gives the plan of all that it says on its network", () => {
    put(FIXED);
    const plan = checkSite(dir).plan.map(({ protocol, port, to, why }) => `${protocol} ${port} ${to} ${why}`);
    assert.deepEqual(plan, [
      "udp 53 192.168.10.1 names",
      "tcp 53 192.168.10.1 names",
      "udp 123 ntp.example.com time",
      "tcp 8883 a.example.com uplink cloud",
      "tcp 443 b.example.com uplink cloud",
      "tcp 3128 192.168.10.9 uplink far, by the proxy",
    ]);
    put(DHCP, GATEWAY.replace("UART0", "RS485-1"));
    const dhcp = checkSite(dir).plan.map(({ port, to }) => `${port} ${to}`);
    assert.deepEqual(dhcp.slice(0, 4), [
      "67 the local network",
      "53 what DHCP tells",
      "53 what DHCP tells",
      "123 what DHCP tells",
    ]);
  });

  test("tells the mistakes of both files at once, without making any up", () => {
    assert.deepEqual(
      mistakes(
        changed("raspberry-pi-4", "raspbery-pi-4").replace("ntp: [ ntp.example.com ]\n", ""),
        GATEWAY.replace("9600 8N1", "9600"),
      ),
      [
        "site.yaml:2:8 board: there is no board raspbery-pi-4; did you mean raspberry-pi-4?",
        "site.yaml:4:1 network: with a fixed address nobody tells the board the time; add ntp: [ … ]; without the time no certificate can be judged",
        'gateway.yaml:7:20 lines.UART0.serial: 9600 is not a serial setting; write it as the device\'s menu shows it, as "19200 8E1"',
      ],
    );
    assert.match(
      mistakes(FIXED, GATEWAY.replace("UART0", "UART7")).join(),
      /lines\.UART7: is no connector of this board, which has UART0/,
    );
    rmSync(join(dir, "site.yaml"));
    assert.throws(() => checkSite(dir), /there is no file .*site\.yaml/);
  });

  test("each key is held to what it may be", () => {
    for (const [from, to, complaint] of [
      ["pump-house-3", "Pump_House", /hostname: "Pump_House" is not a host name/],
      ["192.168.10.20/24", "192.168.10.20", /network\.address: .* is not an address with its network/],
      ["192.168.10.20/24", "192.168.10.0/24", /is the network itself or its broadcast address, no host in it/],
      ["192.168.10.20/24", "192.168.10.255/24", /is the network itself or its broadcast address/],
      ["192.168.10.20/24", "127.0.0.1/24", /is no address that a board can have/],
      ["192.168.10.20/24", "224.0.0.5/24", /is no address that a board can have/],
      ["192.168.10.20/24", "192.168.300.2/24", /is not an address with its network/],
      [
        "gateway: 192.168.10.1 ",
        "gateway: 192.168.11.1 ",
        /192\.168\.11\.1 is not in the network of 192\.168\.10\.20\/24/,
      ],
      ["gateway: 192.168.10.1 ", "gateway: 192.168.10.20 ", /is the board itself/],
      ["gateway: 192.168.10.1 ", "gateway: 192.168.10.0 ", /192\.168\.10\.0 is no host in the network/],
      ["gateway: 192.168.10.1 ", "gateway: 192.168.10.255 ", /192\.168\.10\.255 is no host in the network/],
      [", gateway: 192.168.10.1 ", " ", /there is no way to a\.example\.com/],
      ["dns: [ 192.168.10.1 ]\n", "", /nobody can look up a\.example\.com, b\.example\.com or ntp\.example\.com/],
      ["dns: [ 192.168.10.1 ]", "dns: [ router ]", /dns\[0\]: "router" is not an IP address/],
      ["ntp.example.com", "ntp_example", /ntp\[0\]: .* is not a host name or an IP address/],
      ["gateway: 192.168.10.1 ", "gateway: 192.168.10.1, interface: end0 ", /end0 is no radio, and wifi is asked for/],
      ["raspberry-pi-4", "virtual", /wifi: an image for virtual joins no radio network; take wifi out/],
      ["country: DE", "country: de", /wifi\.country: "de" is not a country/],
      ["wifi.password", "none.password", /there is no file none\.password/],
      ["{ passwordFile: console.password }", "{ password: geheim }", /a secret never stands in this file/],
      ["network: {", "netwrok: {", /netwrok: there is no such key here; did you mean network\?/],
      [/network: .*/, "network: auto", /network: "auto" is no network; write dhcp/],
    ] as const) {
      assert.match(mistakes(changed(from, to)).join("\n"), complaint);
    }
  });

  test("passwords are long enough, and for the gateway alone", () => {
    writeFileSync(join(dir, "short"), "1234567\n", { mode: 0o600 });
    assert.match(mistakes(changed("wifi.password", "short")).join(), /has 7 characters; WPA2 wants 8 to 63/);
    assert.match(mistakes(changed("console.password", "short")).join(), /has 7 characters; take 8 to 128/);
    for (const odd of ["geheimnüs\n", "geheimnis\nnoch eins\n", "geheim\tnis\n"]) {
      writeFileSync(join(dir, "odd"), odd, { mode: 0o600 });
      for (const which of ["wifi.password", "console.password"]) {
        assert.match(mistakes(changed(which, "odd")).join(), /has several lines, or letters that are not ASCII/, odd);
      }
    }
    writeFileSync(join(dir, "odd"), '\uFEFFa "b" $c\r\n', { mode: 0o600 });
    assert.deepEqual(mistakes(changed("console.password", "odd")), []);
    chmodSync(join(dir, "short"), 0o644);
    assert.match(mistakes(changed("console.password", "short")).join(), /everybody on this machine may use/);
  });

  test("what it names comes along on the card: it lies in the folder, under a name that the board finds", (t) => {
    const elsewhere = mkdtempSync(join(tmpdir(), "sallyport-elsewhere-"));
    t.after(() => rmSync(elsewhere, { recursive: true }));
    const outside = join(elsewhere, "a.password");
    for (const path of [outside, join(dir, "Küche.password")]) writeFileSync(path, "geheimnis\n", { mode: 0o600 });
    for (const path of [relative(dir, outside), outside]) {
      assert.match(mistakes(changed("wifi.password", path)).join(), /wifi\.passwordFile: .* lies outside of/);
      const login = `login: { username: u, passwordFile: ${path} }`;
      assert.match(
        mistakes(FIXED, GATEWAY.replace("far: {", `far: { ${login},`)).join(),
        /uplinks\.far\.login\.passwordFile: .* lies outside of/,
      );
    }
    assert.match(mistakes(changed("wifi.password", "Küche.password")).join(), /has letters that a board does not find/);
  });

  test("a file that an editor gave another name is found, and its right name told", (t) => {
    put(FIXED);
    for (const [name, other] of [
      ["site.yaml", "site.yaml.txt"],
      ["gateway.yaml", "Gateway.yml"],
    ] as const) {
      renameSync(join(dir, name), join(dir, other));
      t.after(() => rmSync(join(dir, other)));
      const told = `rename ${other} to ${name}`;
      assert.throws(
        () => checkSite(dir),
        (error) => error instanceof ConfigurationError && error.problems.some(({ remedy }) => remedy === told),
      );
    }
  });

  test("a key and a certificate may come when the card is written, all else may not", () => {
    const tls = "tls: { certificate: tls/own.pem, key: tls/own.key";
    put(FIXED, GATEWAY.replace("far: {", `far: { ${tls} },`));
    assert.throws(() => checkSite(dir), /there is no file .*own\.pem.*own\.key/s);
    assert.equal(checkSite(dir, true).site.hostname, "pump-house-3");
    put(FIXED, GATEWAY.replace("far: {", `far: { ${tls}, ca: tls/ca.pem },`));
    assert.throws(() => checkSite(dir, true), /ca\.pem/);
  });

  test("`check FOLDER` shows it, and refuses a second opinion on the board", async () => {
    put(FIXED);
    const shown = await runCommand(runCommandLine, ["check", dir]);
    assert.equal(shown.code, 0);
    assert.match(shown.out, /^network +192\.168\.10\.20\/24, by 192\.168\.10\.1$/m);
    assert.match(shown.out, /^ {2}tcp 8883 +a\.example\.com +uplink cloud$/m);
    const json = JSON.parse((await runCommand(runCommandLine, ["check", "--json", dir])).out);
    assert.deepEqual([json.site.hostname, json.plan.length, json.config.lines.length], ["pump-house-3", 6, 1]);
    assert.equal((await runCommand(runCommandLine, ["check", "--board", "virtual", dir])).code, 64);
    put(changed("version: 1", "version: 2"));
    assert.equal((await runCommand(runCommandLine, ["check", dir])).code, 78);
  });

  test("its JSON Schema lets pass what check lets pass, and marks a mistake", () => {
    const breaches = (yaml: string) => schemaBreaches(parseSource("site.yaml", yaml).value, siteJsonSchema());
    assert.deepEqual([...breaches(FIXED), ...breaches(DHCP)], []);
    for (const wrong of [
      changed("hostname: pump", "hostname: Pump"),
      changed("dns:", "DNS:"),
      changed("country: DE", "country: 5"),
    ]) {
      assert.notDeepEqual(breaches(wrong), []);
    }
  });
});
