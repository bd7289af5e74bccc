/** Boards: where the connectors and pins are that gateway.yaml calls by the labels on the enclosure. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { EXIT, UserError } from "../core/errors.ts";
import { parseSource } from "./document.ts";

/** A pin as the kernel names it. */
export interface BoardPin {
  readonly chip: string;
  readonly line: number;
}

export interface Board {
  readonly name: string;
  /** Device file of each connector, by its label. */
  readonly lines: Readonly<Record<string, string>>;
  readonly pins: Readonly<Record<string, BoardPin>>;
}

/** Nothing is known: gateway.yaml must give paths and chips itself. */
export const NO_BOARD: Board = { name: "", lines: {}, pins: {} };

const OWN_BOARDS = fileURLToPath(new URL("../../board", import.meta.url));

const labelSchema = v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]+$/));

/** The form of board/<name>/board.yaml. `sources` names where each kind of fact was found. */
export const boardSchema = v.strictObject({
  name: labelSchema,
  title: v.string(),
  lines: v.record(
    labelSchema,
    v.strictObject({ path: v.pipe(v.string(), v.regex(/^\/dev\//)), overlay: v.exactOptional(v.string()) }),
  ),
  pins: v.record(
    labelSchema,
    v.strictObject({ chip: v.string(), line: v.pipe(v.number(), v.integer(), v.minValue(0)) }),
  ),
  sources: v.record(v.string(), v.pipe(v.string(), v.regex(/^https:\/\//))),
});

/** Names of the boards that come with the program. */
export function boardNames(folder = OWN_BOARDS): readonly string[] {
  return readdirSync(folder).sort();
}

/**
 * @param name of a folder in board/; undefined: no board
 * @throws UserError where there is no such board
 */
export function loadBoard(name: string | undefined, folder = OWN_BOARDS): Board {
  if (name === undefined || name === "") return NO_BOARD;
  const names = boardNames(folder);
  if (!names.includes(name)) {
    throw new UserError(`there is no board ${name}; write one of ${names.join(", ")}`, EXIT.usage);
  }
  const file = join(folder, name, "board.yaml");
  const board = v.parse(boardSchema, parseSource(file, readFileSync(file, "utf8")).value);
  const lines = Object.fromEntries(Object.entries(board.lines).map(([label, { path }]) => [label, path]));
  return { name, lines, pins: board.pins };
}
