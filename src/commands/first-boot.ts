/** `sallyport first-boot`: what a board does with its site before anything else, at each boot. */
import { randomBytes } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { loadBoard } from "../config/board.ts";
import { type CheckedSite, checkSite } from "../config/site.ts";
import { hostClock } from "../core/clock.ts";
import { EXIT, messageOf, problemText, UserError } from "../core/errors.ts";
import { createLog, type Log } from "../core/log.ts";
import { passwordIn } from "../core/password.ts";
import { type BootFiles, hostFiles, type Owner, replaceFile } from "../first-boot/boot-files.ts";
import { errorText, reportText } from "../first-boot/boot-report.ts";
import { saltOf } from "../first-boot/console-password.ts";
import { BOOT_FOLDER, madeFiles, type SiteSecrets } from "../first-boot/made-files.ts";
import { installedFolder, type Places } from "../first-boot/places.ts";
import { MARKS } from "../first-boot/site-content.ts";
import { type SiteCheck, type TakenSite, takeSite } from "../first-boot/take-site.ts";
import { createLight } from "../leds/light.ts";
import { readArguments } from "./arguments.ts";
import type { CommandIo } from "./io.ts";

const USAGE = "usage: sallyport first-boot --site DIR --data DIR [--board NAME] [--report]";

const HELP = `${USAGE}

For the image's own service, as root, before the network and the gateway.
Checks the folder site of the card as \`sallyport check\` does, takes it over
into the data partition, and takes passwords and keys off the card's FAT. From
what is in force it makes the board's network, firewall and name. A site with
mistakes changes nothing; site/ERROR.txt tells them in plain words. Every step
can be done again: a power cut at any moment costs nothing.

  --site DIR   the folder on the FAT partition
  --data DIR   the data partition: DIR/site gets the site, DIR/sallyport is
               the state directory, DIR/sallyport/tls holds keys
  --run DIR    where what lives as long as the boot is made; default: /run
  --board NAME what the image was made for, and the site must be for;
               default: $SALLYPORT_BOARD, else any
  --report     instead: write what doctor finds as REPORT.txt into --site; as
               the service's user, for the firewall lets out nobody else

exit code   0 a site is in force, 78 there is none that could be, 64 wrong
            usage, 74 a partition cannot be written
`;

const SERVICE_USER = "sallyport";
const RUN = "/run";
const FAT_FILE = { mode: 0o644 } as const;
const FOLDER_MODE = 0o755;
const SALT_BYTES = 12;
const REPORT_COLUMNS = 80;

