/** Tells in good time that a certificate on disk is about to expire: 90, 30 and 7 days before, and when it has. */
import { readFileSync } from "node:fs";
import type { UplinkConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Log } from "../core/log.ts";
import { file } from "./tls-failure.ts";
import { fingerprintOf, validityOf } from "./tls-files.ts";

/** Longest first; each is told once, and again for a certificate that took its place. */
const WARN_AT_DAYS = [90, 30, 7] as const;
/** How often the files are read again for their dates. */
const REREAD_MS = 60_000;
const DAY_MS = 86_400_000;
const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs;

interface Watched {
  readonly kind: "own" | "ca";
  readonly path: string;
  readonly name: string;
  expiresMs: number | undefined;
  /** By which a new one is told from the old; empty where it cannot be read. */
  fingerprint: string;
  /** The stage last told, see `stageOf`. */
  told: number;
}

export class CertificateWatch {
  readonly #certificate: Watched | undefined;
  readonly #all: readonly Watched[];
  readonly #clock: Clock;
  readonly #log: Log;
  #readAgainMs = 0;

  constructor(tls: UplinkConfig["tls"], clock: Clock, log: Log) {
    this.#certificate = watched("own", tls.certificate, "tls.certificate");
    this.#all = [this.#certificate, watched("ca", tls.ca, "tls.ca")].filter((one) => one !== undefined);
    this.#clock = clock;
    this.#log = log;
  }

  /**
   * Whole days until the gateway's own certificate expires, negative afterwards; undefined where there is none.
   * Warns of what is due.
   */
  days(): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs >= this.#readAgainMs) {
      this.#readAgainMs = nowMs + REREAD_MS;
      for (const one of this.#all) this.#look(one);
    }
    return this.#certificate && this.#daysLeft(this.#certificate);
  }

  /** Which certificates are in the files, as `days` found them; empty where there are none. */
  identities(): string {
    const known = this.#all.filter(({ fingerprint }) => fingerprint !== "");
    return known.map(({ name, fingerprint, expiresMs }) => `${name} ${fingerprint}${untilText(expiresMs)}`).join(", ");
  }

  #look(one: Watched): void {
    try {
      const pem = readFileSync(one.path, "utf8");
      one.expiresMs = expiryMs(pem, one.kind);
      one.fingerprint = fingerprintOf(pem);
    } catch {
      this.#log.debug(`cannot read the expiry date of ${one.path}`);
      one.expiresMs = undefined;
    }
    const days = this.#daysLeft(one);
    if (days === undefined || one.expiresMs === undefined) return;
    const stage = stageOf(days);
    if (stage < one.told) this.#log.warning(words(one.name, days, one.expiresMs));
    one.told = stage;
  }

  #daysLeft({ expiresMs }: Watched): number | undefined {
    return expiresMs === undefined ? undefined : Math.floor((expiresMs - this.#clock.wallMs()) / DAY_MS);
  }
}

function watched(kind: Watched["kind"], path: string | undefined, key: string): Watched | undefined {
  if (path === undefined) return undefined;
  return { kind, path, name: file(path, key), expiresMs: undefined, fingerprint: "", told: Number.POSITIVE_INFINITY };
}

/** Of a chain its first, which is the gateway's own; of several CAs the last to end, since any of them will do. */
function expiryMs(pem: string, kind: Watched["kind"]): number {
  const ends = (pem.match(PEM_CERTIFICATE) ?? [pem]).map((text) => validityOf(text).toMs);
  return kind === "own" ? (ends[0] ?? Number.NaN) : Math.max(...ends);
}

function untilText(expiresMs: number | undefined): string {
  return expiresMs === undefined ? "" : ` until ${new Date(expiresMs).toISOString().slice(0, 10)}`;
}

/** The number of days that it has come below: 90, 30, 7, or 0 when it is over; Infinity while there is time. */
function stageOf(days: number): number {
  if (days < 0) return 0;
  return WARN_AT_DAYS.findLast((limit) => days <= limit) ?? Number.POSITIVE_INFINITY;
}

function words(name: string, days: number, expiresMs: number): string {
  const day = new Date(expiresMs).toISOString().slice(0, 10);
  if (days < 0) return `${name} expired on ${day}, by this gateway's clock: the next connection will fail; renew it`;
  return `${name} expires on ${day}, in ${days} days; renew it, the file is read anew at each connect`;
}
