import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createPrivateKey, type KeyObject } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { commandKeyOf, publicKeyObject } from "../../core/command-key.ts";
import type { ValueType } from "../../core/tag.ts";
import type { Arrival } from "./arrival.ts";
import { judgeFreshness } from "./freshness.ts";
import { parseJsonCommand } from "./json-command.ts";
import { Keyring, signText } from "./keyring.ts";
import { parseCommandText } from "./signed-command.ts";
import { parseDeviceCommand } from "./sparkplug-command.ts";

interface Vectors {
  readonly privateKey: string;
  readonly publicKey: string;
  readonly keyId: string;
  readonly signedPrefix: string;
  readonly gateway: string;
  readonly nowMs: number;
  readonly types: Readonly<Record<string, ValueType>>;
  readonly accepted: readonly {
    readonly what: string;
    readonly text: string;
    readonly signature: string;
    readonly json: string;
    readonly dcmd: string;
  }[];
  readonly refused: readonly { readonly what: string; readonly json: string }[];
}

const VECTORS: Vectors = JSON.parse(readFileSync(new URL("./vectors.json", import.meta.url), "utf8"));
/** The frame (PKCS 8) around the 32 bytes of an Ed25519 key (RFC 8410, 7). */
const PKCS8 = "302e020100300506032b657004220420";

function signingKey(): KeyObject {
  return createPrivateKey({ key: Buffer.from(PKCS8 + VECTORS.privateKey, "hex"), format: "der", type: "pkcs8" });
}

function ownKey() {
  const key = commandKeyOf(signingKey());
  assert.ok(typeof key !== "string");
  return { file: "ops.pub", ...key };
}

/** Undefined: it would be carried out. */
function refusalOf(arrival: Arrival): string | undefined {
  if (arrival.kind !== "signed") return arrival.kind;
  if (new Keyring([ownKey()]).signerOf(arrival.command) === undefined) return "signature";
  const content = parseCommandText(arrival.command.text);
  if (typeof content === "string") return content;
  const memory = { horizonMs: 0, nonces: new Map(), latestMs: undefined };
  const now = { nowMs: VECTORS.nowMs, isClockGood: true, hasBegun: true, gateway: VECTORS.gateway };
  return arrival.contradiction?.(content) ?? judgeFreshness(memory, content, now).refusal;
}

test("the vectors for other languages are what this gateway takes, as JSON and as DCMD, and what it refuses", () => {
  const key = ownKey();
  assert.deepEqual(
    [key.id, Buffer.from(key.publicKey, "base64url").toString("hex")],
    [VECTORS.keyId, VECTORS.publicKey],
  );
  for (const { what, text, signature, json, dcmd } of VECTORS.accepted) {
    assert.equal(Buffer.from(signText(text, signingKey()).signature).toString("base64"), signature, what);
    assert.equal(refusalOf(parseJsonCommand(Buffer.from(json), () => undefined)), undefined, what);
    const typeOf = (id: string) => VECTORS.types[id];
    assert.equal(refusalOf(parseDeviceCommand("pump-1", Buffer.from(dcmd, "hex"), typeOf)), undefined, `DCMD: ${what}`);
  }
  for (const { what, json } of VECTORS.refused) {
    assert.notEqual(refusalOf(parseJsonCommand(Buffer.from(json), () => undefined)), undefined, what);
  }
});

test("OpenSSL finds the signatures of the vectors right", (t) => {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-vectors-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = (name: string, content: string | Buffer) => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  const pem = file("key.pub", publicKeyObject(ownKey()).export({ type: "spki", format: "pem" }));
  for (const { what, text, signature } of VECTORS.accepted) {
    const signed = file("text", VECTORS.signedPrefix + text);
    const told = file("signature", Buffer.from(signature, "base64"));
    const args = ["pkeyutl", "-verify", "-pubin", "-inkey", pem, "-rawin", "-in", signed, "-sigfile", told];
    const { status, stdout, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
    assert.equal(status, 0, `${what}: ${stdout}${stderr}`);
  }
});
