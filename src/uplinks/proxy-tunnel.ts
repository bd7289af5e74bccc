/** A way out through an HTTP proxy: CONNECT (RFC 9110, section 9.3.6). TLS to the broker runs inside it, end to end. */
import { request } from "node:http";
import type { Socket } from "node:net";
import type { UplinkConfig } from "../config/config.ts";
import { messageOf } from "../core/errors.ts";
import { ConnectFailure } from "../pipeline.ts";
import { readPassword } from "./tls-files.ts";

type Proxy = NonNullable<UplinkConfig["proxy"]>;

const DEFAULT_PORT = 80;

/** Rejects with a ConnectFailure that names the proxy. */
export async function openProxyTunnel(
  to: { readonly host: string; readonly port: number },
  proxy: Proxy,
  late: AbortSignal,
): Promise<Socket> {
  const url = new URL(proxy.url);
  const port = url.port === "" ? DEFAULT_PORT : Number(url.port);
  const name = `proxy ${url.hostname}:${port}`;
  const target = `${to.host.includes(":") ? `[${to.host}]` : to.host}:${to.port}`;
  const authorization = proxy.login === undefined ? undefined : await basic(proxy.login);
  return new Promise((resolve, reject) => {
    const asking = request({
      method: "CONNECT",
      host: url.hostname.replace(/^\[|\]$/g, ""),
      port,
      path: target,
      agent: false,
      headers: { host: target, ...(authorization !== undefined && { "proxy-authorization": authorization }) },
    });
    const fail = (reason: string) => {
      late.removeEventListener("abort", onLate);
      reject(new ConnectFailure(reason));
      asking.destroy();
    };
    const onLate = () => fail(`${name} does not answer; check proxy.url`);
    asking.on("error", (error) => fail(`${name} cannot be used: ${messageOf(error)}; check proxy.url`));
    // A proxy that refuses answers like a web server.
    asking.once("response", (response) => fail(refusal(name, target, response.statusCode)));
    asking.once("connect", (response, socket) => {
      if (response.statusCode !== 200) {
        socket.destroy();
        return fail(refusal(name, target, response.statusCode));
      }
      late.removeEventListener("abort", onLate);
      resolve(socket);
    });
    if (late.aborted) onLate();
    else late.addEventListener("abort", onLate, { once: true });
    asking.end();
  });
}

async function basic(login: NonNullable<Proxy["login"]>): Promise<string> {
  const password = await readPassword(login, "proxy.passwordFile");
  return `Basic ${Buffer.from(`${login.username}:${password}`).toString("base64")}`;
}

function refusal(name: string, target: string, status: number | undefined): string {
  if (status === 407) return `${name} wants a login or refuses this one; check proxy.username and proxy.passwordFile`;
  if (status === 403) return `${name} does not allow connections to ${target}; its administrator must allow it`;
  return `${name} cannot reach ${target}: it answers ${status ?? "nothing"}`;
}
