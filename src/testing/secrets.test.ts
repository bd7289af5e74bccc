/**
 * A whole life with planted secrets, with all that can go wrong with them; then all that was emitted is searched for
 * each. The same life shows that its events are on record, and that the far end has them.
 */
import assert from "node:assert/strict";
import { chmod, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { runCommandLine } from "../commands/cli.ts";
import { EXIT } from "../core/errors.ts";
import { readEvents } from "../diagnostics/event-file.ts";
import { runCommand } from "./command-run.ts";
import { FieldSite } from "./field-site.ts";
import { startHttpProxy } from "./http-proxy.ts";
import { listeners } from "./sockets.ts";

const SECRETS = {
  "the broker's password": "Geheim-broker-5f0e",
  "a wrong one": "Geheim-wrong-77c1",
  "the proxy's password": "Geheim-proxy-90ab",
  "a password in a URL": "Geheim-url-13d9",
  "a password in the file": "Geheim-inline-e42b",
  "the console's password": "Geheim-console-a8",
  "the WLAN's password": "Geheim-wlan-6b2f",
} as const;
const LIMIT_MS = 60_000;
const USER = "gw";
const PROXY_USER = "px";
const UNITS = new URL("../../systemd/", import.meta.url);

test("no secret is told: by log, errors, files, messages, reports, arguments, also of children; events are on record and arrive", async (t) => {
  const site = await FieldSite.open({ broker: { users: { [USER]: SECRETS["the broker's password"] } } });
  t.after(() => site.close());
  const proxy = await startHttpProxy({
    answer: (authorization) => (authorization === basic(SECRETS["the proxy's password"]) ? "200 OK" : "407 No"),
  });
  t.after(() => proxy.close());
  await site.writeSecret("cloud.password", SECRETS["the broker's password"]);
  await site.writeSecret("proxy.password", SECRETS["the proxy's password"]);
  const login = `{ username: ${USER}, passwordFile: cloud.password }`;
  const way = `proxy: { url: "${proxy.url}", username: ${PROXY_USER}, passwordFile: proxy.password }`;
  const uplink = site.uplinkYaml({ login }).replace(/}$/, `, ${way} }`);
  const file = await site.configure(uplink);
  const folder = dirname(file);
  const emitted: string[] = [];
  const subscriber = await site.subscribe({ username: USER, password: SECRETS["the broker's password"] });

  const witness = await witnessOf(folder);
  const gateway = await site.startGateway(file, witness.environment);
  await site.publishes("with all in order");
  for (const signal of ["SIGUSR1", "SIGUSR2"] as const) process.kill(gateway.pid, signal);
  await site.writeSecret("cloud.password", SECRETS["a wrong one"]);
  await site.broker.stop();
  await site.broker.start();
  await gateway.logged(/refuses the login/, LIMIT_MS);
  await site.writeSecret("proxy.password", SECRETS["a wrong one"]);
  await gateway.logged(/proxy .* wants a login/, LIMIT_MS);
  for (const name of ["status.json", ...(await readdir(site.stateDir))]) {
    emitted.push(await readFile(join(site.stateDir, name), "latin1").catch(() => ""));
  }
  emitted.push(await readFile(`/proc/${gateway.pid}/cmdline`, "latin1"));
  emitted.push(await mistakesOf(site, uplink, gateway));
  await site.writeSecret("cloud.password", SECRETS["the broker's password"]);
  await site.writeSecret("proxy.password", SECRETS["the proxy's password"]);
  await site.configure(uplink);
  gateway.hangUp();
  await site.publishes("again");
  // While it runs: what it notes at its end may wait for the next start.
  await recordArrived(site, subscriber.messages);
  assert.deepEqual(await listeners(gateway.pid), [], "SIGUSR1 opens no debugger");
  assert.equal(await gateway.stop(), 0);
  emitted.push(await witness.seen());
  assert.equal(readEvents(site.stateDir).at(-1)?.kind, "stop");

  emitted.push(gateway.log(), ...subscriber.messages.map(({ topic, payload }) => `${topic} ${Buffer.from(payload)}`));
  emitted.push(JSON.stringify(readEvents(site.stateDir)), await reportOf(folder, uplink), await siteMistakes(folder));
  const key = (await readFile(site.certificates.client.key, "utf8")).split("\n")[1] ?? "";
  assert.ok(key.length > 40);
  search(emitted.join("\n"), { ...SECRETS, "the private key": key });
});

test("no core is left behind, and a key or password that everybody may read is refused at the start", async (t) => {
  const units = (await readdir(UNITS)).filter((name) => name.endsWith(".service"));
  assert.ok(units.includes("sallyport.service"));
  for (const name of units) {
    const unit = await readFile(new URL(name, UNITS), "utf8");
    assert.match(unit, /^LimitCORE=0$/m, name);
    assert.doesNotMatch(unit, /--report-|--inspect|--heapsnapshot|--abort-on/, "nothing that writes memory to a file");
  }
  const site = await FieldSite.open();
  t.after(() => site.close());
  await site.writeSecret("cloud.password", SECRETS["the broker's password"]);
  const file = await site.configure(site.uplinkYaml({ login: `{ username: ${USER}, passwordFile: cloud.password }` }));
  for (const [secret, name] of [
    [join(dirname(file), "cloud.password"), /cloud\.password/],
    [site.certificates.client.key, /tls\.key/],
  ] as const) {
    await chmod(secret, 0o644);
    const { code, err } = await runCommand(runCommandLine, ["run", "--config", file, "--state-dir", site.stateDir]);
    await chmod(secret, 0o600);
    assert.equal(code, EXIT.configuration);
    assert.match(err, name);
    assert.doesNotMatch(err, /Geheim|PRIVATE/);
  }
});

