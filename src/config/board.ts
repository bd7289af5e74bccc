/** Boards: where the connectors and pins are that gateway.yaml calls by the labels on the enclosure. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import * as v from "valibot";
import { EXIT, problemText, UserError } from "../core/errors.ts";
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
  /** Where the kernel and a login write: never a line. */
  readonly console?: string;
  /** The light that shows how the gateway is: the first that its file names. */
  readonly light?: string;
  /** Whether an image for it can join a radio network. */
  readonly hasRadio?: boolean;
}

/** Nothing is known: gateway.yaml must give paths and chips itself. */
export const NO_BOARD: Board = { name: "", lines: {}, pins: {} };

const OWN_BOARDS = fileURLToPath(new URL("../../board", import.meta.url));
const BOARD_FILE = "board.yaml";
/** The display of the board: no fact about it, but a choice. */
const DISPLAY = "/dev/tty1";

const labelSchema = v.pipe(v.string(), v.regex(/^[A-Za-z0-9-]+$/));
const wordsSchema = v.pipe(v.string(), v.minLength(1));
/** Without a way up: what lies elsewhere is no device. */
const deviceSchema = v.pipe(v.string(), v.regex(/^\/dev(?:\/[\w:-]+)+$/));
/** What config.txt of a Raspberry Pi says behind `dtoverlay=` or `dtparam=`. */
const bootSettingsSchema = v.pipe(v.array(v.pipe(v.string(), v.regex(/^[a-z0-9][a-z0-9_=,-]*$/))), v.minLength(1));

const lineSchema = v.strictObject({
  /** Where it is on the board, in words. */
  connector: wordsSchema,
  path: deviceSchema,
  overlays: v.exactOptional(bootSettingsSchema),
  parameters: v.exactOptional(bootSettingsSchema),
  /**
   * Who switches between sending and listening: the port's own hardware, the kernel by the device tree, or a transceiver
   * that must stand behind it. Absent: not known.
   */
  direction: v.exactOptional(v.picklist(["automatic", "device-tree", "transceiver"])),
});

