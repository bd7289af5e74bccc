/** A copy of the sources with a mistake planted in it, and what the simulation of that copy sees. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Edit, edited } from "./mutation.ts";

/** What the loader and the packages need beside the sources. */
const BESIDE = ["package.json", "tsconfig.json"];
const PROBE = "src/testing/simulation/mutations-probe.ts";
const PROBE_LIMIT_MS = 1_200_000;

/** The first seed at which an invariant did not hold. */
export interface Sighting {
  readonly seed: number;
  readonly invariant: string;
  readonly what: string;
}

export class Mutant {
  readonly dir: string;

  /** @param root of the sources to be copied @param parent where the copy goes */
  constructor(root: string, parent: string, edits: readonly Edit[]) {
    mkdirSync(parent, { recursive: true });
    this.dir = mkdtempSync(join(parent, "mutant-"));
    cpSync(join(root, "src"), join(this.dir, "src"), { recursive: true });
    for (const file of BESIDE) cpSync(join(root, file), join(this.dir, file));
    symlinkSync(join(root, "node_modules"), join(this.dir, "node_modules"));
    for (const edit of edits) {
      const path = join(this.dir, "src", edit.file);
      writeFileSync(path, edited(readFileSync(path, "utf8"), edit));
    }
  }

  /** Runs seeds whose plans meet the needs until one shows something. @throws when the run itself fails */
  async watch(fromSeed: number, seeds: number, needs: readonly string[] = []): Promise<Sighting | undefined> {
    const answer = await this.#probe([`${fromSeed}`, `${seeds}`, ...needs]);
    const seen: unknown = JSON.parse(answer);
    return isSighting(seen) ? seen : undefined;
  }

  end(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }

  #probe(words: readonly string[]): Promise<string> {
    return new Promise((resolve, reject) => {
      const options = { cwd: this.dir, timeout: PROBE_LIMIT_MS };
      execFile(process.execPath, ["--import", "tsx", PROBE, ...words], options, (error, stdout, stderr) => {
        if (error === null) resolve(stdout);
        else reject(new Error(`the probe failed: ${stderr.slice(-2_000) || error.message}`));
      });
    });
  }
}

function isSighting(seen: unknown): seen is Sighting {
  return typeof seen === "object" && seen !== null && "seed" in seen;
}
