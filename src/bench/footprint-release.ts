/** The gateway as it is given out: the bundle that `npm run release` makes, unpacked. */
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const RELEASE = fileURLToPath(new URL("../../scripts/release.sh", import.meta.url));
const ARCHIVE = /^(sallyport-.*)\.tar\.gz$/;

export interface UnpackedRelease {
  /** What Node is given. */
  readonly program: string;
  /** Of all files. */
  readonly bytes: number;
}

/** @param folder gets the release, and what is unpacked of it */
export function unpackRelease(folder: string): UnpackedRelease {
  const [key, given, unpacked] = [join(folder, "maker.key"), join(folder, "given"), join(folder, "unpacked")];
  mkdirSync(unpacked, { recursive: true });
  execFileSync("openssl", ["genpkey", "-algorithm", "ed25519", "-out", key]);
  // Why it fails stands on stderr; stdout is the benchmark's.
  execFileSync("bash", [RELEASE, "--sign-key", key, "--output", given], { stdio: ["ignore", "ignore", "inherit"] });
  const [name, archive] = readdirSync(given).flatMap((file) => ARCHIVE.exec(file)?.slice(1).concat(file) ?? []);
  if (name === undefined || archive === undefined) throw new Error(`the release made no bundle in ${given}`);
  execFileSync("tar", ["-xzf", join(given, archive), "-C", unpacked]);
  return { program: join(unpacked, name, "dist", "sallyport.mjs"), bytes: bytesIn(unpacked) };
}

function bytesIn(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
}
