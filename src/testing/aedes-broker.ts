/** aedes with TLS in this process, which keeps every CONNECT and PUBLISH as it came. MQTT 3.1.1 only. */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type TLSSocket } from "node:tls";
import { Aedes } from "aedes";
import { hostClock } from "../core/clock.ts";
import type { Message } from "../pipeline.ts";
import type { Certificates, Identity } from "./certificates.ts";
import { Condition } from "./condition.ts";

export interface AedesOptions {
  readonly certificates: Pick<Certificates, "ca" | "server">;
  /** What it shows; by default the server certificate that is in order. */
  readonly identity?: Identity;
  /** Protocols that it chooses from; without, it looks at none. */
  readonly alpn?: readonly string[];
}

export interface Handshake {
  readonly servername: string | undefined;
  readonly alpn: string | undefined;
}

export interface AedesConnect {
  readonly version: number;
  readonly clientId: string;
  readonly clean: boolean;
  readonly keepAliveS: number;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly will: Message | undefined;
}

export interface AedesBroker {
  readonly port: number;
  readonly url: string;
  readonly handshakes: readonly Handshake[];
  readonly connects: readonly AedesConnect[];
  /** What clients have published, in the order of arrival. */
  readonly published: readonly Message[];
  /** Rejects with `what` where it does not come true within the limit. */
  until(what: string, holds: () => boolean): Promise<void>;
  close(): Promise<void>;
}

export async function startAedes(options: AedesOptions): Promise<AedesBroker> {
  const { certificates, identity = options.certificates.server, alpn } = options;
  const handshakes: Handshake[] = [];
  const connects: AedesConnect[] = [];
  const published: Message[] = [];
  const condition = new Condition(hostClock);
  const broker = await Aedes.createBroker();
  broker.preConnect = (_client, packet, callback) => {
    connects.push(connectOf(packet));
    callback(null, true);
  };
  broker.authorizePublish = (_client, { topic, payload, qos, retain }, callback) => {
    published.push({ topic, payload: bytesOf(payload), qos: qos === 0 ? 0 : 1, retain });
    condition.changed();
    callback(null);
  };
  const server = createServer(
    {
      ca: readFileSync(certificates.ca),
      cert: readFileSync(identity.certificate),
      key: readFileSync(identity.key),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      ...(alpn !== undefined && { ALPNProtocols: [...alpn] }),
    },
    (socket: TLSSocket & { servername?: unknown }) => {
      const { servername, alpnProtocol } = socket;
      handshakes.push({
        servername: typeof servername === "string" ? servername : undefined,
        alpn: typeof alpnProtocol === "string" ? alpnProtocol : undefined,
      });
      broker.handle(socket);
    },
  );
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return {
    port: address.port,
    url: `mqtts://localhost:${address.port}`,
    handshakes,
    connects,
    published,
    until: (what, holds) => condition.until(what, holds),
    async close() {
      server.close();
      await new Promise<void>((resolve) => broker.close(() => resolve()));
    },
  };
}

type ConnectPacket = Parameters<Aedes["preConnect"]>[1];

function connectOf(packet: ConnectPacket): AedesConnect {
  const { will, password } = packet;
  return {
    version: packet.protocolVersion ?? 0,
    clientId: packet.clientId,
    clean: packet.clean ?? false,
    keepAliveS: packet.keepalive ?? 0,
    username: packet.username,
    password: password === undefined ? undefined : Buffer.from(password).toString(),
    will: will && {
      topic: will.topic,
      payload: bytesOf(will.payload),
      qos: will.qos === 0 ? 0 : 1,
      retain: will.retain ?? false,
    },
  };
}

function bytesOf(payload: Buffer | string): Uint8Array {
  return Buffer.from(payload);
}
