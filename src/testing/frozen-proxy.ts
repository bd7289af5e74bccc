/** A TCP proxy on loopback that can do to a link what the field does: freeze it half-open, cut it, make it slow. */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { Clock } from "../core/clock.ts";

export interface FrozenProxy {
  readonly port: number;
  /** Connections accepted since the start, and those still open. */
  accepted(): number;
  open(): number;
  /** What clients have sent to the target, in bytes. */
  sentBytes(): number;
  /** Keeps every socket, forwards nothing, tells nobody; new connections are accepted and meet silence. */
  freeze(): void;
  /** Forwards again, first what waited. */
  thaw(): void;
  /** Breaks all connections at once. */
  cut(): void;
  /** Breaks all connections, and every new one at once, until told otherwise. */
  refuse(refused: boolean): void;
  /** Each way takes this much longer from now on. */
  delay(delayMs: number): void;
  close(): Promise<void>;
}

export async function startFrozenProxy(target: { host: string; port: number }, clock: Clock): Promise<FrozenProxy> {
  const proxy = new LoopbackProxy(target, clock);
  await proxy.listen();
  return proxy;
}

class LoopbackProxy implements FrozenProxy {
  readonly #target: { host: string; port: number };
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  /** Came while frozen; the target hears of them at the thaw. */
  readonly #newcomers = new Set<Socket>();
  #accepted = 0;
  #sentBytes = 0;
  #frozen = false;
  #refused = false;
  #delayMs = 0;

  constructor(target: { host: string; port: number }, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
    this.#server = createServer({ pauseOnConnect: true }, (client) => this.#accept(client));
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy is closed");
    return address.port;
  }

  async listen(): Promise<void> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
  }

  accepted(): number {
    return this.#accepted;
  }

  open(): number {
    return this.#links.size + this.#newcomers.size;
  }

  sentBytes(): number {
    return this.#sentBytes;
  }

  freeze(): void {
    this.#frozen = true;
    for (const link of this.#links) link.pause();
  }

  thaw(): void {
    this.#frozen = false;
    for (const link of this.#links) link.resume();
    for (const client of this.#newcomers) this.#join(client);
    this.#newcomers.clear();
  }

  cut(): void {
    for (const link of this.#links) link.destroy();
    for (const client of this.#newcomers) client.destroy();
    this.#newcomers.clear();
  }

  refuse(refused: boolean): void {
    this.#refused = refused;
    if (refused) this.cut();
  }

  delay(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.cut();
    await once(this.#server, "close");
  }

  #accept(client: Socket): void {
    this.#accepted++;
    // An error is followed by close.
    client.on("error", () => undefined);
    if (this.#refused) client.destroy();
    else if (this.#frozen) this.#newcomers.add(client);
    else this.#join(client);
  }

  #join(client: Socket): void {
    const link = new Link(client, connect(this.#target), (forward) => this.#later(forward));
    client.on("data", (chunk: Uint8Array) => {
      this.#sentBytes += chunk.length;
    });
    this.#links.add(link);
    client.once("close", () => this.#links.delete(link));
  }

  #later(forward: () => void): void {
    if (this.#delayMs === 0) forward();
    else this.#clock.after(this.#delayMs, forward);
  }
}

type Later = (forward: () => void) => void;

/** A client with its own connection to the target. */
class Link {
  readonly #ends: readonly [Socket, Socket];
  readonly #later: Later;
  #paused = false;
  readonly #held: (() => void)[] = [];

  constructor(client: Socket, upstream: Socket, later: Later) {
    this.#ends = [client, upstream];
    this.#later = later;
    for (const end of this.#ends) end.setNoDelay(true);
    this.#forward(client, upstream);
    this.#forward(upstream, client);
    client.resume();
  }

  pause(): void {
    this.#paused = true;
    for (const end of this.#ends) end.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const step of this.#held.splice(0)) step();
    for (const end of this.#ends) end.resume();
  }

  destroy(): void {
    for (const end of this.#ends) end.destroy();
  }

  #forward(from: Socket, to: Socket): void {
    from.on("data", (chunk) => this.#step(() => to.write(chunk)));
    from.on("end", () => this.#step(() => to.end()));
    from.on("error", () => undefined);
    from.on("close", () => this.#step(() => to.destroy()));
  }

  #step(step: () => void): void {
    this.#later(() => {
      if (this.#paused) this.#held.push(step);
      else step();
    });
  }
}
