/** What cloud services want of a connection beyond what the protocol lets them say. */
import type { UplinkConfig } from "../config/config.ts";

export interface ServiceLimits {
  readonly packetMaxBytes: number;
  readonly retainAvailable: boolean;
  /** Of one connection. */
  readonly messagesPerS: number;
  readonly bytesPerS: number;
}

export interface CloudService {
  readonly limits: ServiceLimits;
  /** Protocols to offer where the configuration names none. */
  alpn?(port: number): readonly string[] | undefined;
  /** Goes with the certificate, in place of a login. */
  username?(host: string, clientId: string): string;
}

const HTTPS_PORT = 443;

const SERVICES: Readonly<Partial<Record<UplinkConfig["format"], CloudService>>> = {
  "aws-iot": {
    // "AWS IoT Core message broker and protocol limits and quotas".
    limits: { packetMaxBytes: 128 * 1024, retainAvailable: true, messagesPerS: 100, bytesPerS: 512 * 1024 },
    // On the port of the web this says that MQTT with a certificate is meant.
    alpn: (port) => (port === HTTPS_PORT ? ["x-amzn-mqtt-ca"] : undefined),
  },
  "azure-iot-hub": {
    // 100 messages a second is what the smallest hub takes of all its devices, "IoT Hub quotas and throttling".
    limits: {
      packetMaxBytes: 256 * 1024,
      retainAvailable: false,
      messagesPerS: 100,
      bytesPerS: Number.POSITIVE_INFINITY,
    },
    username: (host, clientId) => `${host}/${clientId}/?api-version=2021-04-12`,
  },
};

/** Undefined: a broker, which says itself what it wants. */
export function cloudService(format: UplinkConfig["format"]): CloudService | undefined {
  return SERVICES[format];
}

/**
 * When the next message may go after one of so many bytes: each takes its share of a second, so that no second sees
 * more than the limits, wherever it begins.
 *
 * @param sendFromMs when this one was allowed
 */
export function nextSendMs(sendFromMs: number, nowMs: number, bytes: number, limits: ServiceLimits): number {
  const shareMs = Math.max(1_000 / limits.messagesPerS, (bytes * 1_000) / limits.bytesPerS);
  return Math.max(sendFromMs, nowMs) + shareMs;
}
