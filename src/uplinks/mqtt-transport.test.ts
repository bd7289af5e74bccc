import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { describe, test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { freePort, type MosquittoOptions } from "../testing/mosquitto.ts";
import { startTlsListener } from "../testing/tls-listener.ts";
import { CLIENT_ID, failsWith, TransportFixture, type UplinkChanges, WILL } from "../testing/transport-fixture.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { createMqttTransport } from "./mqtt-transport.ts";

const CONNECT_LIMIT_MS = 30_000;

const fixture = new TransportFixture();

async function passwordFile(text: string): Promise<string> {
  const path = join(fixture.certificates.dir, "cloud.password");
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

interface Fault {
  readonly name: string;
  readonly broker?: () => Partial<MosquittoOptions>;
  readonly changes?: () => Promise<UplinkChanges> | UplinkChanges;
  readonly words: RegExp;
}

const FAULTS: readonly Fault[] = [
  {
    name: "the broker's certificate is of another CA",
    changes: () => ({ tls: { ca: fixture.certificates.strangerCa } }),
    words: /not signed by the CA in stranger-ca\.pem/,
  },
  {
    name: "the broker's certificate has expired",
    broker: () => ({ identity: fixture.certificates.expired }),
    words: /certificate expired on \d{4}-\d\d-\d\d, unless this gateway's clock is wrong/,
  },
  {
    name: "P9: the broker's certificate is not valid yet: the clock is named first",
    broker: () => ({ identity: fixture.certificates.notYetValid }),
    words: /^this gateway's clock is probably wrong: it says \d{4}-.*begins on \d{4}-/,
  },
  {
    name: "the broker's certificate is for another name",
    broker: () => ({ identity: fixture.certificates.wrongHost }),
    words: /not for localhost \(it is for other\.example\.com\)/,
  },
  {
    name: "the broker's certificate is not for tls.serverName",
    changes: () => ({ tls: { serverName: "broker.example.com" } }),
    words: /not for broker\.example\.com \(it is for localhost, 127\.0\.0\.1/,
  },
  {
    name: "the broker's certificate is revoked",
    broker: () => ({ identity: fixture.certificates.revoked }),
    changes: () => ({ tls: { crl: fixture.certificates.crl } }),
    words: /has been revoked/,
  },
  {
    name: "this gateway's certificate is of a CA the broker does not know",
    changes: () => ({
      tls: { certificate: fixture.certificates.stranger.certificate, key: fixture.certificates.stranger.key },
    }),
    words: /refuses this gateway's certificate stranger\.pem/,
  },
  {
    name: "this gateway's certificate has expired",
    changes: () => ({
      tls: {
        certificate: fixture.certificates.expiredClient.certificate,
        key: fixture.certificates.expiredClient.key,
      },
    }),
    words: /expired-client\.pem \(tls\.certificate\): it expired on \d{4}/,
  },
  {
    name: "the password is wrong",
    broker: () => ({ users: { pump: "right" } }),
    changes: async () => ({ login: { username: "pump", passwordFile: await passwordFile("wrong\n") } }),
    words: /refuses the login of user pump: .*check login\.username and the password file/,
  },
  {
    name: "there is no login and the broker wants one",
    broker: () => ({ users: { pump: "right" } }),
    words: /refuses this gateway: not authorised.*see login/,
  },
  {
    name: "the port is the broker's plaintext port",
    broker: () => ({ plaintext: true }),
    words: /before TLS is up: is this the broker's plaintext port/,
  },
];

describe("P2: never connected, with a reason in plain words", () => {
  for (const { name, broker: options, changes, words } of FAULTS) {
    test(name, async () => {
      const broker = await fixture.mosquitto(options?.());
      await failsWith(fixture.connect(broker.url, await changes?.()), words);
      assert.doesNotMatch(broker.log(), new RegExp(`New client connected .* as ${CLIENT_ID}`));
    });
  }

  test("this gateway has no certificate and the broker wants one", async () => {
    const broker = await fixture.mosquitto();
    const { ca } = fixture.certificates;
    const config = { ...uplinkConfig(fixture.certificates, [broker.url]), tls: { ca } };
    const transport = createMqttTransport({ config, clock: hostClock, log: silentLog });
    const request = { server: broker.url, clientId: CLIENT_ID, keepAliveMs: 15_000, will: WILL };
    await failsWith(transport.connect(request), /wants a client certificate.*set tls\.certificate and tls\.key/);
    assert.equal(transport.certificateDays(), undefined);
  });

  test("an environment that turns verification off has no say", async () => {
    const broker = await fixture.mosquitto();
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    fixture.leave(() => {
      delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    });
    await failsWith(
      fixture.connect(broker.url, { tls: { ca: fixture.certificates.strangerCa } }),
      /not signed by the CA/,
    );
  });

  test("nothing listens there", async () => {
    const port = await freePort();
    await failsWith(fixture.connect(`mqtts://localhost:${port}`), new RegExp(`refuses connections on port ${port}`));
  });

  test("the host is not known", async () => {
    await failsWith(
      fixture.connect("mqtts://no-such-host.invalid"),
      /unknown host no-such-host|cannot look up no-such-host/,
    );
  });

  test("a plaintext URL", async () => {
    const broker = await fixture.mosquitto({ plaintext: true });
    await failsWith(fixture.connect(broker.url.replace("mqtts", "mqtt")), /must begin with mqtts:\/\/ or wss:\/\//);
    assert.doesNotMatch(broker.log(), /New connection/);
  });

  test("the broker offers only TLS versions below 1.2", async () => {
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL:@SECLEVEL=0" } as const;
    const listener = await startTlsListener(fixture.certificates, old);
    fixture.leave(() => listener.close());
    await failsWith(fixture.connect(listener.url), /TLS 1\.2 or 1\.3/);
  });

  test("a file is missing, is no certificate, or the key is another one's", async () => {
    const { dir, server, crl } = fixture.certificates;
    const nowhere = "mqtts://localhost:1";
    await failsWith(
      fixture.connect(nowhere, { tls: { ca: join(dir, "none.pem") } }),
      /cannot read .*none\.pem \(tls\.ca\)/,
    );
    await failsWith(fixture.connect(nowhere, { tls: { ca: crl } }), /crl\.pem \(tls\.ca\) is not a certificate/);
    await failsWith(
      fixture.connect(nowhere, { tls: { key: server.key } }),
      /server\.key .* is not the key of client\.pem/,
    );
    await failsWith(fixture.connect(nowhere, { tls: { key: crl } }), /crl\.pem \(tls\.key\) is not a private key/);
    const login = { username: "u", passwordFile: join(dir, "none.password") };
    await failsWith(fixture.connect(nowhere, { login }), /cannot read .*none\.password/);
  });
});

describe("P7: an attempt has a limit, and says what was silent", () => {
  test("a host that accepts and never speaks TLS", async () => {
    const clock = new VirtualClock();
    const silent = createServer().listen(0, "127.0.0.1");
    fixture.leave(() => void silent.close());
    await once(silent, "listening");
    const address = silent.address();
    assert.ok(address !== null && typeof address === "object");
    const server = `mqtts://localhost:${address.port}`;
    const failed = failsWith(fixture.connect(server, {}, clock), /does not answer the TLS handshake/);
    await once(silent, "connection");
    await clock.advance(CONNECT_LIMIT_MS);
    await failed;
    assert.equal(clock.pendingTimers(), 0);
  });

  test("a broker that is frozen at CONNECT", async () => {
    const clock = new VirtualClock();
    const silent = await startTlsListener(fixture.certificates);
    fixture.leave(() => silent.close());
    const failed = failsWith(fixture.connect(silent.url, {}, clock), /does not answer CONNECT/);
    const client = await silent.client;
    await once(client, "data");
    await clock.advance(CONNECT_LIMIT_MS);
    await failed;
    assert.equal(clock.pendingTimers(), 0);
  });
});
