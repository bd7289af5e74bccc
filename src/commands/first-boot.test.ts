import assert from "node:assert/strict";
import { pbkdf2Sync } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCommand } from "../testing/command-run.ts";
import { runCommandLine } from "./cli.ts";

const SITE = "version: 1\nboard: virtual\nhostname: pump-house-3\nnetwork: dhcp\n";
const GATEWAY = `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks: { cloud: { servers: [ "mqtts://127.0.0.1:1" ], tls: { certificate: tls/gateway.pem, key: tls/gateway.key } } }
lines: {}
`;

let root: string;
const at = (...path: string[]) => join(root, ...path);
const onFat = (name: string) => readFileSync(at("fat", "site", name), "utf8");
const boot = (...more: string[]) =>
  runCommand(runCommandLine, [
    "first-boot",
    "--site",
    at("fat", "site"),
    "--data",
    at("data"),
    "--run",
    at("run"),
    ...more,
  ]);

before(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-boot-"));
  for (const folder of ["fat", "fat/site", "data", "run"]) mkdirSync(at(folder));
});

after(() => rmSync(root, { recursive: true }));

describe("`first-boot`", () => {
  test("without a site it ends with 78 and says on the card what to do", async () => {
    const { code, err } = await boot();
    assert.equal(code, 78, err);
    assert.match(onFat("ERROR.txt"), /there is no site on this card\r\n.*put site\.yaml and gateway\.yaml into/s);
    assert.match(onFat("ERROR.txt"), /does not run until this is mended/);
  });

  test("with a mistake in it, too, with its place", async () => {
    writeFileSync(at("fat", "site", "site.yaml"), SITE.replace("dhcp", "dchp"));
    writeFileSync(at("fat", "site", "gateway.yaml"), GATEWAY);
    assert.equal((await boot()).code, 78);
    assert.match(onFat("ERROR.txt"), /site\/site\.yaml, line 4, column \d+, at network\r\n/);
    assert.equal(existsSync(at("run", "sallyport-boot")), false);
  });

  test("with a site for another board than the image's, too", async () => {
    writeFileSync(at("fat", "site", "site.yaml"), SITE);
    const { code } = await boot("--board", "raspberry-pi-4");
    assert.equal(code, 78);
    assert.match(
      onFat("ERROR.txt"),
      /site\.yaml, line 2, .*at board\r\n.*the image is for raspberry-pi-4, not for virtual/s,
    );
  });

  test("makes the board's own key where it was told to, and goes on while the certificate is awaited", async () => {
    writeFileSync(at("fat", "site", "site.yaml"), SITE);
    writeFileSync(at("fat", "site", "key-on-board"), "pump-house-3\n");
    writeFileSync(at("fat", "site", "serial"), "0a1b2c3d\n");
    const { code, err } = await boot();
    assert.equal(code, 0, err);
    assert.match(onFat("gateway.csr"), /BEGIN CERTIFICATE REQUEST/);
    assert.match(onFat("ERROR.txt"), /there is no file site\/tls\/gateway\.pem/);
    assert.match(readFileSync(at("data", "sallyport", "tls", "gateway.key"), "utf8"), /BEGIN PRIVATE KEY/);
    assert.equal(readFileSync(at("run", "sallyport-boot", "hostname"), "utf8"), "pump-house-3\n");
    assert.match(readFileSync(at("run", "sallyport-boot", "firewall.nft"), "utf8"), /tcp dport \{ 1 \} accept/);
    assert.match(readFileSync(at("run", "systemd", "network", "10-site.network"), "utf8"), /DHCP=ipv4/);
  });

  test("takes the certificate from the card when it is there, asks no more, and takes its complaint back", async () => {
    const [key, request] = [readFileSync(at("data", "sallyport", "tls", "gateway.key"), "utf8"), onFat("gateway.csr")];
    mkdirSync(at("fat", "site", "tls"));
    const certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    writeFileSync(at("fat", "site", "tls", "gateway.pem"), certificate);
    const { code, err } = await boot();
    assert.equal(code, 0, err);
    assert.equal(existsSync(at("fat", "site", "ERROR.txt")), false, err);
    assert.equal(readFileSync(at("data", "site", "tls", "gateway.pem"), "utf8"), certificate);
    assert.equal(readFileSync(at("data", "sallyport", "tls", "gateway.key"), "utf8"), key);
    assert.equal(onFat("gateway.csr"), request);
  });

  test("a password counts as it is typed, whatever an editor on Windows puts around it", async () => {
    const radio = "wifi: { ssid: plant, passwordFile: wifi.password, country: DE }\n";
    writeFileSync(at("fat", "site", "site.yaml"), SITE.replace("virtual", "raspberry-pi-4") + radio);
    writeFileSync(at("fat", "site", "wifi.password"), "\uFEFFplant-geheim\r\n");
    const { code, err } = await boot();
    assert.equal(code, 0, err);
    const key = pbkdf2Sync("plant-geheim", "plant", 4_096, 32, "sha1").toString("hex");
    assert.match(readFileSync(at("run", "sallyport-boot", "wpa_supplicant.conf"), "utf8"), new RegExp(`psk=${key}\n`));
  });

  test("`--report` leaves what doctor finds on the card", async () => {
    const { code, err } = await boot("--report");
    assert.equal(code, 0, err);
    assert.match(onFat("REPORT.txt"), /^SALLYPORT: .+, .*UTC\r\n/);
    assert.match(onFat("REPORT.txt"), /(OK|WARNING) +board: /);
    assert.match(onFat("REPORT.txt"), /FAULT +broker cloud/);
    assert.match(onFat("REPORT.txt"), /\d+ OK\.\r\n/);
  });

  test("wrong usage is 64, and a data partition that is not there 74", async () => {
    assert.equal((await runCommand(runCommandLine, ["first-boot", "--site", "x"])).code, 64);
    const { code, err } = await runCommand(runCommandLine, [
      "first-boot",
      "--site",
      at("fat", "site"),
      "--data",
      at("x"),
    ]);
    assert.equal(code, 74);
    assert.match(err, /is the partition there/);
  });
});
