import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type FailureFacts, tlsFailure } from "./tls-failure.ts";

const NOW_MS = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;
const FACTS: FailureFacts = {
  host: "broker.example.com",
  port: 8883,
  tls: { ca: "/etc/sallyport/ca.pem" },
  wallMs: NOW_MS,
  secured: false,
};
const WITH_CERTIFICATE: FailureFacts = {
  ...FACTS,
  tls: { ...FACTS.tls, certificate: "/etc/sallyport/gateway.pem", key: "/etc/sallyport/gateway.key" },
};

function failure(code: string, message = ""): Error {
  return Object.assign(new Error(message), { code });
}

const CASES: readonly [code: string, facts: FailureFacts, words: string][] = [
  ["ENOTFOUND", FACTS, "unknown host broker.example.com: the name server does not know this name; check servers"],
  ["EAI_AGAIN", FACTS, "cannot look up broker.example.com: no name server answers; check the network and its DNS"],
  [
    "ECONNREFUSED",
    FACTS,
    "broker.example.com refuses connections on port 8883: is the broker running, and is this its TLS port?",
  ],
  ["EHOSTUNREACH", FACTS, "no way to broker.example.com: check cable, gateway address and routes"],
  [
    "ETIMEDOUT",
    FACTS,
    "no answer from broker.example.com:8883: check the address, and that the firewall lets port 8883 out",
  ],
  [
    "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    FACTS,
    "the broker's certificate is not signed by the CA in ca.pem; get the CA file of this broker",
  ],
  [
    "SELF_SIGNED_CERT_IN_CHAIN",
    { ...FACTS, tls: {} },
    "the broker's certificate is not signed by a public CA; if the broker has a private CA, set tls.ca",
  ],
  [
    "CERT_HAS_EXPIRED",
    { ...FACTS, brokerCertificate: { fromMs: NOW_MS - 90 * DAY_MS, toMs: NOW_MS - DAY_MS } },
    "the broker's certificate expired on 2026-05-31, unless this gateway's clock is wrong (it says 2026-06-01); the broker needs a new one",
  ],
  [
    "CERT_HAS_EXPIRED",
    { ...FACTS, brokerCertificate: { fromMs: NOW_MS - 90 * DAY_MS, toMs: NOW_MS + DAY_MS } },
    "the CA that signed the broker's certificate has expired, unless this gateway's clock is wrong (it says 2026-06-01); get the new CA file, see tls.ca",
  ],
  [
    "CERT_NOT_YET_VALID",
    { ...FACTS, wallMs: 0, brokerCertificate: { fromMs: NOW_MS, toMs: NOW_MS + 90 * DAY_MS } },
    "this gateway's clock is probably wrong: it says 1970-01-01, and the broker's certificate begins on 2026-06-01; check the time server",
  ],
  [
    "ERR_TLS_CERT_ALTNAME_INVALID",
    { ...FACTS, brokerNames: "DNS:other.example.com, IP Address:10.0.0.7" },
    "the broker's certificate is not for broker.example.com (it is for other.example.com, 10.0.0.7); use a name it has in servers or tls.serverName",
  ],
  [
    "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED",
    FACTS,
    "the broker wants a client certificate and this gateway has none; set tls.certificate and tls.key",
  ],
  // OpenSSL 3.0 and 3.5 name the same alert differently.
  [
    "ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE",
    FACTS,
    "the broker wants a client certificate and this gateway has none; set tls.certificate and tls.key",
  ],
  [
    "ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE",
    FACTS,
    "the broker wants a client certificate and this gateway has none; set tls.certificate and tls.key",
  ],
  [
    "ERR_SSL_TLSV1_ALERT_UNKNOWN_CA",
    WITH_CERTIFICATE,
    "the broker refuses this gateway's certificate gateway.pem (tls.certificate): it may be of a CA the broker does not know, or be revoked",
  ],
  [
    "ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED",
    { ...WITH_CERTIFICATE, ownCertificate: { fromMs: 0, toMs: NOW_MS - DAY_MS } },
    "the broker refuses this gateway's certificate gateway.pem (tls.certificate): it expired on 2026-05-31; renew it",
  ],
  [
    "ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE",
    { ...WITH_CERTIFICATE, wallMs: 0, ownCertificate: { fromMs: NOW_MS, toMs: NOW_MS + DAY_MS } },
    "the broker refuses this gateway's certificate gateway.pem (tls.certificate): it begins on 2026-06-01, and this gateway's clock says 1970-01-01",
  ],
  [
    "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION",
    FACTS,
    "broker.example.com:8883 speaks only TLS versions that are no longer safe; it must offer TLS 1.2 or 1.3",
  ],
  [
    "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL",
    { ...FACTS, tls: { alpn: ["mqtt", "x"] } },
    "broker.example.com:8883 speaks none of the protocols in tls.alpn (mqtt, x)",
  ],
  [
    "ERR_SSL_WRONG_VERSION_NUMBER",
    FACTS,
    "broker.example.com:8883 does not speak TLS: is this the broker's plaintext port? Its TLS port is usually 8883",
  ],
  [
    "ECONNRESET",
    { ...FACTS, secured: true },
    "the connection to broker.example.com:8883 was cut: by the broker, or by something on the way",
  ],
  [
    "ECONNRESET",
    FACTS,
    "broker.example.com:8883 closes the connection before TLS is up: is this the broker's plaintext port? Its TLS port is usually 8883",
  ],
  ["CERT_REVOKED", FACTS, "the broker's certificate has been revoked by its CA; the broker needs a new one"],
  [
    "CRL_HAS_EXPIRED",
    { ...FACTS, tls: { crl: "/etc/crl.pem" } },
    "crl.pem (tls.crl) is not valid today, 2026-06-01 by this gateway's clock; get the CA's latest list, or set the clock right",
  ],
];

describe("P2: what went wrong and what to do, in words", () => {
  for (const [code, facts, words] of CASES) {
    test(code, () => assert.equal(tlsFailure(failure(code), facts), words));
  }
});

test("what is not known is told as it came, with the place", () => {
  assert.equal(tlsFailure(new Error("odd"), FACTS), "cannot connect to broker.example.com:8883: odd");
  assert.equal(tlsFailure("thrown text", FACTS), "cannot connect to broker.example.com:8883: thrown text");
});

test("P9: a clock before the certificate is named first, whatever both say", () => {
  const day = fc.integer({ min: 0, max: 40_000 });
  fc.assert(
    fc.property(day, fc.integer({ min: 1, max: 40_000 }), (nowDay, aheadDays) => {
      const fromMs = (nowDay + aheadDays) * DAY_MS;
      const facts = { ...FACTS, wallMs: nowDay * DAY_MS, brokerCertificate: { fromMs, toMs: fromMs + DAY_MS } };
      assert.match(tlsFailure(failure("CERT_NOT_YET_VALID"), facts), /^this gateway's clock is probably wrong/);
    }),
  );
});

test("whatever the error says, the words name the broker", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (code, message) => {
      assert.match(tlsFailure(failure(code, message), FACTS), /broker/);
    }),
  );
});
