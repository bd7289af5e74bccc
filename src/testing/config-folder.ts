/** A folder with everything that the example configurations name, for tests of the loader. */
import { generateKeyPairSync } from "node:crypto";
import { chmodSync, copyFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type LoadOptions, parseConfig } from "../config/load.ts";
import { hostClock } from "../core/clock.ts";
import { ConfigurationError, problemText } from "../core/errors.ts";
import { writeCertificates } from "./certificates.ts";

/** The examples and the golden mistakes. */
export const FIXTURES = fileURLToPath(new URL("../config/fixtures", import.meta.url));

/** A board that has the connector and the pins that the examples name. */
export const BOARD: LoadOptions = {
  board: {
    name: "bench",
    lines: { "RS485-1": "/dev/ttyAMA3" },
    pins: { DI1: { chip: "bench", line: 1 }, DI2: { chip: "bench", line: 2 } },
  },
};

export class ConfigFolder {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async make(): Promise<ConfigFolder> {
    const dir = mkdtempSync(join(tmpdir(), "sallyport-config-"));
    const { ca, crl, client } = await writeCertificates(join(dir, "tls"), hostClock);
    copyFileSync(ca, join(dir, "ca.pem"));
    copyFileSync(crl, join(dir, "crl.pem"));
    copyFileSync(client.certificate, join(dir, "gateway.pem"));
    copyFileSync(client.key, join(dir, "gateway.key"));
    chmodSync(join(dir, "gateway.key"), 0o640);
    for (const name of ["cloud.password", "proxy.password"])
      writeFileSync(join(dir, name), "geheim\n", { mode: 0o640 });
    for (const name of ["ops.pub", "shift.pub"]) {
      const { publicKey } = generateKeyPairSync("ed25519");
      writeFileSync(join(dir, name), publicKey.export({ type: "spki", format: "pem" }));
    }
    for (const name of ["shortest.yaml", "full.yaml"]) copyFileSync(join(FIXTURES, name), join(dir, name));
    return new ConfigFolder(dir);
  }

  path(name: string): string {
    return join(this.dir, name);
  }

  /** The complaints about a text as gateway.yaml of this folder, whose path is left out of them. */
  complaints(text: string, options: LoadOptions = {}): string[] {
    try {
      parseConfig(this.path("gateway.yaml"), text, options);
      return [];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return error.problems.map((problem) => problemText(problem).replaceAll(`${this.dir}/`, ""));
    }
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
