/** The folder of a site: site.yaml, gateway.yaml and the files that they name, judged as a whole. */
import { existsSync, readdirSync, statSync } from "node:fs";
import { isIP } from "node:net";
import { dirname, join } from "node:path";
import { assert, ConfigurationError, type Problem } from "../core/errors.ts";
import { passwordIn } from "../core/password.ts";
import { type Board, boardNames, loadBoard } from "./board.ts";
import type { Config } from "./config.ts";
import { type Bounds, LIMITS } from "./defaults.ts";
import { byPlace, parseSource } from "./document.ts";
import { type Inspection, inspect } from "./draft.ts";
import { besideFile, carryMistake, fileMistake, readText } from "./files.ts";
import { type CheckedConfig, checkConfig } from "./load.ts";
import { networkPlan, type Passage, uplinkPlan } from "./network-plan.ts";
import { isInSubnet, isNoHost, type SiteFile, siteSchema } from "./site-schema.ts";
import { listed, nearest, type Words } from "./wording.ts";

/** Of WPA2 passphrases. */
const WIFI_CHARS = { min: 8, max: 63 };
/** At most what somebody can be asked to type. */
const CONSOLE_CHARS = { min: 8, max: 128 };

export interface CheckedSite {
  readonly site: SiteFile;
  readonly board: Board;
  readonly gateway: CheckedConfig;
  readonly plan: readonly Passage[];
}

/**
 * @param identityLater the board's key and certificate come when its card is written
 * @param imageBoard the board that an image was made for; undefined: not known
 * @throws ConfigurationError with every mistake of both files
 */
export function checkSite(folder: string, identityLater = false, imageBoard?: string): CheckedSite {
  const file = join(folder, "site.yaml");
  const text = readText(file, LIMITS.fileBytes);
  const missing =
    typeof text === "string" ? [] : [{ file, line: 1, column: 1, key: "", ...text, ...otherName(folder, "site.yaml") }];
  const inspection = inspect(parseSource(file, typeof text === "string" ? text : ""), siteSchema);
  const board = missing.length > 0 ? undefined : knownBoard(inspection);
  if (imageBoard !== undefined && board !== undefined && board.name !== imageBoard) {
    const wrong = `the image is for ${imageBoard}, not for ${board.name}`;
    inspection.complain(["board"], wrong, `write ${imageBoard}, or take an image for that board`);
  }
  checkFiles(inspection);
  checkRadio(inspection, board);
  checkInterface(inspection);
  const gateway = attempt(() =>
    checkConfig(join(folder, "gateway.yaml"), { board: board ?? anyBoard(), identityLater, siteFolder: folder }),
  );
  checkNetwork(inspection, gateway instanceof ConfigurationError ? [] : gateway.config.uplinks);
  const own = missing.length > 0 ? missing : inspection.problems.toSorted(byPlace);
  const misnamed = otherName(folder, "gateway.yaml");
  const others = gateway instanceof ConfigurationError ? gateway.problems : [];
  const problems: readonly Problem[] = [...own, ...others.map((problem) => ({ ...problem, ...misnamed }))];
  if (gateway instanceof ConfigurationError || problems.length > 0) throw new ConfigurationError(problems);
  const { whole } = inspection;
  assert(whole !== undefined && board !== undefined, "a site without mistakes is incomplete");
  return { site: whole, board, gateway, plan: networkPlan(whole, gateway.config.uplinks) };
}

function attempt(check: () => CheckedConfig): CheckedConfig | ConfigurationError {
  try {
    return check();
  } catch (error) {
    if (error instanceof ConfigurationError) return error;
    throw error;
  }
}

function knownBoard({ draft, complain }: Inspection<SiteFile>): Board | undefined {
  if (draft.board === undefined) return undefined;
  const names = boardNames();
  if (names.includes(draft.board)) return loadBoard(draft.board);
  const meant = nearest(draft.board, names);
  complain(
    ["board"],
    `there is no board ${draft.board}`,
    meant === undefined ? `write ${listed(names)}` : `did you mean ${meant}?`,
  );
  return undefined;
}

/** The labels of all boards: while the board is not known, no label is called wrong. */
function anyBoard(): Board {
  const boards = boardNames().map((name) => loadBoard(name));
  return {
    name: "",
    lines: Object.assign({}, ...boards.map(({ lines }) => lines)),
    pins: Object.assign({}, ...boards.map(({ pins }) => pins)),
  };
}