/** The form of board/<name>/board.yaml. `sources` names where each kind of fact was found. */
export const boardSchema = v.strictObject({
  name: labelSchema,
  title: wordsSchema,
  /** Whether Debian's own kernel drives all of it; else the image must come from the maker's. */
  kernel: v.picklist(["debian", "vendor"]),
  /** What may start it, for each of which an image holds the files. None: it is given its kernel from outside. */
  firmware: v.array(v.picklist(["raspberry-pi", "u-boot", "uefi"])),
  deviceTree: v.exactOptional(v.pipe(v.string(), v.regex(/^[\w/.-]+\.dtb$/))),
  lines: v.record(labelSchema, lineSchema),
  pins: v.record(
    labelSchema,
    /** The chip by its label, as `gpioinfo` shows it: its number is another one at each start. */
    v.strictObject({
      chip: v.pipe(v.string(), v.regex(/^(?!gpiochip\d)[\w.:-]+$/)),
      line: v.pipe(v.number(), v.integer(), v.minValue(0)),
    }),
  ),
  /** By the label on the board: names below /sys/class/leds. */
  leds: v.record(labelSchema, v.pipe(v.string(), v.regex(/^[\w:-]+$/))),
  watchdog: v.exactOptional(v.strictObject({ driver: v.string(), longest: v.pipe(v.string(), v.regex(/^\d+s$/)) })),
  clock: v.exactOptional(v.strictObject({ battery: v.picklist(["none", "optional", "fitted"]) })),
  temperature: v.exactOptional(v.pipe(v.string(), v.regex(/^\/sys(?:\/[\w:-]+(?:\.[\w:-]+)*)+$/))),
  /** Of its radio network: what the driver brcmfmac loads, without its endings. Absent: an image can join none. */
  radio: v.exactOptional(v.strictObject({ firmware: v.pipe(v.string(), v.regex(/^brcmfmac[a-z0-9-]+$/)) })),
  console: v.exactOptional(deviceSchema),
  sources: v.record(v.string(), v.pipe(v.string(), v.regex(/^https:\/\//))),
});

type BoardFile = v.InferOutput<typeof boardSchema>;

/** What is wrong with a board: the form of its file, facts without a source, things that are there twice. */
export function boardMistakes(folder: string, name: string): readonly string[] {
  const file = join(folder, name, BOARD_FILE);
  if (!existsSync(file)) return [`there is no ${file}`];
  const source = parseSource(file, readFileSync(file, "utf8"));
  if (source.problems.length > 0) return source.problems.map(problemText);
  const parsed = v.safeParse(boardSchema, source.value);
  if (!parsed.success) return parsed.issues.map((issue) => `${v.getDotPath(issue) ?? file}: ${issue.message}`);
  const board = parsed.output;
  const lines = Object.values(board.lines);
  const paths = [...lines.map(({ path }) => path), ...(board.console === undefined ? [] : [board.console])];
  const labels = [...Object.keys(board.lines), ...Object.keys(board.pins)].map((label) => label.toLowerCase());
  return [
    ...(board.name === name ? [] : [`its name is ${board.name}, that of its folder ${name}`]),
    ...factsOf(board)
      .filter((fact) => !Object.hasOwn(board.sources, fact))
      .map((fact) => `no source for ${fact}`),
    ...Object.keys(board.sources)
      .filter((fact) => !factsOf(board).includes(fact))
      .map((fact) => `a source for ${fact}, of which nothing is said`),
    ...twice(paths).map((path) => `${path} is there twice; the console is never a line`),
    ...twice(Object.values(board.pins).map(({ chip, line }) => `${chip} ${line}`)).map((pin) => `${pin} is two pins`),
    ...twice(labels).map((label) => `the label ${label} is there twice`),
  ];
}

/** The kinds of facts that a board states. */
function factsOf(board: BoardFile): readonly string[] {
  const lines = Object.values(board.lines);
  const states: Readonly<Record<string, boolean>> = {
    kernel: true,
    firmware: board.firmware.length > 0,
    deviceTree: board.deviceTree !== undefined,
    lines: lines.length > 0,
    overlays: lines.some(({ overlays }) => overlays !== undefined),
    parameters: lines.some(({ parameters }) => parameters !== undefined),
    direction: lines.some(({ direction }) => direction !== undefined),
    pins: Object.keys(board.pins).length > 0,
    chip: Object.keys(board.pins).length > 0,
    leds: Object.keys(board.leds).length > 0,
    watchdog: board.watchdog !== undefined,
    clock: board.clock !== undefined,
    temperature: board.temperature !== undefined,
    radio: board.radio !== undefined,
    console: board.console !== undefined && board.console !== DISPLAY,
  };
  return Object.keys(states).filter((fact) => states[fact]);
}

function twice(items: readonly string[]): readonly string[] {
  return items.filter((item, index) => items.indexOf(item) !== index);
}

/** Names of the boards that come with the program. */
export function boardNames(folder = OWN_BOARDS): readonly string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
    .sort();
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
  const file = join(folder, name, BOARD_FILE);
  const board = loaded.get(file) ?? boardIn(name, file);
  if (folder === OWN_BOARDS) loaded.set(file, board);
  return board;
}

/** Those that come with the program do not change while it runs. */
const loaded = new Map<string, Board>();

function boardIn(name: string, file: string): Board {
  const board = v.parse(boardSchema, parseSource(file, readFileSync(file, "utf8")).value);
  const lines = Object.fromEntries(Object.entries(board.lines).map(([label, { path }]) => [label, path]));
  const light = Object.values(board.leds)[0];
  return {
    name,
    lines,
    pins: board.pins,
    ...(board.console !== undefined && { console: board.console }),
    ...(light !== undefined && { light }),
    hasRadio: board.radio !== undefined,
  };
}
