/** Paced lines on one side, a Mosquitto with TLS on the other, a peer between them, and a book of what came through. */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { hostClock, sleep } from "../../core/clock.ts";
import type { Certificates } from "../../testing/certificates.ts";
import { type FrozenProxy, startFrozenProxy } from "../../testing/frozen-proxy.ts";
import { type Mosquitto, startMosquitto } from "../../testing/mosquitto.ts";
import { cpuSecondsOf, residentBytesOf } from "../../testing/process-figures.ts";
import { type Received, type Subscriber, subscribe } from "../../testing/subscriber.ts";
import { openPacedLine, type PacedLine, type Programs } from "../paced-line.ts";
import type { Command, Peer } from "./peer.ts";
import { type PeerProcess, startPeer } from "./peer-process.ts";
import { DEVICES, LINES, TRAFFIC } from "./plan.ts";
import { type Arrival, parseServed, type Served, type Span, type Tally, type Told, tally } from "./tally.ts";

const START_LIMIT_MS = 60_000;
const LOOK_MS = 100;
const LAST_WORDS_CHARACTERS = 2_000;

export interface Workshop {
  readonly programs: Programs;
  readonly certificates: Certificates;
  /** Each site makes one of its own in it. */
  readonly folder: string;
}

export class PeerSiteRun {
  readonly lines: readonly PacedLine[];
  readonly broker: Mosquitto;
  readonly proxy: FrozenProxy;
  readonly arrivals: Arrival[] = [];
  readonly #peer: Peer;
  readonly #folder: string;
  readonly #certificates: Certificates;
  readonly #told: Told[] = [];
  readonly #wallMinusMonotonicMs = hostClock.wallMs() - hostClock.monotonicMs();
  #subscriber: Subscriber | undefined;
  #command: Command | undefined;
  #process: PeerProcess | undefined;

  private constructor(
    peer: Peer,
    folder: string,
    certificates: Certificates,
    parts: { readonly lines: readonly PacedLine[]; readonly broker: Mosquitto; readonly proxy: FrozenProxy },
  ) {
    this.#peer = peer;
    this.#folder = folder;
    this.#certificates = certificates;
    this.lines = parts.lines;
    this.broker = parts.broker;
    this.proxy = parts.proxy;
  }

  static async open(peer: Peer, name: string, { programs, certificates, folder }: Workshop): Promise<PeerSiteRun> {
    const home = join(folder, `${peer.key}-${name}`);
    await mkdir(home, { recursive: true });
    const lines: PacedLine[] = [];
    try {
      for (let line = 1; line <= LINES; line++) {
        const opened = await openPacedLine(programs.pacedLine, TRAFFIC);
        opened.count(join(home, servedFile(line)));
        lines.push(opened);
      }
      const broker = await startMosquitto({ certificates });
      const proxy = await startFrozenProxy({ host: "127.0.0.1", port: broker.port }, hostClock);
      return new PeerSiteRun(peer, home, certificates, { lines, broker, proxy });
    } catch (error) {
      await Promise.all(lines.map((line) => line.close()));
      throw error;
    }
  }

  /** Resolves when its first value is at the subscriber. */
  async start(scanMs: number): Promise<void> {
    const certificates = this.#certificates;
    this.#subscriber = await subscribe(this.broker.url, {
      certificates,
      identity: certificates.historian,
      onMessage: (message) => this.#take(message),
    });
    this.#command = await this.#peer.configure({
      folder: this.#folder,
      linePaths: this.lines.map(({ path }) => path),
      brokerPort: this.proxy.port,
      certificates,
      scanMs,
    });
    this.restart();
    const startedMs = hostClock.monotonicMs();
    while (this.arrivals.length === 0) {
      if (!this.process.isRunning() || hostClock.monotonicMs() - startedMs > START_LIMIT_MS)
        throw new Error(`no value of ${this.#peer.title} came; its last words: ${this.lastWords()}`);
      await sleep(hostClock, LOOK_MS);
    }
  }

  /** As a supervisor does: the same command in the same folder. */
  restart(): void {
    if (this.#command === undefined) throw new Error("it was never started");
    this.#process = startPeer(this.#command);
  }

  get process(): PeerProcess {
    if (this.#process === undefined) throw new Error("it was never started");
    return this.#process;
  }

  lastWords(): string {
    return this.process.log().slice(-LAST_WORDS_CHARACTERS);
  }

  async served(): Promise<readonly Served[]> {
    const files = this.lines.map((_, at) => readFile(join(this.#folder, servedFile(at + 1)), "utf8"));
    return (await Promise.all(files)).flatMap((text, at) => parseServed(at + 1, text));
  }

  async tally(span: Span): Promise<Tally> {
    return tally(await this.served(), this.arrivals, this.#told, span, this.#wallMinusMonotonicMs);
  }

  async cpuS(): Promise<number> {
    return cpuSecondsOf(this.process.pid);
  }

  async residentMB(): Promise<number> {
    return (await residentBytesOf(this.process.pid)).now / 1e6;
  }

  /** No device answers any more, so that the books can be closed. */
  fallSilent(): void {
    for (const line of this.lines) for (let unit = 1; unit <= DEVICES; unit++) line.silence(unit);
  }

  async close(): Promise<void> {
    await this.#process?.kill();
    await this.#subscriber?.close();
    await this.proxy.close();
    await this.broker.close();
    await Promise.all(this.lines.map((line) => line.close()));
    await rm(this.#folder, { recursive: true, force: true });
  }

  /** What the broker itself may repeat is not the peer's doing. */
  #take({ topic, payload, again }: Received): void {
    if (again) return;
    const atMs = hostClock.monotonicMs();
    const { readings, losses } = this.#peer.parse(topic, Buffer.from(payload).toString("utf8"));
    for (const { history = false, ...reading } of readings) this.arrivals.push({ ...reading, history, atMs });
    this.#told.push(...losses);
  }
}

function servedFile(line: number): string {
  return `served-${line}`;
}
