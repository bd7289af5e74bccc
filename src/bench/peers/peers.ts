/**
 * Side by side with what people would use instead:
 * `npm run bench:peers [-- --short] [--only node-red,frozen] [--json] [--out FILE] [--report FILE]`.
 *
 * Node-RED with its Modbus and MQTT nodes, collectd with its plugins, a plain script on modbus-serial and mqtt.js, and
 * the gateway as its bundle. Each gets the same two lines of ten devices behind pseudo-terminals that take the time of a
 * wire (paced-line.c), the same Mosquitto with TLS, the same intervals and the settings that its manual recommends.
 * Every register counts its reads, so a subscriber knows of each value from where and when it is.
 *
 * `--only` takes peers and stages: sallyport, node-red, collectd, script; steady, full, dead, late, broker-stop, frozen, kill.
 * `--out` keeps what was measured, `--report` makes the README's table of it without measuring.
 */
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { arch, cpus, loadavg } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { hostClock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import { writeCertificates } from "../../testing/certificates.ts";
import { readCommandLine, someOf } from "../command-line.ts";
import { compilePrograms } from "../paced-line.ts";
import { openScratch, removeAtExit } from "../scratch.ts";
import { collectdPeer } from "./collectd-peer.ts";
import { nodeRedPeer } from "./node-red-peer.ts";
import type { Peer } from "./peer.ts";
import type { Workshop } from "./peer-site.ts";
import { type Form, LONG, PEERS, type PeerKey, SHORT, STAGES, type StageKey } from "./plan.ts";
import { markdownOf, type PeerHead, type PeerReport, textOf } from "./report.ts";
import { sallyportPeer } from "./sallyport-peer.ts";
import { scriptPeer } from "./script-peer.ts";
import { runStage, type StageResult } from "./stages.ts";

const USAGE = "npm run bench:peers [-- --short] [--only node-red,frozen] [--json] [--out FILE] [--report FILE]";
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

const PREPARE: Readonly<Record<PeerKey, (folder: string) => Promise<Peer>>> = {
  sallyport: sallyportPeer,
  "node-red": () => nodeRedPeer(tell),
  collectd: collectdPeer,
  script: scriptPeer,
};

interface Choice {
  readonly peers: readonly PeerKey[];
  /** Those without which there is nothing to compare: ours, and whoever was asked for by name. */
  readonly needed: readonly PeerKey[];
  readonly stages: readonly StageKey[];
}

const { options, choice } = readCommandLine(USAGE, () => {
  const { values } = parseArgs({
    options: {
      short: { type: "boolean" },
      only: { type: "string" },
      json: { type: "boolean" },
      out: { type: "string" },
      report: { type: "string" },
    },
  });
  return { options: values, choice: choiceOf(values.only) };
});

if (options.report !== undefined) {
  process.stdout.write(markdownOf(JSON.parse(await readFile(options.report, "utf8")) as PeerReport));
} else {
  const report = await compare(choice, options.short === true, options.out);
  process.stdout.write(options.json ? jsonOf(report) : textOf(report));
  const isFailed = report.results.some(({ failed, gone }) => failed !== undefined || gone !== undefined);
  const isAbsent = report.peers.some(({ key, absent }) => absent !== undefined && choice.needed.includes(key));
  process.exitCode = isFailed || isAbsent ? 1 : 0;
}

function choiceOf(only: string | undefined): Choice {
  const words = only === undefined ? [] : someOf("--only", only, [...PEERS, ...STAGES]);
  const named = PEERS.filter((key) => words.includes(key));
  const stages = STAGES.filter((key) => words.includes(key));
  return {
    peers: named.length > 0 ? named : PEERS,
    needed: named.length > 0 ? named : ["sallyport"],
    stages: stages.length > 0 ? stages : STAGES,
  };
}

/** @param out gets what is known after each stage, for half an hour can be cut short */
async function compare({ peers, stages }: Choice, isShort: boolean, out: string | undefined): Promise<PeerReport> {
  // Beside node_modules, where addons are found.
  const programFolder = await mkdtemp(join(ROOT, "node_modules", ".peers-"));
  removeAtExit(programFolder);
  const folder = openScratch("peers");
  // What cannot be written is told before it takes half an hour.
  if (out !== undefined) await writeFile(out, jsonOf(reportOf([], [], isShort)));
  const programs = await compilePrograms();
  const certificates = await writeCertificates(join(folder, "tls"), hostClock);
  const workshop = { programs, certificates, folder };
  const results: StageResult[] = [];
  const heads: PeerHead[] = [];
  for (const key of peers) {
    const peer = await prepared(key, programFolder);
    heads.push(headOf(peer));
    if ("absent" in peer) continue;
    for (const stage of stages) {
      results.push(await toldStage(peer, stage, isShort ? SHORT : LONG, workshop));
      if (out !== undefined) await writeFile(out, jsonOf(reportOf(heads, results, isShort)));
    }
  }
  return reportOf(heads, results, isShort);
}

function reportOf(peers: readonly PeerHead[], results: readonly StageResult[], isShort: boolean): PeerReport {
  return {
    date: new Date(hostClock.wallMs()).toISOString(),
    form: isShort ? "short" : "long",
    loadAverage: loadavg()[0] ?? Number.NaN,
    machine: `${cpus().length} cores (${arch()}), Node ${process.versions.node}`,
    peers,
    results,
  };
}

async function toldStage(peer: Peer, stage: StageKey, form: Form, workshop: Workshop): Promise<StageResult> {
  const begunMs = hostClock.monotonicMs();
  const result = await runStage(peer, stage, form, workshop);
  const tookS = ((hostClock.monotonicMs() - begunMs) / 1_000).toFixed(0);
  tell(`${peer.key} ${stage}, ${tookS} s: ${result.failed ?? JSON.stringify(result.figures, rounded)}`);
  return result;
}

function jsonOf(report: PeerReport): string {
  return `${JSON.stringify(report, undefined, 2)}\n`;
}

function rounded(_: string, value: unknown): unknown {
  return typeof value === "number" ? Number(value.toPrecision(4)) : value;
}

interface Absent {
  readonly key: PeerKey;
  readonly absent: string;
}

/** One that cannot be installed here takes no part, and the others do. */
async function prepared(key: PeerKey, folder: string): Promise<Peer | Absent> {
  try {
    const peer = await PREPARE[key](folder);
    tell(`${peer.title}: ${peer.versions.join(", ")}`);
    return peer;
  } catch (thrown) {
    tell(`${key} takes no part: ${messageOf(thrown)}`);
    return { key, absent: messageOf(thrown) };
  }
}

function headOf(peer: Peer | Absent): PeerHead {
  if ("absent" in peer) return { key: peer.key, title: peer.key, versions: [], absent: peer.absent };
  return { key: peer.key, title: peer.title, versions: peer.versions };
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
