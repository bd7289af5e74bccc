/** Node-RED with its Modbus nodes, by npm, in a folder outside the checkout. */
import { execFile } from "node:child_process";
import { access, mkdir, readFile, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";

/** The newest that run on Node 20. */
const PINNED = { "node-red": "4.1.15", "node-red-contrib-modbus": "5.45.2" } as const;
/** What contrib-modbus speaks Modbus with: a fork of modbus-serial that lies on a server of its makers. */
const FORK = "@openp4nr/modbus-serial";
const STAND_IN = "modbus-serial@8.0.25";
const INSTALL_LIMIT_MS = 600_000;

export interface NodeRedInstall {
  readonly program: string;
  readonly versions: readonly string[];
}

/** Where `npm install` put it once, it stays. */
export async function installNodeRed(tell: (line: string) => void): Promise<NodeRedInstall> {
  const cache = process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache");
  const folder = join(cache, "sallyport", "peers", Object.values(PINNED).join("-"));
  const done = join(folder, "installed");
  const isThere = await access(done).then(
    () => true,
    () => false,
  );
  if (!isThere) {
    await mkdir(folder, { recursive: true });
    tell(`npm installs ${Object.entries(PINNED).map((pair) => pair.join("@"))} into ${folder}`);
    await install(folder, tell);
    await writeFile(done, "");
  }
  return { program: join(folder, "node_modules", "node-red", "red.js"), versions: await versionsIn(folder) };
}

/** As it is; where the fork's server cannot be reached, with the library that it is a fork of. */
async function install(folder: string, tell: (line: string) => void): Promise<void> {
  await npmInstall(folder, {}).catch((thrown: Error) => {
    if (!thrown.message.includes(FORK.slice(1))) throw thrown;
    tell(`${FORK} cannot be fetched from its makers' server; ${STAND_IN} stands in`);
    return npmInstall(folder, { [FORK]: `npm:${STAND_IN}` });
  });
}

async function npmInstall(folder: string, overrides: Readonly<Record<string, string>>): Promise<void> {
  const manifest = { name: "peers", private: true, dependencies: PINNED, overrides };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest, undefined, 2));
  const args = ["install", "--no-audit", "--no-fund", "--omit=dev", "--fetch-retries=0", "--loglevel=error"];
  await promisify(execFile)("npm", args, { cwd: folder, timeout: INSTALL_LIMIT_MS });
}

async function versionsIn(folder: string): Promise<readonly string[]> {
  const packages = [...Object.keys(PINNED), FORK, "mqtt"];
  return Promise.all(
    packages.map(async (name) => {
      const text = await readFile(join(folder, "node_modules", name, "package.json"), "utf8");
      const installed: { name: string; version: string } = JSON.parse(text);
      const standsIn = installed.name === name ? "" : ` in place of ${name}, which could not be fetched`;
      return `${installed.name} ${installed.version}${standsIn}`;
    }),
  );
}
