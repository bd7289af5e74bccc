// Prints what an image must know of a board as lines of shell: `eval "$(node scripts/board-facts.mjs virtual)"`.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";

const EXIT_USAGE = 64;
const boards = fileURLToPath(new URL("../board", import.meta.url));
const name = process.argv[2] ?? "";

if (!readdirSync(boards).includes(name)) {
  process.stderr.write(`image: there is no board "${name}"; there are: ${readdirSync(boards).sort().join(", ")}\n`);
  process.exit(EXIT_USAGE);
}
const board = parse(readFileSync(`${boards}/${name}/board.yaml`, "utf8"));
const lines = Object.values(board.lines);
const facts = {
  board_kernel: board.kernel,
  board_firmware: board.firmware.join(" "),
  board_tree: board.deviceTree ?? "",
  board_console: board.console ?? "",
  board_radio: board.radio?.firmware ?? "",
  board_overlays: lines.flatMap(({ overlays = [] }) => overlays).join(" "),
  board_parameters: lines.flatMap(({ parameters = [] }) => parameters).join(" "),
};
for (const [key, value] of Object.entries(facts)) {
  process.stdout.write(`${key}='${value.replaceAll("'", "")}'\n`);
}
