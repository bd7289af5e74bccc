/** The real uplink over a backlog, with one tag of its own that is set by hand. */
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import type { Outbox, StateStore } from "../pipeline.ts";
import type { Certificates } from "../testing/certificates.ts";
import { deviceOf, SettableValues } from "../testing/settable-values.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { createMqttTransport, type MqttTransport } from "../uplinks/mqtt-transport.ts";
import { createUplink, type Uplink } from "../uplinks/uplink.ts";
import { UPLINK } from "./replay-backlog.ts";

export const TOPIC = "bench/replay";
/** Its value is the monotonic time of its taking in: processes of one machine share that clock. */
export const STAMP = "bench/stamp";

export interface ReplayUplinkOptions {
  readonly outbox: Outbox;
  readonly state: StateStore;
  readonly certificates: Certificates;
  readonly server: string;
}

export interface ReplayUplink {
  readonly uplink: Uplink;
  readonly transport: MqttTransport;
  readonly values: SettableValues;
}

export function openReplayUplink({ outbox, state, certificates, server }: ReplayUplinkOptions): ReplayUplink {
  const { ca, client } = certificates;
  const config = uplinkConfig(certificates, [server], {
    name: UPLINK,
    topic: TOPIC,
    tls: { ca, certificate: client.certificate, key: client.key, serverName: "localhost" },
    reconnect: { spreadMs: 1, maxMs: 1_000 },
  });
  const transport = createMqttTransport({ config, clock: hostClock, log: silentLog });
  const values = new SettableValues(hostClock, [deviceOf("bench", ["stamp"])], [outbox]);
  const queue = outbox.uplink(UPLINK, "now");
  const parts = { config, values, queue, transport, state };
  const uplink = createUplink({ ...parts, clock: hostClock, random: hostRandom, log: silentLog });
  return { uplink, transport, values };
}
