/** Which lines are played: those of a gateway.yaml, or one device of a model. */
import { resolve } from "node:path";
import { loadBoard } from "../../config/board.ts";
import type { LineConfig } from "../../config/config.ts";
import { checkConfig, parseConfig } from "../../config/load.ts";
import { ConfigurationError, EXIT, UserError } from "../../core/errors.ts";

export interface FromFile {
  readonly file: string;
  /** Absent: all. */
  readonly line: string | undefined;
  readonly board: string | undefined;
}

export interface FromModel {
  readonly model: string;
  readonly unitId: string;
  /** As `9600 8N1`. */
  readonly serial: string;
}

/** Of a model that is a file; any other gives its own name. */
const DEVICE_NAME = "device";

/** @throws UserError where the file has no such line, ConfigurationError where it has mistakes */
export function linesOfFile({ file, line, board }: FromFile): readonly LineConfig[] {
  const { lines } = checkConfig(file, { board: loadBoard(board) }).config;
  if (lines.length === 0) throw new UserError(`${file} has no lines; add one under lines:, or use --model`, EXIT.usage);
  const chosen = line === undefined ? lines : lines.filter(({ name }) => name === line);
  if (chosen.length > 0) return chosen;
  const names = lines.map(({ name }) => name).join(", ");
  throw new UserError(`${file} has no line ${line}; write --line with one of ${names}`, EXIT.usage);
}

/** @throws UserError for a wrong argument, ConfigurationError where a model file has mistakes */
export function lineOfModel({ model, unitId, serial }: FromModel): LineConfig {
  const isPath = model.includes("/") || /\.ya?ml$/.test(model);
  const text = `version: 1
gateway: { group: desk, name: desk }
uplinks: { none: { servers: [ "mqtts://localhost:8883" ] } }
lines:
  desk:
    path: /dev/null
    serial: ${JSON.stringify(serial)}
    devices: { ${isPath ? DEVICE_NAME : JSON.stringify(model)}: { unitId: ${unitId}, model: ${JSON.stringify(isPath ? resolve(model) : model)} } }
`;
  try {
    const [line] = parseConfig(ARGUMENTS, text).config.lines;
    if (line !== undefined) return line;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    const ours = error.problems.filter(({ file }) => file === ARGUMENTS);
    if (ours.length === 0) throw error;
    const words = ours.map(({ key, wrong, remedy }) => `--${optionOf(key)}: ${wrong}; ${remedy}`);
    throw new UserError(words.join("\n"), EXIT.usage);
  }
  throw new UserError(`there is nothing to play in ${model}`, EXIT.usage);
}

/** Stands where a file's name would, for mistakes in what was written on the command line. */
const ARGUMENTS = "the command line";

function optionOf(key: string): string {
  if (key.endsWith(".unitId")) return "unit";
  return key.endsWith(".serial") ? "serial" : "model";
}
