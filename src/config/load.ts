/** gateway.yaml → the frozen Config, or everything that is wrong with the file. */
import { assert, ConfigurationError, type Problem } from "../core/errors.ts";
import { type Board, NO_BOARD } from "./board.ts";
import type { Config } from "./config.ts";
import { DEFAULTS, LIMITS } from "./defaults.ts";
import { byPlace, type Path, type Place, parseSource } from "./document.ts";
import { type Inspection, inspect } from "./draft.ts";
import { readText } from "./files.ts";
import { type GatewayFile, gatewaySchema } from "./gateway-schema.ts";
import { buildInputs, checkInputs } from "./inputs.ts";
import { buildLines, checkLines, type LineSurroundings } from "./lines.ts";
import { createModelShelf } from "./model.ts";
import { type Notice, notYetNotices } from "./not-yet.ts";
import { buildKeys, checkKeys, checkKeyTags, withoutWrites } from "./remote-writes.ts";
import { buildUplinks, checkUplinks, type UplinkSurroundings } from "./uplinks.ts";

export interface LoadOptions {
  /** The board's connectors: a line of that name needs no path. */
  readonly board?: Board;
  /** Where models are looked for by name; default: those that come with the program. */
  readonly modelFolder?: string;
  /** Where the service manager puts passwords. */
  readonly credentialsFolder?: string | undefined;
  /** The gateway's own key and certificate need not be there yet. */
  readonly identityLater?: boolean;
  /** Whatever the file names must lie in this folder, which is carried to a board. */
  readonly siteFolder?: string;
}

type ConfigSurroundings = LineSurroundings & UplinkSurroundings;

export interface CheckedConfig {
  readonly config: Config;
  /** What is not wrong, but good to know. */
  readonly notices: readonly Notice[];
  /** Where a key stands, or the nearest one above it that is written. */
  readonly place: (path: Path) => Place;
}

/** @throws ConfigurationError with every mistake of the file */
export function loadConfig(file: string, options: LoadOptions = {}): Config {
  return checkConfig(file, options).config;
}

/** @throws ConfigurationError with every mistake of the file */
export function checkConfig(file: string, options: LoadOptions = {}): CheckedConfig {
  const text = readText(file, LIMITS.fileBytes);
  if (typeof text !== "string") throw new ConfigurationError([{ file, line: 1, column: 1, key: "", ...text }]);
  return parseConfig(file, text, options);
}

/**
 * @param file what complaints call it; files it names are looked for beside it
 * @throws ConfigurationError with every mistake of the text
 */
export function parseConfig(file: string, text: string, options: LoadOptions = {}): CheckedConfig {
  const models = createModelShelf(file, options.modelFolder);
  const { board = NO_BOARD, credentialsFolder, identityLater = false, siteFolder } = options;
  const around: ConfigSurroundings = { models, board, credentialsFolder, identityLater, siteFolder };
  const inspection = inspect(parseSource(file, text), gatewaySchema);
  checkUplinks(inspection, around);
  checkLines(inspection, around);
  checkInputs(inspection, around.board);
  checkKeys(inspection);
  throwProblems([...inspection.problems.toSorted(byPlace), ...models.problems()]);
  const config = buildConfig(inspection, around);
  if (config.commands !== undefined) checkKeyTags(config.commands, config.lines, inspection.complain);
  throwProblems(inspection.problems);
  return {
    config: deepFreeze(config),
    notices: notYetNotices(inspection.document),
    place: (path) => inspection.document.place(path, "key"),
  };
}

function throwProblems(problems: readonly Problem[]): void {
  if (problems.length > 0) throw new ConfigurationError(firstOf(problems));
}

/** A file that is not ours at all is not worth thousands of lines. */
function firstOf(problems: readonly Problem[]): readonly Problem[] {
  const shown = problems.slice(0, LIMITS.problems);
  const last = shown.at(-1);
  if (last === undefined || problems.length === shown.length) return shown;
  const wrong = `${problems.length - shown.length} more mistakes are not shown`;
  return [...shown, { ...last, key: "", wrong, remedy: "mend these first" }];
}

function buildConfig(inspection: Inspection<GatewayFile>, around: ConfigSurroundings): Config {
  const { whole, document } = inspection;
  assert(whole !== undefined, "a configuration without mistakes is incomplete");
  const { outbox = {}, clock = {}, commands } = whole;
  const lines = buildLines(inspection, around);
  const commitIntervalMs = outbox.commitInterval ?? DEFAULTS.commitIntervalMs;
  return {
    file: document.file,
    gateway: whole.gateway,
    uplinks: buildUplinks(whole, document.file, around),
    lines: commands === undefined ? withoutWrites(lines) : lines,
    inputs: buildInputs(whole, around.board),
    outbox: {
      path: outbox.path ?? DEFAULTS.outboxPath,
      maxSizeBytes: outbox.maxSize ?? DEFAULTS.outboxMaxSizeBytes,
      maxAgeMs: outbox.maxAge ?? DEFAULTS.outboxMaxAgeMs,
      commitIntervalMs,
      outageCommitIntervalMs: outbox.outageCommitInterval ?? commitIntervalMs,
      ...(outbox.reserve !== undefined && { reserveBytes: outbox.reserve }),
    },
    clock: {
      source: clock.source ?? DEFAULTS.clockSource,
      waitAtMostMs: clock.waitAtMost ?? DEFAULTS.clockWaitAtMostMs,
    },
    ...(commands !== undefined && {
      commands: { authorizedKeys: buildKeys(commands.authorizedKeys, document.file) },
    }),
  };
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  for (const part of Object.values(value)) deepFreeze(part);
  return Object.freeze(value);
}
