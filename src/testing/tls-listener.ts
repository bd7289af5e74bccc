/** A TLS listener on loopback that is no broker, for what a broker should never do. */
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import type { Certificates } from "./certificates.ts";

export interface TlsListener {
  /** mqtts://localhost:port */
  readonly url: string;
  /** The first client whose handshake is done. */
  readonly client: Promise<TLSSocket>;
  close(): Promise<void>;
}

export async function startTlsListener(
  certificates: Pick<Certificates, "ca" | "server">,
  options: TlsOptions = {},
  serve: (client: TLSSocket) => void = () => undefined,
): Promise<TlsListener> {
  const server = createServer({
    ca: await readFile(certificates.ca),
    cert: await readFile(certificates.server.certificate),
    key: await readFile(certificates.server.key),
    ...options,
  });
  const clients = new Set<TLSSocket>();
  const client = new Promise<TLSSocket>((resolve) => server.once("secureConnection", resolve));
  server.on("secureConnection", (socket) => {
    clients.add(socket);
    socket.on("error", () => undefined);
    serve(socket);
  });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return {
    url: `mqtts://localhost:${address.port}`,
    client,
    async close() {
      for (const socket of clients) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}