/** A file that is not there under its name, but under one that editors on Windows, or people, give it. */
function otherName(folder: string, name: string): { readonly remedy?: string } {
  const alike = new RegExp(`^${name.replace(/\.yaml$/, "")}\\.ya?ml(\\.txt)?$`, "i");
  const names = existsSync(folder) && statSync(folder).isDirectory() ? readdirSync(folder) : [];
  const found = names.includes(name) ? undefined : names.find((each) => alike.test(each));
  return found === undefined ? {} : { remedy: `rename ${found} to ${name}` };
}

function checkFiles({ draft, document, complain }: Inspection<SiteFile>): void {
  const password = (key: "wifi" | "console", { min, max }: Bounds, who: string) => {
    const given = draft[key]?.passwordFile;
    if (given === undefined) return;
    const path = besideFile(document.file, given);
    const mistake =
      carryMistake(dirname(document.file), path) ??
      fileMistake(path, "password") ??
      passwordMistake(path, min, max, who);
    if (mistake !== undefined) complain([key, "passwordFile"], mistake.wrong, mistake.remedy);
  };
  password("wifi", WIFI_CHARS, "WPA2 wants");
  password("console", CONSOLE_CHARS, "take");
}

/** Neither WPA2 nor a console, whose keyboard is taken for a US one, knows other characters. */
function passwordMistake(path: string, min: number, max: number, who: string): Words | undefined {
  const text = readText(path, LIMITS.pemFileBytes);
  if (typeof text !== "string") return text;
  const password = passwordIn(text);
  if (!/^[ -~]*$/.test(password)) {
    const wrong = `the password in ${path} has several lines, or letters that are not ASCII`;
    return { wrong, remedy: "write one line of what a US keyboard has" };
  }
  if (password.length >= min && password.length <= max) return undefined;
  return { wrong: `the password in ${path} has ${password.length} characters`, remedy: `${who} ${min} to ${max}` };
}

function checkRadio({ draft, complain }: Inspection<SiteFile>, board: Board | undefined): void {
  if (draft.wifi === undefined || board === undefined || board.hasRadio === true) return;
  complain(["wifi"], `an image for ${board.name} joins no radio network`, "take wifi out, and use the wire", "key");
}

/** Which of both is the network's cannot be guessed. */
function checkInterface({ draft, complain }: Inspection<SiteFile>): void {
  const { network, wifi } = draft;
  const named = network === undefined || network === "dhcp" ? undefined : network.interface;
  if (wifi === undefined || named === undefined || named.startsWith("wl")) return;
  complain(["network", "interface"], `${named} is no radio, and wifi is asked for`, "take one of both out");
}

/** A fixed address brings nothing along: names, time and the way out must be told. */
function checkNetwork({ draft, complain }: Inspection<SiteFile>, uplinks: Config["uplinks"]): void {
  const { network, dns, ntp } = draft;
  if (network === undefined || network === "dhcp") return;
  if (ntp === undefined) {
    const remedy = "add ntp: [ … ]; without the time no certificate can be judged";
    complain(["network"], "with a fixed address nobody tells the board the time", remedy, "key");
  }
  const hosts = [...uplinkPlan(uplinks).map(({ to }) => to), ...written(ntp)];
  const names = hosts.filter((host) => isIP(host) === 0);
  if (dns === undefined && names.length > 0) {
    complain(["network"], `nobody can look up ${listed(names)}`, "add dns: [ … ], or write addresses", "key");
  }
  const { address, gateway } = network;
  if (address === undefined) return;
  if (gateway !== undefined && !isInSubnet(gateway, address)) {
    const wrong = `${gateway} is not in the network of ${address.address}/${address.prefix}`;
    complain(["network", "gateway"], wrong, "mend one of both");
  }
  if (gateway === address.address)
    complain(["network", "gateway"], "is the board itself", "write the router's address");
  if (gateway !== undefined && isNoHost(gateway, address)) {
    complain(["network", "gateway"], `${gateway} is no host in the network`, "write the router's address");
  }
  const outside = [...hosts, ...written(dns)].filter((host) => !isInSubnet(host, address));
  if (gateway === undefined && outside.length > 0) {
    complain(["network"], `there is no way to ${listed(outside)}`, "add gateway: …", "key");
  }
}

function written(hosts: readonly (string | undefined)[] = []): readonly string[] {
  return hosts.filter((host) => host !== undefined);
}
