/** What a peer is to the comparison. */
import type { Certificates } from "../../testing/certificates.ts";
import type { PeerKey } from "./plan.ts";
import type { Place } from "./tally.ts";

/** What it is put between: lines on one side, a broker on the other. */
export interface PeerSite {
  /** For its files; remains over a kill. */
  readonly folder: string;
  readonly linePaths: readonly string[];
  readonly brokerPort: number;
  readonly certificates: Certificates;
  readonly scanMs: number;
}

export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
}

/** What one message says. */
export interface Reading extends Place {
  readonly value: number;
  readonly history?: boolean;
}

export interface Loss extends Place {
  /** In wall time. */
  readonly fromMs: number;
  readonly toMs: number;
}

export interface Content {
  readonly readings: readonly Reading[];
  readonly losses: readonly Loss[];
}

export interface Peer {
  readonly key: PeerKey;
  readonly title: string;
  /** Each of its programs with its version, and what is to be known of how it was installed. */
  readonly versions: readonly string[];
  /** Writes its configuration; starting it twice in the same folder is a restart. */
  configure(site: PeerSite): Promise<Command>;
  parse(topic: string, payload: string): Content;
}

export const NOTHING: Content = { readings: [], losses: [] };
