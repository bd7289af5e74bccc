/** The way to a broker: TLS, then MQTT. One attempt, one socket, one session; whoever wants another asks again. */
import type { UplinkConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import type { Connection, ConnectRequest, Transport } from "../pipeline.ts";
import { CertificateWatch } from "./certificate-watch.ts";
import { type MqttSettings, openMqtt, type ProtocolVersion, VersionRefusal } from "./mqtt-connection.ts";
import { endpointOf, openSecureSocket } from "./secure-socket.ts";
import { cloudService } from "./service-limits.ts";
import { readPassword } from "./tls-files.ts";

export interface MqttTransport extends Transport {
  /** Whole days until the client certificate on disk expires, negative afterwards; undefined where there is none. */
  certificateDays(): number | undefined;
  /** Which certificates its files hold. */
  certificates(): string;
}

export interface MqttTransportOptions {
  readonly config: UplinkConfig;
  readonly clock: Clock;
  readonly log: Log;
}

/** From the first packet to CONNACK, a version of MQTT. */
const CONNECT_TIMEOUT_MS = 30_000;

/** In the order of trying: MQTT 5 tells why a message is refused, MQTT 3.1.1 acknowledges it like any other. */
const VERSIONS: Readonly<Record<UplinkConfig["mqttVersion"], readonly ProtocolVersion[]>> = {
  auto: [5, 4],
  "5": [5],
  "3.1.1": [4],
};

export function createMqttTransport(options: MqttTransportOptions): MqttTransport {
  const { config, clock, log } = options;
  const certificates = new CertificateWatch(config.tls, clock, log);
  const modern = new Set<string>();
  return {
    connect: (request) => connectNewest(request, VERSIONS[config.mqttVersion], modern, options),
    certificateDays: () => certificates.days(),
    certificates: () => certificates.identities(),
  };
}

/** @param modern servers that have spoken MQTT 5: one of these that hangs up is restarting, not old */
async function connectNewest(
  request: ConnectRequest,
  versions: readonly ProtocolVersion[],
  modern: Set<string>,
  options: MqttTransportOptions,
): Promise<Connection> {
  const { server } = request;
  const [version, ...older] = versions;
  if (version === undefined) throw new RangeError("no version of MQTT to try");
  try {
    const connection = await connectOnce(request, version, options);
    if (version === 5) modern.add(server);
    return connection;
  } catch (error) {
    if (!(error instanceof VersionRefusal) || older.length === 0 || modern.has(server)) throw error;
    const connection = await connectNewest(request, older, modern, options);
    options.log.warning(
      `${server} does not speak MQTT 5 (${error.message}): using 3.1.1, by which a broker may confirm messages that it then drops`,
    );
    return connection;
  }
}

async function connectOnce(
  request: ConnectRequest,
  version: ProtocolVersion,
  options: MqttTransportOptions,
): Promise<Connection> {
  const { config, clock } = options;
  const endpoint = endpointOf(request.server);
  const settings = await settingsOf(request, version, config);
  const limit = new AbortController();
  const timer = clock.after(CONNECT_TIMEOUT_MS, () => limit.abort());
  try {
    const alpn = config.tls.alpn ?? cloudService(config.format)?.alpn?.(endpoint.port);
    const tls = { ...config.tls, ...(alpn !== undefined && { alpn }) };
    const secure = await openSecureSocket(endpoint, { ...config, tls }, clock, limit.signal);
    const will = (await request.willOfConnect?.()) ?? settings.will;
    return await openMqtt(secure, { ...settings, will }, clock, limit.signal);
  } finally {
    timer.cancel();
  }
}

async function settingsOf(
  request: ConnectRequest,
  version: ProtocolVersion,
  config: UplinkConfig,
): Promise<MqttSettings> {
  const { clientId, keepAliveMs, will } = request;
  const url = new URL(request.server);
  const { login } = config;
  const service = cloudService(config.format);
  const username = service?.username?.(url.hostname, clientId);
  return {
    version,
    clientId,
    keepAliveMs,
    will,
    ...(url.protocol === "wss:" && { webSocketUrl: url }),
    ...(service !== undefined && { service: service.limits }),
    ...(username !== undefined && { login: { username } }),
    ...(login !== undefined && {
      login: { username: login.username, password: await readPassword(login, "login.passwordFile") },
    }),
  };
}
