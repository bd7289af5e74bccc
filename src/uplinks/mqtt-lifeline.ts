/** The end of one MQTT connection: that it comes, and why, in words. */
import { messageOf } from "../core/errors.ts";
import type { ConnectionEnd } from "../pipeline.ts";
import { announcedKeepAliveS, SILENCE_KEEP_ALIVES } from "./keep-alive.ts";
import {
  connackReason,
  connectRefusal,
  isReset,
  reasonCodeOf,
  reasonWords,
  SESSION_TAKEN_OVER,
  UNSUPPORTED_VERSION,
} from "./mqtt-reason.ts";
import type { SecureSocket } from "./secure-socket.ts";

/** What its words tell of. */
export interface LifelineSettings {
  readonly keepAliveMs: number;
  readonly login?: { readonly username: string; readonly password?: string };
}

/** What is looked at of a client of mqtt.js. */
interface WatchedClient {
  readonly stream: { on(event: "error", listener: (error: Error) => void): unknown };
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "disconnect", listener: (packet: { readonly reasonCode?: number }) => void): unknown;
  on(event: "packetreceive", listener: () => void): unknown;
}

/** The largest packet that is taken: births that come back are far below it. */
export const ARRIVING_MAX_BYTES = 4 * 1024 * 1024;
const CLOSED_BY_BROKER = "the broker closed the connection";
export const CLOSED_INSTEAD_OF_ANSWER =
  "the broker closes the connection instead of answering CONNECT: it may not accept this certificate or client id";
/** What mqtt.js calls it. */
const KEEP_ALIVE_ERROR = "Keepalive timeout";

/** Notices how a connection ends. What was noticed first counts; what follows is its consequence. */
export class Lifeline {
  accepted = false;
  /** Set when the end may be an old broker's way to say that it does not know MQTT 5. */
  versionSuspect = false;
  reason: string | undefined;
  readonly closed: Promise<ConnectionEnd>;
  #takenOver = false;
  readonly #secure: SecureSocket;
  readonly #settings: LifelineSettings;

  /** Made before the client, so that it hears of the socket's errors first and from the socket. */
  constructor(secure: SecureSocket, settings: LifelineSettings) {
    this.#secure = secure;
    this.#settings = settings;
    const { socket } = secure;
    socket.on("error", (error) => this.#socketError(error));
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        if (!this.accepted && this.reason === undefined) this.versionSuspect = true;
        this.reason ??= this.accepted ? CLOSED_BY_BROKER : CLOSED_INSTEAD_OF_ANSWER;
        resolve({ reason: this.reason, takenOver: this.#takenOver });
      });
    });
  }

  watch(client: WatchedClient): void {
    if (client.stream === this.#secure.socket) this.#boundArriving(client);
    // Where MQTT is in a WebSocket, this is another stream than the socket.
    client.stream.on("error", (error: Error) => this.#socketError(error));
    client.on("error", (error) => this.#protocolError(error));
    client.on("disconnect", ({ reasonCode }) => {
      this.#takenOver = reasonCode === SESSION_TAKEN_OVER;
      this.end(`the broker ended the connection: ${reasonWords(reasonCode ?? 0x80)}`);
    });
  }

  note(reason: string): void {
    this.reason ??= reason;
  }

  end(reason: string): void {
    this.note(reason);
    this.#secure.socket.destroy();
  }

  /** A packet is gathered in memory until it is whole, and may claim to have 256 MB. A WebSocket has a limit of its own. */
  #boundArriving(client: WatchedClient): void {
    let bytes = 0;
    client.on("packetreceive", () => {
      bytes = 0;
    });
    this.#secure.socket.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > ARRIVING_MAX_BYTES)
        this.end("the broker sends a message that is larger than any meant for a gateway");
    });
  }

  #socketError(error: Error): void {
    if (!this.accepted && this.reason === undefined) this.versionSuspect = isReset(error);
    // What the system or TLS says has a code. This is a WebSocket that did not come about.
    const isAnswer = !this.accepted && !("code" in error);
    this.end(isAnswer ? `what answers there is no MQTT broker: ${messageOf(error)}` : this.#secure.explain(error));
  }

  #protocolError(error: Error): void {
    const code = reasonCodeOf(error);
    if (!this.accepted && this.reason === undefined) {
      this.versionSuspect = code === undefined || connackReason(code) === UNSUPPORTED_VERSION;
    }
    this.end(this.#protocolErrorWords(error, code));
  }

  #protocolErrorWords(error: Error, code: number | undefined): string {
    const { keepAliveMs, login } = this.#settings;
    if (!this.accepted) {
      if (code === undefined) return `what answers there is no MQTT broker: ${messageOf(error)}`;
      return connectRefusal(code, login?.password === undefined ? undefined : login.username);
    }
    if (error.message !== KEEP_ALIVE_ERROR) return `the broker does not keep to the protocol: ${messageOf(error)}`;
    const silentS = announcedKeepAliveS(keepAliveMs) * SILENCE_KEEP_ALIVES;
    return `the broker has not answered for ${silentS} s: the link is frozen, or the broker stuck`;
  }
}