export async function firstBoot(args: string[], io: CommandIo): Promise<number> {
  const given = parse(args, io);
  if (given === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const log = createLog({
    write: (line) => io.err(line),
    level: "info",
    format: io.env.JOURNAL_STREAM === undefined ? "text" : "journald",
  });
  try {
    return given.report ? await writeReport(given, io) : boot(given, hostFiles, log);
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw new UserError(`${messageOf(error)}; is the partition there, and in order?`, EXIT.io);
  }
}

interface Arguments {
  readonly site: string;
  readonly data: string;
  readonly run: string;
  readonly board: string | undefined;
  readonly report: boolean;
}

function boot({ site, data, run, board }: Arguments, files: BootFiles, log: Log): number {
  const service = serviceOwner(files);
  const places: Places = { site, data, ...(service !== undefined && { service }) };
  const nowMs = hostClock.wallMs();
  const notBeforeMs = Math.max(nowMs, flashedMs(files, site));
  const check: SiteCheck = (folder, identityLater) => checkSite(folder, identityLater, board);
  const taken = takeSite({ files, places, check, notBeforeMs });
  for (const problem of taken.problems) log.error(problemText(problem));
  if (taken.taken.length > 0 && taken.site !== undefined) log.notice(`taken over: ${taken.taken.join(", ")}`);
  tellOnCard(files, site, taken, log);
  if (taken.site === undefined) {
    for (const name of lightsOf(board ?? boardOnFat(files, site))) createLight({ name, log }).blink();
    return EXIT.configuration;
  }
  makeBootFiles(files, run, places, taken.site);
  log.notice(`in force: ${taken.site.site.hostname}, board ${taken.site.board.name}`);
  return EXIT.ok;
}

/** 0 where nothing tells, or the FAT cannot be read. */
function flashedMs(files: BootFiles, site: string): number {
  try {
    return Date.parse(files.read(join(site, MARKS.flashed))?.toString("utf8").trim() ?? "") || 0;
  } catch {
    return 0;
  }
}

/** A card that cannot be written on its FAT still carries a gateway. */
function tellOnCard(files: BootFiles, site: string, { problems, site: inForce }: TakenSite, log: Log): void {
  const path = join(site, MARKS.error);
  try {
    if (problems.length > 0) {
      const text = errorText({ when: when(), problems, goesOn: inForce !== undefined });
      replaceFile(files, path, Buffer.from(text), FAT_FILE);
    } else if (files.read(path) !== undefined) {
      files.remove(path);
      files.syncFolder(site);
    }
  } catch (error) {
    log.warning(`${path} cannot be written: ${messageOf(error)}`);
  }
}

/** The site in force may be none: its board is then what the new one says, right or wrong. */
function boardOnFat(files: BootFiles, site: string): string | undefined {
  const text = files.read(join(site, "site.yaml"))?.toString("utf8") ?? "";
  return /^\uFEFF?board: *["']?([a-z0-9-]+)/m.exec(text)?.[1];
}

function lightsOf(name: string | undefined): readonly string[] {
  try {
    const { light } = loadBoard(name);
    return light === undefined ? [] : [light];
  } catch {
    return [];
  }
}

function makeBootFiles(files: BootFiles, run: string, places: Places, { site, plan }: CheckedSite): void {
  const secret = (path: string | undefined) => {
    const bytes = path === undefined ? undefined : files.read(join(installedFolder(places), path));
    return bytes === undefined ? undefined : passwordIn(bytes.toString("utf8"));
  };
  const wifi = secret(site.wifi?.passwordFile);
  const login = secret(site.console?.passwordFile);
  const secrets: SiteSecrets = { ...(wifi !== undefined && { wifi }), ...(login !== undefined && { console: login }) };
  const made = madeFiles(site, plan, {
    secrets,
    shadow: files.read("/etc/shadow")?.toString("utf8") ?? "",
    salt: saltOf(randomBytes(SALT_BYTES)),
    user: SERVICE_USER,
  });
  for (const folder of [BOOT_FOLDER, "systemd", "systemd/network"]) {
    files.makeFolder(join(run, folder), { mode: FOLDER_MODE });
  }
  for (const { path, text, mode } of made) replaceFile(files, join(run, path), Buffer.from(text), { mode });
}

/** Doctor, as a technician would ask it at the console. */
async function writeReport({ site, data }: Arguments, io: CommandIo): Promise<number> {
  const { doctor } = await import("./doctor/doctor.ts");
  let found = "";
  const quiet: CommandIo = {
    ...io,
    columns: REPORT_COLUMNS,
    rows: io.rows,
    signal: io.signal,
    isTerminal: false,
    out: (text) => {
      found += text;
    },
    err: () => undefined,
  };
  await doctor([join(installedFolder({ site, data }), "gateway.yaml")], quiet);
  const text = reportText(when(), hostname(), found);
  replaceFile(hostFiles, join(site, MARKS.report), Buffer.from(text), FAT_FILE);
  return EXIT.ok;
}

function when(): string {
  return new Date(hostClock.wallMs()).toISOString().slice(0, 16).replace("T", " ");
}

/** Undefined where there is no such user, or files cannot be given away. */
function serviceOwner(files: BootFiles): Owner | undefined {
  if (userInfo().uid !== 0) return undefined;
  const line = files
    .read("/etc/passwd")
    ?.toString("utf8")
    .split("\n")
    .find((text) => text.startsWith(`${SERVICE_USER}:`));
  const [, , uid, gid] = line?.split(":") ?? [];
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid) };
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && "syscall" in error;
}

function parse(args: string[], io: CommandIo): Arguments | "help" {
  return readArguments(USAGE, () => {
    const { values } = parseArgs({
      args,
      options: {
        site: { type: "string" },
        data: { type: "string" },
        run: { type: "string", default: RUN },
        board: { type: "string" },
        report: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    if (values.site === undefined || values.data === undefined) throw new Error("--site and --data are needed");
    return {
      site: resolve(values.site),
      data: resolve(values.data),
      run: resolve(values.run),
      board: values.board ?? io.env.SALLYPORT_BOARD,
      report: values.report,
    };
  });
}
