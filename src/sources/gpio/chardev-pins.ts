/**
 * Pins through the kernel's character device: edges are stamped and numbered by the kernel, so that none is told late,
 * and a dropped one is known. One helper (gpio-lines.pl) holds all pins, because Node has no ioctl.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Pin, PinAddress, PinDriver, PinEvents } from "./pin-driver.ts";

const CHIPS_FOLDER = "/dev";
const PROGRAM = "perl";
const SCRIPT = fileURLToPath(new URL("gpio-lines.pl", import.meta.url));
/** The longest thing it says is a reason in words. */
const LINE_MAX_CHARS = 2_048;
const REASON_MAX_CHARS = 400;
const NS_PER_MS = 1e6;

export interface ChardevOptions {
  /** Another folder than /dev, and what the helper is given beside it, for tests. */
  readonly folder?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Whether this kernel has the character device at all. */
export function hasGpioChips(folder = CHIPS_FOLDER): boolean {
  try {
    return readdirSync(folder).some((name) => name.startsWith("gpiochip"));
  } catch {
    return false;
  }
}

/** Its monotonic time is the kernel's, as that of the host's clock. */
export function createChardevPins(options: ChardevOptions = {}): PinDriver {
  let helper: Helper | undefined;
  return {
    async open(address, events) {
      if (helper === undefined || helper.hasEnded) helper = new Helper(options);
      return await helper.open(address, events);
    },
  };
}

interface OpenPin {
  readonly events: PinEvents;
  /** Who waits for the answer to what was asked last; the helper answers in order. */
  readonly asked: Asked[];
  isOpen: boolean;
  /** After the last edge; undefined before the first. */
  level: boolean | undefined;
}

interface Asked {
  readonly answered: (fields: readonly string[]) => void;
  readonly refused: (reason: Error) => void;
}

class Helper {
  hasEnded = false;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;
  readonly #pins = new Map<string, OpenPin>();
  #given = 0;
  #heard = "";
  #complaint = "";

  constructor({ folder = CHIPS_FOLDER, env }: ChardevOptions) {
    const options = { stdio: ["pipe", "pipe", "pipe"] as const, ...(env && { env: { ...env } }) };
    this.#child = spawn(PROGRAM, [SCRIPT, folder], { ...options, stdio: [...options.stdio] });
    this.#child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#hear(text));
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#complaint = text.trim().slice(0, REASON_MAX_CHARS);
    });
    // Told by its end as well.
    this.#child.stdin?.on("error", () => undefined);
    this.#gone = new Promise((resolve) => {
      this.#child.on("error", (error) => {
        this.#end(`${PROGRAM} cannot be run: ${error.message}`);
        resolve();
      });
      this.#child.on("exit", (code) => {
        this.#end(this.#complaint || `the helper for pins ended with ${code}`);
        resolve();
      });
    });
  }

  async open({ chip, line, bias }: PinAddress, events: PinEvents): Promise<Pin> {
    const id = String(++this.#given);
    const pin: OpenPin = { events, asked: [], isOpen: true, level: undefined };
    this.#pins.set(id, pin);
    try {
      await this.#ask(id, "open", chip, String(line), bias ?? "as-is");
    } catch (error) {
      await this.#forget(id);
      throw error instanceof Error ? new Error(`${chip} line ${line}: ${error.message}`) : error;
    }
    return {
      read: async () => (await this.#ask(id, "read"))[0] === "1",
      close: async () => {
        if (!pin.isOpen) return;
        pin.isOpen = false;
        if (!this.hasEnded && this.#pins.has(id)) await this.#ask(id, "close").catch(() => undefined);
        await this.#forget(id);
      },
    };
  }

  #ask(id: string, what: string, ...fields: readonly string[]): Promise<readonly string[]> {
    const pin = this.#pins.get(id);
    if (this.hasEnded || pin === undefined) return Promise.reject(new Error("the pin is gone"));
    return new Promise((answered, refused) => {
      pin.asked.push({ answered, refused });
      this.#child.stdin?.write(`${[what, id, ...fields].join("\t")}\n`);
    });
  }

  #hear(text: string): void {
    const lines = (this.#heard + text).split("\n");
    this.#heard = (lines.pop() ?? "").slice(0, LINE_MAX_CHARS);
    for (const line of lines) this.#take(line.split("\t"));
  }

  #take([what = "", id = "", ...fields]: readonly string[]): void {
    const pin = this.#pins.get(id);
    if (pin === undefined) return;
    switch (what) {
      case "edge":
        if (pin.isOpen) this.#tellEdge(pin, fields[0] === "1", Number(fields[1]) / NS_PER_MS);
        return;
      case "missed":
        if (pin.isOpen) pin.events.missed?.(Number(fields[0]));
        return;
      case "lost":
        this.#lose(pin, fields[0] ?? "");
        return;
      case "refused":
        pin.asked.shift()?.refused(new Error(fields[0]));
        return;
      default:
        pin.asked.shift()?.answered(fields);
    }
  }

  /** The kernel looks where the line is when it gets to an interrupt: twice the same, and a way there and back was missed. */
  #tellEdge(pin: OpenPin, level: boolean, ms: number): void {
    if (pin.level === level) pin.events.missed?.(1);
    pin.level = level;
    pin.events.edge(level, ms);
  }

  #lose(pin: OpenPin, reason: string): void {
    for (const { refused } of pin.asked.splice(0)) refused(new Error(reason));
    if (pin.isOpen) pin.events.lost(reason);
  }

  #end(reason: string): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    const pins = [...this.#pins.values()];
    this.#pins.clear();
    for (const pin of pins) this.#lose(pin, reason);
  }

  /** Without pins there is nothing to hold it for. Resolves when it is gone: until then it holds what it held. */
  async #forget(id: string): Promise<void> {
    this.#pins.delete(id);
    if (this.#pins.size > 0) return;
    this.hasEnded = true;
    this.#child.stdin?.end();
    await this.#gone;
  }
}
