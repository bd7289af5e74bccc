/** The keys that may command a gateway, and what is done with one. */
import { type KeyObject, sign, verify } from "node:crypto";
import type { AuthorizedKey } from "../../config/config.ts";
import { commandKeyOf, publicKeyObject } from "../../core/command-key.ts";
import { bytesToSign, type SignedCommand } from "./signed-command.ts";

export class Keyring {
  readonly #keys: ReadonlyMap<string, { readonly key: AuthorizedKey; readonly object: KeyObject }>;

  constructor(keys: readonly AuthorizedKey[]) {
    this.#keys = new Map(keys.map((key) => [key.id, { key, object: publicKeyObject(key) }]));
  }

  /** The key that signed it; undefined where none of ours did. */
  signerOf({ text, keyId, signature }: SignedCommand): AuthorizedKey | undefined {
    const known = this.#keys.get(keyId);
    if (known === undefined) return undefined;
    return verify(null, bytesToSign(text), known.object, signature) ? known.key : undefined;
  }
}

/** What whoever has the private key does. */
export function signText(text: string, key: KeyObject): SignedCommand {
  const own = commandKeyOf(key);
  if (typeof own === "string") throw new TypeError(`the key ${own}`);
  return { text, keyId: own.id, signature: sign(null, bytesToSign(text), key) };
}
