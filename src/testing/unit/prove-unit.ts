/**
 * The service's own unit under systemd, in a container of Debian 13 for this machine's architecture: `npm run prove:unit`,
 * as root. It is told ready, says how it is, beats for the watchdog, gets its password from systemd, reads a device,
 * reaches a broker, is restarted when it hangs and left alone when its configuration is wrong; and a probe in its place
 * finds out what the unit really forbids. What a control without the unit cannot do either is shown by nothing, and told.
 */
import { execFile } from "node:child_process";
import { chmod, chown, copyFile, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { hostClock } from "../../core/clock.ts";
import { type Certificates, writeCertificates } from "../certificates.ts";
import { openCountingPlant } from "../counting-plant.ts";
import { startMosquitto } from "../mosquitto.ts";
import { subscribe } from "../subscriber.ts";
import { Container, unpackDebian } from "./container.ts";
import { judgeWalls, probeUnits, type Told, toldIn } from "./walls.ts";

const PROJECT = fileURLToPath(new URL("../../..", import.meta.url));
const PROBE = fileURLToPath(new URL("./probe.mjs", import.meta.url));
const UNIT = "sallyport.service";
const LOGIN = { username: "pump", password: "a-broker-password" };
/** Behind ttyUSB's number a pseudo terminal: the unit's list of devices has both. */
const LINE = "/dev/ttyUSB0";
const PLANT = { lines: 1, devicesPerLine: 2, tagsPerDevice: 5, scanRateMs: 1_000 };
/** As udev does with an adapter; a file of another user's own, and one that everybody may read. */
const SURROUNDINGS = `chgrp dialout ${LINE} && chmod 660 ${LINE}
install -D --owner=other --mode=600 /dev/null /run/other/secret
touch /tmp/outside`;
const USERS = ["sallyport", "root"];
const EXPOSURE_LIMIT = "17";
/** More than the unit's WatchdogSec and RestartSec together. */
const HANG_LIMIT_MS = 60_000;
/** Twice its RestartSec, and a start. */
const LEFT_ALONE_S = "6";

const run = promisify(execFile);
const faults: string[] = [];

function check(holds: boolean, what: string, seen = ""): void {
  process.stdout.write(`${holds ? "ok   " : "WRONG"}  ${what}${seen === "" ? "" : `: ${seen}`}\n`);
  if (!holds) faults.push(what);
}

/** As a package would install it, with a site. */
async function install(root: string, certificates: Certificates, port: number, lines: string): Promise<void> {
  const etc = join(root, "etc/sallyport");
  const state = join(root, "var/lib/sallyport");
  const units = join(root, "usr/lib/systemd/system");
  await run("node", [join(PROJECT, "scripts/build.mjs"), join(root, "usr/lib/sallyport")]);
  await mkdir(join(root, "usr/lib/sallyport/node_modules"));
  await symlink("../lib/sallyport/sallyport.mjs", join(root, "usr/bin/sallyport"));
  await copyFile(PROBE, join(root, "usr/lib/sallyport/probe.mjs"));
  await copyFile(join(PROJECT, "systemd/sallyport.service"), join(units, UNIT));
  await copyFile(join(PROJECT, "systemd/sallyport.sysusers"), join(root, "usr/lib/sysusers.d/sallyport.conf"));
  await copyFile(join(PROJECT, "systemd/sallyport.tmpfiles"), join(root, "usr/lib/tmpfiles.d/sallyport.conf"));
  await run("systemd-sysusers", [`--root=${root}`]);
  await run("useradd", ["--root", root, "other"]);
  for (const folder of [join(etc, "passwords"), join(state, "tls"), join(root, "home/other")])
    await mkdir(folder, { recursive: true });
  const { uid, gid } = await userOf(root, "sallyport");
  await writeFile(join(etc, "gateway.yaml"), gatewayText(port, lines));
  await writeFile(join(etc, "passwords/cloud"), `${LOGIN.password}\n`, { mode: 0o600 });
  await chmod(join(etc, "passwords"), 0o700);
  await writeFile(join(root, "home/other/note"), "for everybody\n");
  for (const [name, path] of Object.entries({
    "ca.pem": certificates.ca,
    "gateway.pem": certificates.client.certificate,
    "gateway.key": certificates.client.key,
  })) {
    await copyFile(path, join(state, "tls", name));
    await chmod(join(state, "tls", name), 0o600);
    await chown(join(state, "tls", name), uid, gid);
  }
  for (const folder of [state, join(state, "tls")]) await chown(folder, uid, gid);
  for (const user of USERS) {
    for (const [name, text] of Object.entries(await probeUnits("/usr/lib/sallyport/probe.mjs", user))) {
      await writeFile(join(units, name), text);
    }
  }
}

async function userOf(root: string, name: string): Promise<{ uid: number; gid: number }> {
  const fields = (await readFile(join(root, "etc/passwd"), "utf8"))
    .split("\n")
    .find((line) => line.startsWith(`${name}:`));
  const [, , uid, gid] = fields?.split(":") ?? [];
  if (uid === undefined || gid === undefined) throw new Error(`there is no user ${name}`);
  return { uid: Number(uid), gid: Number(gid) };
}

function gatewayText(port: number, lines: string): string {
  return `version: 1
gateway: { group: proof, name: unit }
clock: { source: host }
uplinks:
  cloud:
    servers: [ "mqtts://127.0.0.1:${port}" ]
    tls: { ca: /var/lib/sallyport/tls/ca.pem, certificate: /var/lib/sallyport/tls/gateway.pem, key: /var/lib/sallyport/tls/gateway.key, serverName: localhost }
    login: { username: ${LOGIN.username}, passwordFile: passwords/cloud }
    reconnect: { spread: 1s, max: 5s }
${lines}`;
}

class Service {
  readonly #container: Container;

  constructor(container: Container) {
    this.#container = container;
  }

  async shows(property: string): Promise<string> {
    return (await this.#container.run("systemctl", "show", UNIT, `--property=${property}`, "--value")).trim();
  }

  systemctl(...args: string[]): Promise<string> {
    return this.#container.run("systemctl", ...args);
  }

  async changes(property: string, limitMs: number): Promise<boolean> {
    const before = await this.shows(property);
    const hasChanged = async () => (await this.shows(property)) !== before;
    return await this.#container.until(`${property} changes`, hasChanged, limitMs).then(
      () => true,
      () => false,
    );
  }
}

async function probe(container: Container, unit: string): Promise<Told> {
  await container.run("systemctl", "start", unit);
  return toldIn(await container.run("journalctl", "--unit", unit, "--output=cat", "--no-pager"));
}

async function proveLife(container: Container, service: Service): Promise<void> {
  await service.systemctl("start", UNIT);
  check((await service.shows("ActiveState")) === "active", "told ready", await service.shows("Type"));
  const isConnected = async () => /connected/.test(await service.shows("StatusText"));
  await container.until("its status says connected", isConnected);
  check(
    true,
    "says how it is, logged in with the password that systemd handed over",
    await service.shows("StatusText"),
  );
  check(await service.changes("WatchdogTimestampMonotonic", HANG_LIMIT_MS), "beats for the watchdog");
  check((await service.shows("NRestarts")) === "0", "was not restarted");
  const credential = await container.run("ls", "-l", `/run/credentials/${UNIT}/`);
  check(
    /passwords_cloud/.test(credential),
    "its password lies in memory, for its user alone",
    credential.trim().split("\n").at(-1),
  );
}

async function proveRules(container: Container): Promise<void> {
  const verified = await container.run("systemd-analyze", "--man=no", "verify", `/usr/lib/systemd/system/${UNIT}`);
  check(verified.trim() === "", "systemd-analyze verify says nothing", verified.trim());
  const security = await container
    .run("systemd-analyze", "security", "--no-pager", `--threshold=${EXPOSURE_LIMIT}`, UNIT)
    .catch(String);
  check(
    /Overall exposure/.test(security) && !/Error/.test(security),
    "exposure at most 1.7",
    /Overall exposure.*: (\S+)/.exec(security)?.[1],
  );
}

async function proveWalls(container: Container): Promise<void> {
  for (const user of USERS) {
    const [held, free, lone] = [`probe-held-${user}`, `probe-free-${user}`, `probe-lone-${user}`];
    const probes = {
      held: await probe(container, held),
      free: await probe(container, free),
      lone: await probe(container, lone),
    };
    for (const finding of judgeWalls(user, probes)) {
      if (finding.verdict === "-") process.stdout.write(`-      ${finding.text}\n`);
      else check(finding.verdict === "ok", finding.text);
    }
  }
}

async function proveTroubles(container: Container, service: Service): Promise<void> {
  const sinceMs = hostClock.monotonicMs();
  await service.systemctl("kill", "--kill-whom=main", "--signal=STOP", UNIT);
  const restarted = await service.changes("NRestarts", HANG_LIMIT_MS);
  check(
    restarted,
    "hung, and was started again by the watchdog",
    `${Math.round((hostClock.monotonicMs() - sinceMs) / 1000)} s`,
  );
  await container.until("it is back", async () => (await service.shows("ActiveState")) === "active");
  await service.systemctl("stop", UNIT);
  check((await service.shows("Result")) === "success", "ends with 0 when it is told");
  await container.run("sed", "-i", "s/^version: 1/version: 9/", "/etc/sallyport/gateway.yaml");
  await service.systemctl("start", UNIT).catch(() => undefined);
  await container.run("sleep", LEFT_ALONE_S);
  const seen = [
    await service.shows("ActiveState"),
    await service.shows("ExecMainStatus"),
    await service.shows("NRestarts"),
  ];
  check(seen.join() === "failed,78,0", "a wrong configuration is left alone", seen.join(", "));
}

const folder = await mkdtemp(join(tmpdir(), "sallyport-unit-"));
await run("bash", [join(PROJECT, "scripts/parts.sh"), "mmdebstrap", "systemd-nspawn", "systemd-analyze", "mosquitto"]);
const certificates = await writeCertificates(join(folder, "tls"), hostClock);
const broker = await startMosquitto({ certificates, users: { [LOGIN.username]: LOGIN.password } });
const subscriber = await subscribe(broker.url, { certificates, login: LOGIN, topics: ["proof/unit/#"] });
const plant = await openCountingPlant(PLANT);
let container: Container | undefined;
try {
  const root = join(folder, "root");
  await unpackDebian(root);
  const terminal = /path: (\S+)/.exec(plant.yaml)?.[1] ?? "";
  await install(root, certificates, broker.port, plant.yaml.replace(terminal, LINE));
  container = await Container.boot({
    root,
    readOnly: { "/usr/bin/node": process.execPath, "/usr/lib/sallyport/node_modules": join(PROJECT, "node_modules") },
    devices: { [LINE]: await realpath(terminal), "/dev/loop-control": "/dev/loop-control" },
  });
  const service = new Service(container);
  await container.run("sh", "-ec", SURROUNDINGS);
  await proveLife(container, service);
  await subscriber.message(
    "a good value of a device",
    ({ topic, payload }) => topic === "proof/unit/data" && /"id":"d1-1\/r0","v":\d+,"q":true/.test(String(payload)),
    HANG_LIMIT_MS,
  );
  check(true, "reads a device on its line, and its values are at the broker");
  await proveRules(container);
  await proveTroubles(container, service);
  await proveWalls(container);
  process.stdout.write(`faults ${faults.length}\n`);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  await container?.end();
  await plant.close();
  await subscriber.close();
  await broker.close();
  await rm(folder, { recursive: true, force: true });
}
