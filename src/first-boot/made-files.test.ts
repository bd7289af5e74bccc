import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createPublicKey, X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Passage } from "../config/network-plan.ts";
import type { SiteFile } from "../config/site-schema.ts";
import { errorText } from "./boot-report.ts";
import { certificateRequest, makeKey } from "./certificate-request.ts";
import { hashPassword, saltOf, shadowWith } from "./console-password.ts";
import { firewallRules } from "./firewall.ts";
import { madeFiles } from "./made-files.ts";
import { networkFiles } from "./network-files.ts";

const UNITS = ["sallyport-first-boot.service", "sallyport-report.service", "sallyport-radio@.service"];

const run = promisify(execFile);

const DHCP: SiteFile = { version: 1, board: "virtual", hostname: "pump-house-3", network: "dhcp" };
const FIXED: SiteFile = {
  ...DHCP,
  network: { address: { address: "192.168.10.20", prefix: 24 }, gateway: "192.168.10.1", interface: "end0" },
  dns: ["192.168.10.1"],
  ntp: ["ntp.example.com"],
};

test("a site's network is what systemd-networkd is told, and no protocol beside it", () => {
  const [fixed] = networkFiles(FIXED, undefined);
  assert.equal(fixed?.path, "systemd/network/10-site.network");
  assert.deepEqual(fixed?.text.split("\n"), [
    "[Match]",
    "Name=end0",
    "",
    "[Network]",
    "DHCP=no",
    "Address=192.168.10.20/24",
    "Gateway=192.168.10.1",
    "DNS=192.168.10.1",
    "NTP=ntp.example.com",
    "LinkLocalAddressing=ipv6",
    "IPv6AcceptRA=no",
    "LLDP=no",
    "LLMNR=no",
    "MulticastDNS=no",
    "",
  ]);
  const [dhcp] = networkFiles({ ...DHCP, ntp: ["192.168.10.1"] }, undefined);
  assert.match(dhcp?.text ?? "", /Type=ether\nKind=!\*\n.*DHCP=ipv4\n.*UseDNS=yes\nUseNTP=no\nUseHostname=no\n/s);
});

test("a radio network's name and passphrase cannot be taken for syntax, and the passphrase is in no file", () => {
  // The key is IEEE 802.11's own example.
  const wifi = { ssid: "IEEE", passwordFile: "wifi.password", country: "DE" };
  const [network, radio] = networkFiles({ ...DHCP, wifi }, "password");
  assert.match(network?.text ?? "", /Type=wlan/);
  assert.match(radio?.text ?? "", /^ {2}ssid=49454545$/m);
  assert.match(radio?.text ?? "", /psk=f42c6fc52df0ebef9ebb4b90b38a5f902e83fe1b135a70e23aed762e9710a12e$/m);
  assert.equal(radio?.mode, 0o600);
});

test("P1: the firewall lets out what the plan names, brokers for the service alone, and nothing in that nobody asked for", () => {
  const plan: readonly Passage[] = [
    { protocol: "udp", port: 67, to: "the local network", why: "DHCP" },
    { protocol: "udp", port: 53, to: "192.168.10.1", why: "names" },
    { protocol: "tcp", port: 53, to: "192.168.10.1", why: "names" },
    { protocol: "udp", port: 123, to: "ntp.example.com", why: "time" },
    { protocol: "tcp", port: 8883, to: "a.example.com", why: "uplink cloud" },
    { protocol: "tcp", port: 3128, to: "10.0.0.1", why: "uplink dmz, by the proxy" },
  ];
  const rules = firewallRules(plan, "sallyport");
  assert.deepEqual(rules.match(/dport .*/g), [
    "dport 68 accept",
    "dport { 53, 67, 123 } accept",
    "dport { 53 } accept",
    "dport { 3128, 8883 } accept",
  ]);
  assert.match(rules, /meta skuid sallyport tcp dport \{ 3128, 8883 \} accept/);
  assert.equal(rules.match(/policy drop/g)?.length, 3);
  const [, input = ""] = /chain input \{(.*?)\}\n {2}chain/s.exec(rules) ?? [];
  assert.doesNotMatch(input, /dport(?! 68)/, "no port is open from outside, save for DHCP's answers");
  assert.doesNotMatch(
    rules,
    /\b[io]if/,
    "no interface is trusted, the machine's own neither: nothing here speaks to itself",
  );
  assert.doesNotMatch(firewallRules(plan.slice(1), "sallyport"), /dport 68/);
});

