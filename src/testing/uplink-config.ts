import type { UplinkConfig } from "../config/config.ts";
import type { Certificates } from "./certificates.ts";

/** An uplink with all defaults, for tests that reach a broker with the certificates made for them. */
export function uplinkConfig(
  certificates: Certificates,
  servers: readonly string[],
  changes: Partial<UplinkConfig> = {},
): UplinkConfig {
  const { ca, client } = certificates;
  return {
    name: "cloud",
    servers,
    format: "json",
    node: { group: "plant", name: "gateway" },
    clientId: "plant-gateway-cloud",
    mqttVersion: "auto",
    tls: { ca, certificate: client.certificate, key: client.key },
    keepAliveMs: 15_000,
    reconnect: { spreadMs: 1_000, maxMs: 2_000 },
    startAt: "now",
    history: { enabled: true, maxAgeMs: 86_400_000, maxSizeBytes: 1e9, rateBytesPerS: Number.POSITIVE_INFINITY },
    sparkplug: { aliases: false, datatypeInData: false, barrier: "ping" },
    topic: "plant/gateway",
    id: "{device}/{tag}",
    ...changes,
  };
}
