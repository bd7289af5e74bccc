/** Ours as a peer: the bundle, with an ordinary gateway.yaml. */
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { unitEnvironment } from "../../testing/process-figures.ts";
import { isLoss, parseWire, type ValueOnWire, type ValuesOnWire } from "../../testing/wire.ts";
import { NOTHING, type Peer, type PeerSite } from "./peer.ts";
import { BAUD_RATE, BLOCK_REGISTERS, BLOCKS, DEVICES, RESPONSE_TIMEOUT_MS } from "./plan.ts";
import type { Place } from "./tally.ts";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const TOPIC = "peers/gateway";

/** @param folder beside node_modules, where the bundle's addons are found */
export async function sallyportPeer(folder: string): Promise<Peer> {
  const built = spawnSync(process.execPath, [join(ROOT, "scripts", "build.mjs"), folder], { encoding: "utf8" });
  if (built.status !== 0) throw new Error(`the bundle was not made: ${built.stderr}`);
  const { version }: { version: string } = JSON.parse(await readFile(join(ROOT, "package.json"), "utf8"));
  return {
    key: "sallyport",
    title: "Sallyport",
    versions: [`Sallyport ${version}`],
    async configure(site) {
      const config = join(site.folder, "gateway.yaml");
      await writeFile(config, configText(site));
      const state = join(site.folder, "state");
      const args = [join(folder, "sallyport.mjs"), "run", "--config", config, "--state-dir", state];
      return { program: process.execPath, args, cwd: ROOT, environment: await unitEnvironment() };
    },
    parse(topic, payload) {
      if (topic !== `${TOPIC}/data` && topic !== `${TOPIC}/history`) return NOTHING;
      const ofDevices = parseWire<ValuesOnWire>(Buffer.from(payload)).values.flatMap((value) => {
        const place = placeOf(value.id);
        return place === undefined ? [] : [{ value, place }];
      });
      return {
        readings: ofDevices.flatMap(({ value, place }) => readingsOf(value, place)),
        losses: ofDevices.flatMap(({ value, place }) =>
          isLoss(value) ? [{ ...place, fromMs: value.from, toMs: value.to }] : [],
        ),
      };
    },
  };
}

function readingsOf({ v, q, h }: ValueOnWire, place: Place) {
  return q && typeof v === "number" ? [{ ...place, value: v, history: h === 1 }] : [];
}

/** `line-1-unit-3/r104`; undefined: a tag of the gateway itself. */
function placeOf(id: string): Place | undefined {
  const [, line, unit, register] = /^line-(\d+)-unit-(\d+)\/r(\d+)$/.exec(id) ?? [];
  return register === undefined ? undefined : { line: Number(line), unit: Number(unit), register: Number(register) };
}

function configText({ brokerPort, certificates, linePaths, scanMs }: PeerSite): string {
  const { ca, client } = certificates;
  return `version: 1
gateway: { group: peers, name: gateway }
uplinks:
  cloud:
    servers: [ "mqtts://localhost:${brokerPort}" ]
    tls: { ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }
clock: { source: host }
lines:
${linePaths.map((path, at) => lineText(at + 1, path, scanMs)).join("")}`;
}

function lineText(line: number, path: string, scanMs: number): string {
  const registers = BLOCKS.flatMap((first) => Array.from({ length: BLOCK_REGISTERS }, (_, i) => first + i));
  const tags = registers.map((register) => `r${register}: { holdingRegister: ${register}, type: uint16 }`);
  const devices = Array.from(
    { length: DEVICES },
    (_, i) => `      line-${line}-unit-${i + 1}:
        unitId: ${i + 1}
        scanRate: ${scanMs}ms
        tags: { ${tags.join(", ")} }
`,
  );
  return `  line-${line}:
    path: ${path}
    serial: ${BAUD_RATE} 8N1
    responseTimeout: ${RESPONSE_TIMEOUT_MS}ms
    devices:
${devices.join("")}`;
}
