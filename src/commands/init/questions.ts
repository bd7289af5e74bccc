/** Questions at a terminal, one line each. */
import type { CommandIo } from "../io.ts";

const ENTER = ["\r", "\n"];
const ERASE = ["\x7f", "\b"];
const ANSWER_MAX_CHARACTERS = 1_024;

/** Ctrl-D: nobody goes on. */
const END = "\x04";
/** Arrows and the like come as several letters, the last of which is one of these. */
const ESCAPE = "\x1b";
const LAST_OF_ESCAPE = /[A-Za-z~]/;

/** Ctrl-C in the middle of the questions, or Ctrl-D. */
export class CalledOff extends Error {}

export class Questions {
  readonly #io: CommandIo;
  readonly #keys: string[] = [];
  readonly #stopKeys: () => void;
  #onKey: () => void = () => undefined;

  constructor(io: CommandIo) {
    this.#io = io;
    this.#stopKeys = io.onKey((key) => {
      this.#keys.push(key);
      this.#onKey();
    });
    io.signal.addEventListener("abort", () => this.#onKey(), { once: true });
  }

  /**
   * Asks until the answer is good.
   * @param usual taken where nothing is typed
   * @param mistake what is wrong with an answer; undefined: nothing
   */
  async ask(question: string, usual: string, mistake: (answer: string) => string | undefined): Promise<string> {
    for (;;) {
      this.#io.out(usual === "" ? `${question}: ` : `${question} [${usual}]: `);
      const typed = (await this.#line()).trim();
      const answer = typed === "" ? usual : typed;
      const wrong = mistake(answer);
      if (wrong === undefined) return answer;
      this.#io.out(`  ${wrong}\n`);
    }
  }

  end(): void {
    this.#stopKeys();
  }

  /** Echoes what is typed: in raw mode the terminal does not. */
  async #line(): Promise<string> {
    let line = "";
    for (;;) {
      const key = await this.#key();
      if (key === END) throw new CalledOff();
      if (key === ESCAPE) await this.#skipEscape();
      else if (ENTER.includes(key)) {
        this.#io.out("\n");
        return line;
      } else if (ERASE.includes(key)) {
        if (line !== "") this.#io.out("\b \b");
        line = line.slice(0, -1);
      } else if (key >= " " && line.length < ANSWER_MAX_CHARACTERS) {
        this.#io.out(key);
        line += key;
      }
    }
  }

  async #skipEscape(): Promise<void> {
    let key = await this.#key();
    if (key === "[" || key === "O") key = await this.#key();
    while (!LAST_OF_ESCAPE.test(key)) key = await this.#key();
  }

  async #key(): Promise<string> {
    while (this.#keys.length === 0) {
      if (this.#io.signal.aborted) throw new CalledOff();
      await new Promise<void>((resolve) => {
        this.#onKey = resolve;
      });
    }
    return this.#keys.shift() ?? "";
  }
}
