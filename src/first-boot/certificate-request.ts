/** The board's own key and its certificate request: PKCS 10 (RFC 2986), as `openssl req -new` makes it. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from "node:crypto";

/** DER tags. */
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OBJECT_ID = 0x06;
const UTF8_STRING = 0x0c;
const PRINTABLE_STRING = 0x13;
const SEQUENCE = 0x30;
const SET = 0x31;
const ATTRIBUTES = 0xa0;

const COMMON_NAME = Buffer.from("550403", "hex");
const SERIAL_NUMBER = Buffer.from("550405", "hex");
const ECDSA_WITH_SHA256 = Buffer.from("2a8648ce3d040302", "hex");
const PEM_COLUMNS = 64;
const LONG_FORM = 0x80;

/** A P-256 key in PEM form. */
export function makeKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

/** @param serial of the gateway, as on its label; empty: unknown */
export function certificateRequest(keyPem: string, name: string, serial: string): string {
  const key = createPrivateKey(keyPem);
  const subject = [attribute(COMMON_NAME, UTF8_STRING, name)];
  if (serial !== "") subject.push(attribute(SERIAL_NUMBER, PRINTABLE_STRING, serial));
  const content = der(
    SEQUENCE,
    der(INTEGER, Buffer.of(0)),
    der(SEQUENCE, ...subject),
    createPublicKey(key).export({ type: "spki", format: "der" }),
    der(ATTRIBUTES),
  );
  const signature = sign("sha256", content, key);
  return pem(
    "CERTIFICATE REQUEST",
    der(SEQUENCE, content, der(SEQUENCE, der(OBJECT_ID, ECDSA_WITH_SHA256)), der(BIT_STRING, Buffer.of(0), signature)),
  );
}

function attribute(id: Buffer, kind: number, text: string): Buffer {
  return der(SET, der(SEQUENCE, der(OBJECT_ID, id), der(kind, Buffer.from(text))));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.of(tag), lengthOf(content.length), content]);
}

/** Below 128 in one byte, else the number of bytes before them. */
function lengthOf(bytes: number): Buffer {
  if (bytes < LONG_FORM) return Buffer.of(bytes);
  const digits = bytes < 0x100 ? Buffer.of(bytes) : Buffer.of(bytes >> 8, bytes & 0xff);
  return Buffer.concat([Buffer.of(LONG_FORM | digits.length), digits]);
}

function pem(label: string, content: Buffer): string {
  const lines = content.toString("base64").match(new RegExp(`.{1,${PEM_COLUMNS}}`, "g")) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
