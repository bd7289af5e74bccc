/** An HTTP proxy on loopback that opens tunnels by CONNECT (RFC 9110, section 9.3.6). */
import { once } from "node:events";
import { createServer } from "node:http";
import { connect as connectTcp } from "node:net";

export interface HttpProxyOptions {
  /** Status line of the answer to a client with this `proxy-authorization`; by default `200 OK`. */
  readonly answer?: (authorization: string | undefined) => string;
  /** Loopback port for each `host:port` that is asked for; by default the port asked for. */
  readonly routes?: Readonly<Record<string, number>>;
}

export interface HttpProxy {
  /** http://127.0.0.1:port */
  readonly url: string;
  close(): void;
}

export async function startHttpProxy({
  answer = () => "200 OK",
  routes = {},
}: HttpProxyOptions = {}): Promise<HttpProxy> {
  const proxy = createServer();
  proxy.on("connect", (request, client) => {
    const status = answer(request.headers["proxy-authorization"]);
    client.write(`HTTP/1.1 ${status}\r\n\r\n`);
    if (!status.startsWith("200")) return void client.end();
    const target = request.url ?? "";
    const upstream = connectTcp(routes[target] ?? Number(target.split(":").at(-1)), "127.0.0.1");
    for (const end of [client, upstream]) end.on("error", () => undefined);
    client.pipe(upstream).pipe(client);
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  const address = proxy.address();
  if (address === null || typeof address === "string") throw new Error("the system gave no port");
  return { url: `http://127.0.0.1:${address.port}`, close: () => void proxy.close() };
}
