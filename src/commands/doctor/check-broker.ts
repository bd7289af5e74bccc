/** The way to a broker, step by step: name, connection, TLS with the chain of certificates, login, limits, rights. */
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import type { DetailedPeerCertificate, TLSSocket } from "node:tls";
import type { UplinkConfig } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import type { Connection, UplinkReport } from "../../pipeline.ts";
import { openMqtt, type ProtocolVersion, VersionRefusal } from "../../uplinks/mqtt-connection.ts";
import { endpointOf, openSecureSocket, type SecureSocket } from "../../uplinks/secure-socket.ts";
import { cloudService } from "../../uplinks/service-limits.ts";
import { readPassword } from "../../uplinks/tls-files.ts";
import { ailing, type Finding, ok } from "./finding.ts";
import { tryRights } from "./try-rights.ts";

/** For one server, all steps. */
const STEPS_LIMIT_MS = 8_000;
const DAY_MS = 86_400_000;
/** Those that renew themselves do it earlier. */
const CERTIFICATE_DAYS_MIN = 14;
const CHAIN_MAX = 8;

export interface BrokerCheckOptions {
  readonly uplink: UplinkConfig;
  /** Of the running service: its session says more than a visit could. */
  readonly report: UplinkReport | undefined;
  /** Nobody uses this client id now: a visit would end the other one's session. */
  readonly mayVisit: boolean;
  readonly clock: Clock;
}

export async function checkBroker(options: BrokerCheckOptions): Promise<Finding[]> {
  const { uplink, report } = options;
  const findings: Finding[] = [];
  for (const server of uplink.servers) findings.push(...(await checkServer(server, options)));
  // Why it failed was just seen, and more exactly.
  const isExplained = findings.some(({ verdict }) => verdict === "FAULT") && report?.state.startsWith("failed");
  if (report !== undefined && !isExplained) findings.push(judgeSession(uplink.name, report));
  return findings;
}

async function checkServer(server: string, { uplink, mayVisit, clock }: BrokerCheckOptions): Promise<Finding[]> {
  const subject = `${uplink.name} ${server}`;
  const late = new AbortController();
  const timer = clock.after(STEPS_LIMIT_MS, () => late.abort());
  try {
    const endpoint = endpointOf(server);
    const first = uplink.proxy === undefined ? endpoint.host : new URL(uplink.proxy.url).hostname;
    const resolved = await resolve(first.replace(/^\[|\]$/g, ""));
    if ("failure" in resolved) return [unreachable("name-unknown", subject, resolved.failure, "/etc/resolv.conf")];
    let secure: SecureSocket;
    try {
      secure = await openSecureSocket(endpoint, asItConnects(uplink, server), clock, late.signal);
    } catch (error) {
      const reason = messageOf(error);
      return [unreachable(nameOf(reason), subject, reason, `${first} is ${resolved.address}`)];
    }
    const way = uplink.proxy === undefined ? "" : `through ${new URL(uplink.proxy.url).host}, `;
    const certificates = judgeChain(subject, secure.socket, clock.wallMs(), `${way}${resolved.address}`);
    if (!mayVisit) {
      secure.socket.destroy();
      return certificates;
    }
    return [...certificates, await visit(subject, server, uplink, secure, clock, late.signal)];
  } finally {
    timer.cancel();
  }
}

/** The clouds want a name of the protocol where other things listen on the port, too. */
function asItConnects(uplink: UplinkConfig, server: string): Pick<UplinkConfig, "tls" | "proxy"> {
  const alpn = uplink.tls.alpn ?? cloudService(uplink.format)?.alpn?.(endpointOf(server).port);
  return alpn === undefined ? uplink : { ...uplink, tls: { ...uplink.tls, alpn } };
}

async function resolve(host: string): Promise<{ readonly address: string } | { readonly failure: string }> {
  if (isIP(host) !== 0) return { address: host };
  try {
    return { address: (await lookup(host)).address };
  } catch (error) {
    const code = typeof error === "object" && error !== null && "code" in error ? error.code : "";
    if (code === "ENOTFOUND") {
      return {
        failure: `the name server does not know ${host}; check \`servers\` in gateway.yaml, and which name server is asked`,
      };
    }
    return { failure: `no name server answers for ${host}; check the network and its DNS (${messageOf(error)})` };
  }
}

/** The reason tells already what to do; the name is for machines. */
function nameOf(reason: string): string {
  if (/clock/.test(reason) && !/unless this gateway's clock/.test(reason)) return "clock-wrong";
  if (/proxy/.test(reason)) return "proxy-refused";
  if (/refuses connections|no answer|no way to|cannot look up/.test(reason)) return "unreachable";
  if (/certificate|CA|TLS|tls\./.test(reason)) return "tls-failed";
  return "unreachable";
}

function unreachable(name: string, subject: string, reason: string, evidence: string): Finding {
  const at = /[:;] /.exec(reason)?.index ?? reason.length;
  const [found, todo] = [reason.slice(0, at), reason.slice(at + 2)];
  const ailment = {
    name,
    verdict: "FAULT",
    found,
    means: "nothing reaches this broker; what is read waits in the outbox",
    todo: todo === "" ? "check the address, the cable and the firewall" : todo,
  } as const;
  return ailing("broker", subject, ailment, evidence);
}

/** From the broker's certificate up to the CA: the one that ends first decides. */
function judgeChain(subject: string, socket: TLSSocket, wallMs: number, way: string): Finding[] {
  const chain = chainOf(socket.getPeerCertificate(true));
  const told = chain.map(({ subject: { CN: name }, valid_to: to }) => {
    return `${String(name ?? "without a name")} until ${new Date(Date.parse(to)).toISOString().slice(0, 10)}`;
  });
  const days = Math.min(...chain.map(({ valid_to: to }) => Math.floor((Date.parse(to) - wallMs) / DAY_MS)));
  const text = `${socket.getProtocol() ?? "TLS"} by ${way}: ${told.join(", signed by ")}`;
  if (days >= CERTIFICATE_DAYS_MIN) return [ok("broker", subject, `${text} (${days} days left)`)];
  const ailment = {
    name: "certificate-ends",
    verdict: "WARNING",
    found: `the broker's certificates end in ${days} days`,
    means: "from then on no gateway connects any more",
    todo: "the broker needs a new certificate; where the CA itself ends, put the new CA file in place too (tls.ca)",
  } as const;
  return [ailing("broker", subject, ailment, text)];
}

function chainOf(certificate: DetailedPeerCertificate): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = [];
  let next: DetailedPeerCertificate | undefined = certificate;
  while (next?.valid_to !== undefined && !chain.includes(next) && chain.length < CHAIN_MAX) {
    chain.push(next);
    next = next.issuerCertificate;
  }
  return chain;
}

