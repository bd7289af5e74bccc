/** The plain script as a peer, with the libraries of this checkout. */
import { writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import type { Content, Peer } from "./peer.ts";
import type { ScriptSettings } from "./plain-script.ts";
import { BAUD_RATE, BLOCK_REGISTERS, BLOCKS, DEVICES, RESPONSE_TIMEOUT_MS } from "./plan.ts";

const SOURCE = fileURLToPath(new URL("plain-script.ts", import.meta.url));

/** @param folder from which the npm packages are found; the script is put there, without types */
export async function scriptPeer(folder: string): Promise<Peer> {
  const program = join(folder, "plain-script.mjs");
  await build({
    entryPoints: [SOURCE],
    outfile: program,
    bundle: true,
    packages: "external",
    platform: "node",
    format: "esm",
  });
  return {
    key: "script",
    title: "plain script",
    versions: ["modbus-serial", "mqtt"].map((name) => `${name} ${versionOf(name)}`),
    async configure({ folder: home, linePaths, brokerPort, certificates, scanMs }) {
      const settings: ScriptSettings = {
        broker: `mqtts://localhost:${brokerPort}`,
        ca: certificates.ca,
        certificate: certificates.client.certificate,
        key: certificates.client.key,
        lines: linePaths,
        baudRate: BAUD_RATE,
        units: Array.from({ length: DEVICES }, (_, i) => i + 1),
        blocks: BLOCKS,
        registers: BLOCK_REGISTERS,
        scanMs,
        timeoutMs: RESPONSE_TIMEOUT_MS,
      };
      const file = join(home, "settings.json");
      await writeFile(file, JSON.stringify(settings));
      return { program: process.execPath, args: [program, file], cwd: home, environment: {} };
    },
    parse(topic, payload) {
      const { values }: { values: readonly number[] } = JSON.parse(payload);
      return blockContent(topic, values);
    },
  };
}

/** @param topic `line/unit/first register` */
export function blockContent(topic: string, values: readonly number[]): Content {
  const [line = 0, unit = 0, first = 0] = topic.split("/").map(Number);
  return { readings: values.map((value, i) => ({ line, unit, register: first + i, value })), losses: [] };
}

function versionOf(name: string): string {
  const { version }: { version: string } = createRequire(import.meta.url)(`${name}/package.json`);
  return version;
}
