/**
 * Why a broker cannot be reached, in words that a technician understands and can act on.
 * Codes of the system (errno(3)), of OpenSSL's verification (x509_vfy.h) and TLS alerts (RFC 8446, section 6).
 */
import { basename } from "node:path";
import type { UplinkConfig } from "../config/config.ts";
import { messageOf } from "../core/errors.ts";

/** From when to when a certificate is valid, UTC ms. */
export interface Validity {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What is known when a connection fails. */
export interface FailureFacts {
  readonly host: string;
  readonly port: number;
  readonly tls: UplinkConfig["tls"];
  /** What this gateway's clock says. */
  readonly wallMs: number;
  /** TLS was up before it failed. */
  readonly secured: boolean;
  /** Of the broker's own certificate, where it was seen. */
  readonly brokerCertificate?: Validity;
  /** The names in it, as `DNS:a, IP Address:b`. */
  readonly brokerNames?: string;
  /** Of the gateway's certificate, where it has one. */
  readonly ownCertificate?: Validity;
}

type Words = (facts: FailureFacts) => string;

/** The first entry whose pattern fits counts. Matched against the code and the message, upper case with underscores. */
const FAILURES: readonly (readonly [RegExp, Words])[] = [
  [/ENOTFOUND/, (f) => `unknown host ${f.host}: the name server does not know this name; check servers`],
  [/EAI_/, (f) => `cannot look up ${f.host}: no name server answers; check the network and its DNS`],
  [
    /ECONNREFUSED/,
    (f) => `${f.host} refuses connections on port ${f.port}: is the broker running, and is this its TLS port?`,
  ],
  [/EHOSTUNREACH|ENETUNREACH|ENETDOWN/, (f) => `no way to ${f.host}: check cable, gateway address and routes`],
  [/ETIMEDOUT/, (f) => `no answer from ${where(f)}: check the address, and that the firewall lets port ${f.port} out`],
  [/HOSTNAME_MISMATCH|ALTNAME_INVALID/, hostMismatch],
  [/CRL_(NOT_YET_VALID|HAS_EXPIRED)/, revocationListDates],
  [/UNABLE_TO_GET_CRL|CRL_SIGNATURE_FAILURE/, (f) => `${file(f.tls.crl, "tls.crl")} is not of the broker's CA`],
  [/CERT_REVOKED/, () => "the broker's certificate has been revoked by its CA; the broker needs a new one"],
  [/CERT_NOT_YET_VALID/, notYetValid],
  [/CERT_HAS_EXPIRED/, expired],
  [/ISSUER_CERT|SELF_SIGNED|VERIFY_LEAF|CERT_SIGNATURE_FAILURE|CERT_UNTRUSTED|INVALID_CA/, unknownCa],
  [/INVALID_PURPOSE/, () => "the broker's certificate is not made for servers; the broker needs another one"],
  [
    /ALERT_(CERTIFICATE_REQUIRED|HANDSHAKE_FAILURE)/,
    (f) =>
      f.tls.certificate === undefined
        ? "the broker wants a client certificate and this gateway has none; set tls.certificate and tls.key"
        : "the broker and this gateway find no common way to secure the connection (certificate or cipher)",
  ],
  [
    /ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_(EXPIRED|REVOKED|UNKNOWN)|DECRYPT_ERROR)/,
    ownCertificateRefused,
  ],
  [/ALERT_ACCESS_DENIED/, ownCertificateRefused],
  [
    /PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL/,
    (f) => `${where(f)} speaks only TLS versions that are no longer safe; it must offer TLS 1.2 or 1.3`,
  ],
  [
    /NO_APPLICATION_PROTOCOL/,
    (f) => `${where(f)} speaks none of the protocols in tls.alpn (${f.tls.alpn?.join(", ") ?? "none set"})`,
  ],
  [
    /UNRECOGNIZED_NAME/,
    (f) => `${where(f)} does not serve the name ${f.tls.serverName ?? f.host}; check tls.serverName`,
  ],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|RECORD_LAYER/,
    (f) => `${where(f)} does not speak TLS: is this the broker's plaintext port? Its TLS port is usually 8883`,
  ],
  [
    /ECONNRESET|EPIPE|ECONNABORTED|SOCKET_HANG_UP/,
    (f) =>
      f.secured
        ? `the connection to ${where(f)} was cut: by the broker, or by something on the way`
        : `${where(f)} closes the connection before TLS is up: is this the broker's plaintext port? Its TLS port is usually 8883`,
  ],
];

