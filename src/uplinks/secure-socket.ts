/** A socket on which TLS is up and the broker's certificate is verified. There is no way to get another kind. */
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { UplinkConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import { ConnectFailure } from "../pipeline.ts";
import { openProxyTunnel } from "./proxy-tunnel.ts";
import { type FailureFacts, tlsFailure, type Validity } from "./tls-failure.ts";
import { readTlsFiles, validityOf } from "./tls-files.ts";

export interface SecureSocket {
  readonly socket: TLSSocket;
  /** The socket's error, where it had one. */
  failure(): Error | undefined;
  /** What an error of this socket means, in words. */
  explain(error: unknown): string;
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { "mqtts:": 8883, "wss:": 443 };

/** Throws a ConnectFailure for anything but mqtts: and wss:. */
export function endpointOf(server: string): Endpoint {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  const defaultPort = url === undefined ? undefined : DEFAULT_PORTS[url.protocol];
  if (url === undefined || defaultPort === undefined) {
    throw new ConnectFailure(`${server} is not a TLS address: it must begin with mqtts:// or wss://`);
  }
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port === "" ? defaultPort : Number(url.port) };
}

/**
 * Opens TCP, through the proxy where there is one, then TLS 1.2 or later.
 * Rejects with a ConnectFailure; when `late` fires, with what had not answered by then.
 */
export async function openSecureSocket(
  endpoint: Endpoint,
  config: Pick<UplinkConfig, "tls" | "proxy">,
  clock: Clock,
  late: AbortSignal,
): Promise<SecureSocket> {
  const { host, port } = endpoint;
  const { tls, proxy } = config;
  const files = await readTlsFiles(tls);
  const ownCertificate = files.cert === undefined ? undefined : validityOf(files.cert);
  let brokerCertificate: BrokerCertificate | undefined;
  let secured = false;
  let failure: Error | undefined;
  const explain = (error: unknown): string => {
    if (error instanceof ConnectFailure) return error.message;
    const own = ownCertificate === undefined ? {} : { ownCertificate };
    const facts: FailureFacts = { host, port, tls, wallMs: clock.wallMs(), secured, ...brokerCertificate, ...own };
    return tlsFailure(error, facts);
  };
  try {
    const tcp = proxy === undefined ? await openTcp(endpoint, late) : await openProxyTunnel(endpoint, proxy, late);
    tcp.setNoDelay(true);
    const name = tls.serverName ?? (isIP(host) === 0 ? host : undefined);
    const socket = connectTls({
      socket: tcp,
      host,
      ...files,
      ...(name !== undefined && { servername: name }),
      ...(tls.alpn !== undefined && { ALPNProtocols: [...tls.alpn] }),
      minVersion: "TLSv1.2",
      // Said aloud, because an environment variable of Node can turn the default off.
      rejectUnauthorized: true,
    });
    // It stays: with TLS 1.3 the broker refuses a certificate when the handshake is over.
    socket.on("error", (error) => {
      failure ??= error;
    });
    // Before Node's own listener, which destroys the socket when verification fails.
    socket.prependOnceListener("secure", () => {
      brokerCertificate = brokerCertificateOf(socket);
    });
    await opened(socket, "secureConnect", late, `${host}:${port} does not answer the TLS handshake`);
    secured = true;
    return { socket, explain, failure: () => failure };
  } catch (error) {
    throw new ConnectFailure(explain(error));
  }
}

async function openTcp(endpoint: Endpoint, late: AbortSignal): Promise<Socket> {
  const { host, port } = endpoint;
  const socket = connectTcp({ host, port });
  const silent = `no answer from ${host}:${port}: check the address, and that the firewall lets port ${port} out`;
  await opened(socket, "connect", late, silent);
  return socket;
}

/** Waits for the event; the socket is destroyed when it fails or is late. */
function opened(socket: Socket, event: "connect" | "secureConnect", late: AbortSignal, silent: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onLate = () => socket.destroy(new ConnectFailure(silent));
    socket.once(event, () => {
      late.removeEventListener("abort", onLate);
      resolve();
    });
    socket.on("error", (error) => {
      late.removeEventListener("abort", onLate);
      reject(error);
    });
    socket.once("close", () => reject(new ConnectFailure(`${silent}: the connection was closed`)));
    if (late.aborted) onLate();
    else late.addEventListener("abort", onLate, { once: true });
  });
}

interface BrokerCertificate {
  readonly brokerCertificate?: Validity;
  readonly brokerNames?: string;
}

function brokerCertificateOf(socket: TLSSocket): BrokerCertificate {
  // Not getPeerX509Certificate(): Node 20 then finds no certificate when it checks the host name.
  const certificate = socket.getPeerCertificate();
  const brokerCertificate = { fromMs: Date.parse(certificate.valid_from), toMs: Date.parse(certificate.valid_to) };
  const names = certificate.subjectaltname;
  return { brokerCertificate, ...(names !== undefined && { brokerNames: names }) };
}
