/**
 * A card for a Raspberry Pi 3, written by flash.sh and booted in QEMU's raspi3b: from a blank card to samples at a broker.
 * `npm run prove:pi3`. What it does not show: the firmware's own stages, which QEMU leaves out, and the watchdog.
 *
 *     -- --image FILE   this image; else one is made, which needs root
 *     -- --keep FOLDER  the card stays there as card.img, to be looked into
 */
import { execFile } from "node:child_process";
import { copyFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs, promisify } from "node:util";
import { hostClock, sleep } from "../../core/clock.ts";
import { CountBook } from "../count-book.ts";
import { flashCard, makeImage } from "../flashed-card.ts";
import { timedLines } from "../timed-lines.ts";
import { valuesIn } from "../virtual-board/books.ts";
import { type Outside, openOutside, TAGS_PER_DEVICE } from "../virtual-board/outside.ts";
import { EmulatedPi3 } from "./emulated-pi3.ts";

const BOARD = "raspberry-pi-3";
const PARTS_SCRIPT = fileURLToPath(new URL("../../../scripts/parts.sh", import.meta.url));
const PARTS = ["qemu-system-aarch64", "mosquitto", "mcopy", "debugfs", "sfdisk", "setpriv"];
const BOOT_LIMIT_MS = 900_000;
const LOOK_MS = 500;
/** After the first sample. */
const RUNNING_MS = 30_000;
const CLOSING_LIMIT_MS = 60_000;

const { values } = parseArgs({ options: { image: { type: "string" }, keep: { type: "string" } } });
const tell = timedLines();

/** The virtual board's site, on the connectors of this one. */
async function moveToPi3(site: string): Promise<void> {
  const change = async (file: string, edits: readonly (readonly [string | RegExp, string])[]) => {
    const path = join(site, file);
    const before = await readFile(path, "utf8");
    await writeFile(
      path,
      edits.reduce((text, [from, to]) => text.replace(from, to), before),
    );
  };
  await change("site.yaml", [["board: virtual", `board: ${BOARD}`]]);
  await change("gateway.yaml", [
    ["RS485-1:", "UART0:"],
    [/^inputs:\n( .*\n)+/m, ""],
  ]);
}

class Arrivals {
  readonly counts = new CountBook(["unclean stop"]);
  live = 0;
  history = 0;
  #read = 0;
  readonly #outside: Outside;

  constructor(outside: Outside) {
    this.#outside = outside;
  }

  take(): void {
    const { messages } = this.#outside.subscriber;
    for (const { kind, wire } of valuesIn(messages.slice(this.#read))) {
      if (kind === "data") this.live += wire.values.length;
      else this.history += wire.values.length;
      this.counts.arrived(wire);
    }
    this.#read = messages.length;
  }
}

async function until(what: string, holds: () => boolean, limitMs: number, board: EmulatedPi3): Promise<void> {
  const sinceMs = hostClock.monotonicMs();
  while (!holds()) {
    if (board.hasEnded) throw new Error(`the machine ended by itself, before ${what}: ${board.said}`);
    if (hostClock.monotonicMs() - sinceMs > limitMs) throw new Error(`waited ${limitMs} ms in vain until ${what}`);
    await sleep(hostClock, LOOK_MS);
  }
}

/** @returns what is wrong */
async function proveBoot(outside: Outside, card: string): Promise<readonly string[]> {
  const { folder, line, served } = outside;
  const arrivals = new Arrivals(outside);
  const poweredMs = hostClock.monotonicMs();
  const took = () => `${((hostClock.monotonicMs() - poweredMs) / 1000).toFixed(1)} s after power`;
  const board = await EmulatedPi3.start({ folder, card, line });
  try {
    await until("the board asks for the time", () => outside.timeAsked() > 0, BOOT_LIMIT_MS, board);
    tell(`it asked for the time by its network: ${took()}`);
    const asked = () => [...served.values()].some((replies) => replies.length > 0);
    await until("a device is asked on the line", asked, BOOT_LIMIT_MS, board);
    tell(`it asked a device on its UART: ${took()}`);
    const hasCome = () => {
      arrivals.take();
      return arrivals.live > 0;
    };
    await until("a sample arrives", hasCome, BOOT_LIMIT_MS, board);
    tell(`first sample at the broker: ${took()}`);
    await sleep(hostClock, RUNNING_MS);
    outside.fallSilent();
    const isThere = () => {
      arrivals.take();
      return arrivals.counts.holes(served, TAGS_PER_DEVICE).length === 0;
    };
    const isWhole = await until("all is there", isThere, CLOSING_LIMIT_MS, board).then(
      () => true,
      () => false,
    );
    const replies = [...served.values()].reduce((sum, log) => sum + log.length, 0);
    tell(`values served ${replies * TAGS_PER_DEVICE}, arrived live ${arrivals.live}, as history ${arrivals.history}`);
    return isWhole ? [] : [`missing: ${arrivals.counts.holes(served, TAGS_PER_DEVICE).length}`];
  } finally {
    await board.kill();
  }
}

await promisify(execFile)("bash", [PARTS_SCRIPT, ...PARTS]);
const outside = await openOutside();
const card = join(outside.folder, "card.img");
try {
  const image = values.image ?? (await makeImage(join(outside.folder, "pi3.img"), tell, "--board", BOARD));
  await moveToPi3(outside.site);
  await flashCard(image, outside.site, card);
  tell("the card is written");
  const faults = await proveBoot(outside, card);
  tell(`faults ${faults.length}`);
  for (const fault of faults) tell(fault);
  process.exitCode = faults.length === 0 ? 0 : 1;
} finally {
  if (values.keep !== undefined) await copyFile(card, join(values.keep, "card.img")).catch(() => undefined);
  await outside.close();
}