test("a console password is kept as the C library keeps it", async () => {
  // Of the specification of SHA-crypt.
  const known = "svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1";
  assert.equal(hashPassword("Hello world!", "saltstring"), `$6$saltstring$${known}`);
  const salt = saltOf(Uint8Array.from({ length: 12 }, (_, i) => 21 * i));
  assert.match(salt, /^[./0-9A-Za-z]{16}$/);
  const { stdout } = await run("perl", ["-e", "print crypt($ARGV[0], $ARGV[1])", "päßwört with blanks", `$6$${salt}`]);
  assert.equal(hashPassword("päßwört with blanks", salt), stdout);
  const shadow = "root:*:20000:0:99999:7:::\nsallyport:!:20000::::::\n";
  assert.equal(shadowWith(shadow, "root", "HASH"), shadow.replace(":*:", ":HASH:"));
});

test("what a boot makes of a site names its board and host, and a shadow only where somebody may log in", () => {
  const around = { secrets: {}, shadow: "root:*:1::::::\n", salt: "salt", user: "sallyport" };
  const paths = (secrets: object) => madeFiles(DHCP, [], { ...around, secrets }).map(({ path }) => path);
  assert.deepEqual(paths({}), [
    "sallyport-boot/hostname",
    "sallyport-boot/environment",
    "sallyport-boot/firewall.nft",
    "systemd/network/10-site.network",
  ]);
  assert.equal(paths({ console: "geheimnis" }).at(-1), "sallyport-boot/shadow");
});

test("the board's own request is one that OpenSSL verifies, with the name and serial number of its label", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-request-"));
  t.after(() => rm(folder, { recursive: true }));
  const key = makeKey();
  await writeFile(join(folder, "key"), key);
  await writeFile(join(folder, "request"), certificateRequest(key, "pump-house-3", "0a1b2c3d"));
  const request = ["-in", join(folder, "request")];
  const { stdout, stderr } = await run("openssl", ["req", ...request, "-verify", "-noout", "-subject"]);
  assert.match(stdout + stderr, /verify OK/);
  assert.match(stdout, /CN ?= ?pump-house-3, serialNumber ?= ?0a1b2c3d/);
  const signed = join(folder, "certificate");
  await run("openssl", ["x509", "-req", ...request, "-signkey", join(folder, "key"), "-days", "1", "-out", signed]);
  const { publicKey } = new X509Certificate(await readFile(signed));
  const form = { type: "spki", format: "pem" } as const;
  assert.equal(publicKey.export(form), createPublicKey(key).export(form));
});

test("what is wrong is told in plain words, with its place and what to do, in a text that Windows shows well", () => {
  const problem = {
    file: "site/gateway.yaml",
    line: 5,
    column: 9,
    key: "uplinks.cloud.keepAlive",
    wrong: "5m is no duration",
    remedy: "write it as 15s",
  };
  const text = errorText({ when: "2026-11-22 08:00", problems: [problem], goesOn: false });
  assert.match(text, /1\. site\/gateway\.yaml, line 5, column 9, at uplinks\.cloud\.keepAlive\r\n/);
  assert.match(text, /What is wrong: 5m is no duration\r\n {3}What to do: {4}write it as 15s\r\n/);
  assert.doesNotMatch(text, /[^\r]\n/);
  assert.match(text, /does not run until this is mended/);
  assert.match(errorText({ when: "", problems: [problem], goesOn: true }), /goes on with what it knows/);
});

test("systemd understands every line of the image's units", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-units-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const name of UNITS) {
    const text = await readFile(fileURLToPath(new URL(`../../systemd/${name}`, import.meta.url)), "utf8");
    const file = join(folder, name.replace("@.", "@wlan0."));
    // Programs that are on an image only; verify insists on them.
    await writeFile(file, text.replace(/\/usr\/(?:bin\/sallyport|sbin\/(?:nft|wpa_supplicant))/g, "/bin/true"));
    assert.equal((await run("systemd-analyze", ["verify", "--man=no", file])).stderr, "", name);
  }
});
