/** A password as /etc/shadow keeps it: SHA512-crypt, which every C library of Debian understands. */
import { createHash } from "node:crypto";

const ROUNDS = 5_000;
/** crypt's own alphabet and order of bytes. */
const DIGITS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const LAST_BYTE = 63;
const GROUPS = 21;
const SALT_BYTES = 12;
const SALT_MAX = 16;

/** @param bytes of chance, 12 of them */
export function saltOf(bytes: Uint8Array): string {
  let salt = "";
  for (let at = 0; at < SALT_BYTES; at += 3) salt += digits(bytes[at] ?? 0, bytes[at + 1] ?? 0, bytes[at + 2] ?? 0, 4);
  return salt.slice(0, SALT_MAX);
}

/** The line of a user with another password; the others as they are. Unknown users are not made. */
export function shadowWith(shadow: string, user: string, hash: string): string {
  return shadow
    .split("\n")
    .map((line) => {
      const [name, , ...rest] = line.split(":");
      return name === user ? [name, hash, ...rest].join(":") : line;
    })
    .join("\n");
}

/** `$6$salt$hash`: https://www.akkadia.org/drepper/SHA-crypt.txt, in its steps. */
export function hashPassword(password: string, salt: string): string {
  const key = Buffer.from(password);
  const grain = Buffer.from(salt);
  const other = sha512(key, grain, key);
  const begun = createHash("sha512").update(key).update(grain).update(repeated(other, key.length));
  for (let bits = key.length; bits > 0; bits >>= 1) begun.update(bits & 1 ? other : key);
  let digest = begun.digest();
  const p = repeated(sha512(...Array.from({ length: key.length }, () => key)), key.length);
  const s = repeated(sha512(...Array.from({ length: 16 + (digest[0] ?? 0) }, () => grain)), grain.length);
  for (let round = 0; round < ROUNDS; round++) {
    const hash = createHash("sha512").update(round & 1 ? p : digest);
    if (round % 3 !== 0) hash.update(s);
    if (round % 7 !== 0) hash.update(p);
    digest = hash.update(round & 1 ? digest : p).digest();
  }
  return `$6$${salt}$${textOf(digest)}`;
}

function sha512(...parts: readonly Buffer[]): Buffer {
  return createHash("sha512").update(Buffer.concat(parts)).digest();
}

function repeated(block: Buffer, bytes: number): Buffer {
  return Buffer.alloc(bytes, block);
}

function textOf(digest: Buffer): string {
  const byte = (at: number) => digest[at] ?? 0;
  let text = "";
  for (let group = 0; group < GROUPS; group++) {
    const places = [group, group + GROUPS, group + 2 * GROUPS];
    // Each group begins one place further round.
    const [a = 0, b = 0, c = 0] = [0, 1, 2].map((i) => places[(i + group) % 3]);
    text += digits(byte(a), byte(b), byte(c), 4);
  }
  return text + digits(0, 0, byte(LAST_BYTE), 2);
}

function digits(high: number, middle: number, low: number, count: number): string {
  const word = (high << 16) | (middle << 8) | low;
  return Array.from({ length: count }, (_, i) => DIGITS[(word >> (6 * i)) & 0x3f]).join("");
}