/** With the real client id, without will, changing nothing. The service is not there: it would be thrown off. */
async function visit(
  subject: string,
  server: string,
  uplink: UplinkConfig,
  secure: SecureSocket,
  clock: Clock,
  late: AbortSignal,
): Promise<Finding> {
  let connection: Connection;
  try {
    connection = await login(server, uplink, secure, clock, late);
  } catch (error) {
    secure.socket.destroy();
    return unreachable("login-refused", subject, messageOf(error), `client id ${uplink.clientId}`);
  }
  const onLate = () => connection.destroy();
  late.addEventListener("abort", onLate, { once: true });
  try {
    const finding = await judgeLogin(subject, connection, uplink, clock);
    const frozen = "the broker answers no more; it may be overloaded, or the link frozen";
    return late.aborted ? unreachable("unreachable", subject, frozen, `client id ${uplink.clientId}`) : finding;
  } finally {
    late.removeEventListener("abort", onLate);
    await connection.close();
  }
}

async function judgeLogin(
  subject: string,
  connection: Connection,
  uplink: UplinkConfig,
  clock: Clock,
): Promise<Finding> {
  const { limits } = connection;
  const about = `packets up to ${limits.maxPacketBytes} bytes, QoS up to ${limits.maxQos}, retained messages ${limits.retainAvailable ? "kept" : "not kept"}`;
  // A cloud that keeps nothing is told everything again.
  if (limits.maxQos < 1 || (!limits.retainAvailable && cloudService(uplink.format) === undefined)) {
    const ailment = {
      name: "broker-limits",
      verdict: "FAULT",
      found: "the broker does not offer what the gateway needs",
      means: "current values are retained messages, and all goes out with QoS 1",
      todo: "switch retained messages and QoS 1 on at the broker",
    } as const;
    return ailing("broker", subject, ailment, about);
  }
  const { refused, words } = await tryRights(connection, uplink, clock);
  if (refused.length === 0) return ok("broker", subject, `accepts the login; ${words}; ${about}`);
  const ailment = {
    name: "rights-missing",
    verdict: "FAULT",
    found: `the broker accepts the login, and refuses ${refused.join(", ")}`,
    means: "this user, certificate or client id has not the rights that the gateway needs there",
    todo: 'give it those that the README names under "On the broker\'s side", or mend `topic` or `node` in gateway.yaml',
  } as const;
  return ailing("broker", subject, ailment, words);
}

async function login(
  server: string,
  uplink: UplinkConfig,
  secure: SecureSocket,
  clock: Clock,
  late: AbortSignal,
): Promise<Connection> {
  const url = new URL(server);
  const service = cloudService(uplink.format);
  const username = service?.username?.(url.hostname, uplink.clientId);
  const settings = {
    version: (uplink.mqttVersion === "3.1.1" ? 4 : 5) as ProtocolVersion,
    clientId: uplink.clientId,
    keepAliveMs: uplink.keepAliveMs,
    will: undefined,
    ...(url.protocol === "wss:" && { webSocketUrl: url }),
    ...(service !== undefined && { service: service.limits }),
    ...(username !== undefined && { login: { username } }),
    ...(uplink.login !== undefined && {
      login: { username: uplink.login.username, password: await readPassword(uplink.login, "login.passwordFile") },
    }),
  };
  return openMqtt(secure, settings, clock, late).catch(async (error: unknown) => {
    if (!(error instanceof VersionRefusal) || uplink.mqttVersion !== "auto") throw error;
    const again = await openSecureSocket(endpointOf(server), asItConnects(uplink, server), clock, late);
    return openMqtt(again, { ...settings, version: 4 }, clock, late);
  });
}

function judgeSession(name: string, report: UplinkReport): Finding {
  const { state, depth, dropped, certificateDays } = report;
  if (state.startsWith("failed")) {
    return unreachable("uplink-failed", name, state.replace(/^failed: /, ""), `${depth} samples wait`);
  }
  if (certificateDays !== undefined && certificateDays < CERTIFICATE_DAYS_MIN) {
    const ailment = {
      name: "own-certificate-ends",
      verdict: certificateDays < 0 ? "FAULT" : "WARNING",
      found: `this gateway's certificate ends in ${certificateDays} days`,
      means: "from then on the broker refuses it",
      todo: "put a new one in place (tls.certificate, tls.key): it is read at the next connect",
    } as const;
    return ailing("broker", name, ailment);
  }
  const waiting = depth === 0 ? "nothing waits" : `${depth} samples wait`;
  return ok("broker", name, `the service says: ${state}, ${waiting}${dropped > 0 ? `, ${dropped} were lost` : ""}`);
}