/** What others of the machine see of a service: the arguments of its children, and Node's report of a process in trouble. */
async function witnessOf(
  folder: string,
): Promise<{ readonly environment: Record<string, string>; seen(): Promise<string> }> {
  const programs = join(folder, "programs");
  const calls = join(folder, "calls");
  await mkdir(programs);
  await writeFile(join(programs, "systemd-notify"), `#!/bin/sh\necho "$@" >>${calls}\n`, { mode: 0o755 });
  const report = "report.json";
  const options = `--report-on-signal --report-signal=SIGUSR2 --report-directory=${folder} --report-filename=${report}`;
  return {
    environment: {
      PATH: `${programs}:${process.env.PATH}`,
      NOTIFY_SOCKET: "/run/nobody",
      WATCHDOG_USEC: "3000000",
      NODE_OPTIONS: options,
    },
    async seen() {
      const [told, reported] = await Promise.all([readFile(calls, "utf8"), readFile(join(folder, report), "utf8")]);
      assert.match(told, /READY=1[\s\S]*STOPPING=1/);
      assert.match(reported, /"javascriptStack"/);
      return told + reported;
    },
  };
}

/** A reload, and a check, of files in which secrets stand where none may. */
async function mistakesOf(
  site: FieldSite,
  uplink: string,
  gateway: { hangUp(): void; logged(what: RegExp, limitMs: number): Promise<void> },
): Promise<string> {
  const inline = uplink
    .replace("passwordFile: cloud.password", `password: ${SECRETS["a password in the file"]}`)
    .replace(/servers: \[ "mqtts:\/\//, `$&${USER}:${SECRETS["a password in a URL"]}@`);
  const file = await site.configure(inline);
  gateway.hangUp();
  await gateway.logged(/the new configuration is refused/, LIMIT_MS);
  const { out, err } = await runCommand(runCommandLine, ["check", file]);
  assert.match(err, /password/);
  return out + err;
}

/** What support gets, from a configuration without lines. */
async function reportOf(folder: string, uplink: string): Promise<string> {
  const file = join(folder, "report.yaml");
  const archive = join(folder, "support.tar.gz");
  await writeFile(file, `version: 1\ngateway: { group: site, name: gateway }\nuplinks:\n  cloud: ${uplink}\n`);
  const { out, err } = await runCommand(runCommandLine, ["doctor", file, "--report", archive]);
  return `${out}${err}${gunzipSync(await readFile(archive)).toString("latin1")}`;
}

/** A site with a password that is too long, and one that everybody may read. */
async function siteMistakes(folder: string): Promise<string> {
  const site = join(folder, "site");
  await mkdir(site);
  await writeFile(join(site, "wifi.password"), SECRETS["the WLAN's password"].repeat(5), { mode: 0o600 });
  await writeFile(join(site, "console.password"), SECRETS["the console's password"], { mode: 0o644 });
  await writeFile(
    join(site, "site.yaml"),
    `version: 1
board: raspberry-pi-4
hostname: a
network: dhcp
wifi: { ssid: p, passwordFile: wifi.password, country: DE }
console: { passwordFile: console.password }
`,
  );
  await writeFile(join(site, "gateway.yaml"), "version: 1\n");
  const { out, err } = await runCommand(runCommandLine, ["check", site]);
  assert.match(err, /wifi\.passwordFile[\s\S]*console\.passwordFile/);
  return out + err;
}

/** What stands in the file arrived, on the topic of events too. */
async function recordArrived(
  site: FieldSite,
  messages: readonly { readonly topic: string; readonly payload: Uint8Array }[],
): Promise<void> {
  const recorded = readEvents(site.stateDir);
  const kinds = new Set(recorded.map(({ kind }) => kind));
  for (const kind of ["start", "uplink", "clock", "configuration", "certificates"] as const)
    assert.ok(kinds.has(kind), `${kind} in ${[...kinds].join(", ")}`);
  const isThere = () => {
    const arrived = messages
      .filter(({ topic }) => topic === "site/gateway/events")
      .flatMap(({ payload }) => JSON.parse(Buffer.from(payload).toString()).values as { readonly v: string }[]);
    return recorded.filter(({ number }) => !arrived.some(({ v }) => v.startsWith(`#${number} `))).length === 0;
  };
  await site.seen("every event arrived", isThere, LIMIT_MS);
}

function basic(password: string): string {
  return `Basic ${Buffer.from(`${PROXY_USER}:${password}`).toString("base64")}`;
}

function search(text: string, secrets: Readonly<Record<string, string>>): void {
  for (const [name, secret] of Object.entries(secrets)) {
    const users = [USER, PROXY_USER].map((user) => Buffer.from(`${user}:${secret}`).toString("base64"));
    for (const form of [secret, Buffer.from(secret).toString("base64"), encodeURIComponent(secret), ...users]) {
      const at = text.indexOf(form);
      assert.equal(at, -1, `${name} is told: …${text.slice(Math.max(0, at - 120), at + 60)}…`);
    }
  }
}
