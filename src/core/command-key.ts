/** Keys of remote commands: Ed25519 (RFC 8032), as PEM files that OpenSSL makes and reads as well. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";

export interface CommandKey {
  /** Begin of the SHA-256 of the 32 bytes of the public key, as lower-case hex: names the key, proves nothing. */
  readonly id: string;
  /** The 32 bytes, base64url. */
  readonly publicKey: string;
}

const ID_CHARS = 16;
const ALGORITHM = "ed25519";

/** The key in a file, or what is wrong with the text. */
export function commandKeyIn(pem: string): CommandKey | string {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem))
    return "holds a private key, which belongs to who signs and nobody else";
  try {
    return commandKeyOf(createPublicKey(pem));
  } catch {
    return "holds no public key in PEM form";
  }
}

/** The private key of whoever signs, or what is wrong with the text. */
export function signingKeyIn(pem: string): KeyObject | string {
  try {
    const key = createPrivateKey(pem);
    return key.asymmetricKeyType === ALGORITHM ? key : `holds a key of another kind (${key.asymmetricKeyType})`;
  } catch {
    return "holds no private key in PEM form, or one with a passphrase";
  }
}

/** @param key public, or a private one for its public half; the text is what is wrong with it */
export function commandKeyOf(key: KeyObject): CommandKey | string {
  if (key.asymmetricKeyType !== ALGORITHM) return `holds a key of another kind (${key.asymmetricKeyType}), not Ed25519`;
  const { x = "" } = (key.type === "private" ? createPublicKey(key) : key).export({ format: "jwk" });
  const id = createHash("sha256").update(Buffer.from(x, "base64url")).digest("hex").slice(0, ID_CHARS);
  return { id, publicKey: x };
}

export function publicKeyObject({ publicKey }: Pick<CommandKey, "publicKey">): KeyObject {
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey }, format: "jwk" });
}
