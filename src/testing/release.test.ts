/** What `npm run release` signs is what flash.sh verifies, and nothing else passes. */
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";

const RELEASE = fileURLToPath(new URL("../../scripts/release.sh", import.meta.url));
const FLASH = fileURLToPath(new URL("../../scripts/flash.sh", import.meta.url));

function release(...args: string[]): { readonly status: number | null; readonly text: string } {
  const { status, stdout, stderr } = spawnSync("bash", [RELEASE, ...args], { encoding: "utf8" });
  return { status, text: stdout + stderr };
}

function folder(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-release-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** As flash.sh asks OpenSSL, word for word. */
function isSigned(image: string, publicKey: string): boolean {
  const script = readFileSync(FLASH, "utf8");
  const call = /openssl pkeyutl -verify [\s\S]*?\.sig"/.exec(script)?.[0];
  assert.ok(call !== undefined, "flash.sh verifies with OpenSSL");
  const env = { ...process.env, image, public_key: publicKey };
  return spawnSync("bash", ["-c", call], { env }).status === 0;
}

test("a file gets its checksum and a signature that flash.sh takes; any change of it, or another key, does not pass", (t) => {
  const dir = folder(t);
  const key = join(dir, "maker.key");
  execFileSync("openssl", ["genpkey", "-algorithm", "ed25519", "-out", key], { stdio: "ignore" });
  const file = join(dir, "board.img");
  writeFileSync(file, "an image\n");
  const made = join(dir, "out");
  const { status, text } = release("--sign-key", key, "--no-bundle", "--file", file, "--output", made);
  assert.equal(status, 0, text);
  const image = join(made, "board.img");
  assert.ok(isSigned(image, join(made, "sallyport.pub")));
  const sum = createHash("sha256").update(readFileSync(image)).digest("hex");
  assert.equal(readFileSync(`${image}.sha256`, "utf8"), `${sum}  board.img\n`);
  writeFileSync(
    `${image}.sha256`,
    readFileSync(`${image}.sha256`, "utf8").replace(/^./, (c) => (c === "0" ? "1" : "0")),
  );
  assert.ok(!isSigned(image, join(made, "sallyport.pub")), "another checksum");
});

test("nothing is released unsigned, nor with a key of another kind", (t) => {
  const dir = folder(t);
  const key = join(dir, "other.key");
  execFileSync("openssl", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key], {
    stdio: "ignore",
  });
  assert.equal(release("--no-bundle", "--file", RELEASE).status, 64);
  assert.equal(release("--sign-key", key, "--no-bundle", "--file", RELEASE, "--output", dir).status, 65);
});