export function tlsFailure(error: unknown, facts: FailureFacts): string {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  const marks = `${code} ${messageOf(error)}`.toUpperCase().replace(/[^A-Z0-9]+/g, "_");
  const words = FAILURES.find(([pattern]) => pattern.test(marks))?.[1];
  return words?.(facts) ?? `cannot connect to ${where(facts)}: ${messageOf(error)}`;
}

/** Names a file by what gateway.yaml calls it. */
export function file(path: string | undefined, key: string): string {
  return path === undefined ? key : `${basename(path)} (${key})`;
}

function where(f: FailureFacts): string {
  return `${f.host}:${f.port}`;
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function hostMismatch(f: FailureFacts): string {
  const expected = f.tls.serverName ?? f.host;
  const names = f.brokerNames === undefined ? "" : ` (it is for ${f.brokerNames.replace(/DNS:|IP Address:/g, "")})`;
  return `the broker's certificate is not for ${expected}${names}; use a name it has in servers or tls.serverName`;
}

function unknownCa(f: FailureFacts): string {
  if (f.tls.ca === undefined) {
    return "the broker's certificate is not signed by a public CA; if the broker has a private CA, set tls.ca";
  }
  return `the broker's certificate is not signed by the CA in ${basename(f.tls.ca)}; get the CA file of this broker`;
}

/** A board without a clock battery starts in the past: that is far likelier than a certificate from the future. */
function notYetValid(f: FailureFacts): string {
  const from = f.brokerCertificate?.fromMs;
  const begins = from !== undefined && from > f.wallMs ? `begins on ${day(from)}` : "has not begun";
  return `this gateway's clock is probably wrong: it says ${day(f.wallMs)}, and the broker's certificate ${begins}; check the time server`;
}

function expired(f: FailureFacts): string {
  const to = f.brokerCertificate?.toMs;
  const clock = `unless this gateway's clock is wrong (it says ${day(f.wallMs)})`;
  if (to !== undefined && to >= f.wallMs) {
    return `the CA that signed the broker's certificate has expired, ${clock}; get the new CA file, see tls.ca`;
  }
  const ended = to === undefined ? "has expired" : `expired on ${day(to)}`;
  return `the broker's certificate ${ended}, ${clock}; the broker needs a new one`;
}

function revocationListDates(f: FailureFacts): string {
  const list = file(f.tls.crl, "tls.crl");
  return `${list} is not valid today, ${day(f.wallMs)} by this gateway's clock; get the CA's latest list, or set the clock right`;
}

function ownCertificateRefused(f: FailureFacts): string {
  if (f.tls.certificate === undefined)
    return "the broker refuses this gateway: it wants a client certificate; set tls.certificate and tls.key";
  const own = file(f.tls.certificate, "tls.certificate");
  const valid = f.ownCertificate;
  if (valid !== undefined && f.wallMs > valid.toMs) {
    return `the broker refuses this gateway's certificate ${own}: it expired on ${day(valid.toMs)}; renew it`;
  }
  if (valid !== undefined && f.wallMs < valid.fromMs) {
    return `the broker refuses this gateway's certificate ${own}: it begins on ${day(valid.fromMs)}, and this gateway's clock says ${day(f.wallMs)}`;
  }
  return `the broker refuses this gateway's certificate ${own}: it may be of a CA the broker does not know, or be revoked`;
}
