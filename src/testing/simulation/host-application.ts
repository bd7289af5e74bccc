/** A Sparkplug host application at one broker, as far as gateways hear it: its STATE, and its commands. */
import type { Clock } from "../../core/clock.ts";
import type { SimulatedBroker } from "../simulated-broker.ts";
import { PRIMARY_HOST, SPARKPLUG_GROUP } from "./site.ts";

const DATATYPE_BOOLEAN = 11;
const FIRST_SEEN_MS = Date.UTC(2026, 0, 1);

export class HostApplication {
  readonly #broker: SimulatedBroker;
  readonly #clock: Clock;
  #sinceMs = 0;
  /** Monotonic. */
  #deadSinceMs = Number.POSITIVE_INFINITY;
  /** The same, for all who hear its STATE. */
  #awaySinceMs = Number.POSITIVE_INFINITY;

  constructor(broker: SimulatedBroker, clock: Clock) {
    this.#broker = broker;
    this.#clock = clock;
    this.connect();
  }

  /** Says that it is there, unless it is dead. */
  connect(): void {
    if (this.isDead) return;
    // It has a clock of its own, that nobody sets.
    this.#sinceMs = FIRST_SEEN_MS + this.#clock.monotonicMs();
    this.#tell();
  }

  /** It dies, and its broker notices so much later. */
  die(silentMs: number): void {
    if (this.isDead) return;
    const sinceMs = this.#clock.monotonicMs();
    this.#deadSinceMs = sinceMs;
    const notice = () => {
      if (this.#deadSinceMs !== sinceMs || !this.isOnline) return;
      this.#awaySinceMs = this.#clock.monotonicMs();
      this.#tell();
    };
    if (silentMs === 0) notice();
    else this.#clock.after(silentMs, notice);
  }

  comeBack(): void {
    this.#deadSinceMs = Number.POSITIVE_INFINITY;
    this.#awaySinceMs = Number.POSITIVE_INFINITY;
    this.connect();
  }

  /** Monotonic; Infinity while it is dead. */
  get connectedMs(): number {
    return this.isDead ? Number.POSITIVE_INFINITY : this.#sinceMs - FIRST_SEEN_MS;
  }

  get isDead(): boolean {
    return this.#deadSinceMs !== Number.POSITIVE_INFINITY;
  }

  get isOnline(): boolean {
    return this.#awaySinceMs === Number.POSITIVE_INFINITY;
  }

  /** Monotonic; Infinity while it is there. */
  get awaySinceMs(): number {
    return this.#awaySinceMs;
  }

  askForBirths(node: string): void {
    const topic = `spBv1.0/${SPARKPLUG_GROUP}/NCMD/${node}`;
    this.#broker.publish({ topic, payload: REBIRTH, qos: 0, retain: false });
  }

  /** Its last word, a will, bears the time of its CONNECT. */
  #tell(): void {
    const payload = Buffer.from(JSON.stringify({ online: this.isOnline, timestamp: this.#sinceMs }));
    this.#broker.publish({ topic: `spBv1.0/STATE/${PRIMARY_HOST}`, payload, qos: 1, retain: true });
  }
}

/** One metric: name, datatype, boolean_value. */
const NAME = Buffer.from("Node Control/Rebirth");
const METRIC = [0x0a, NAME.length, ...NAME, 0x20, DATATYPE_BOOLEAN, 0x70, 1];
const REBIRTH = Buffer.from([0x12, METRIC.length, ...METRIC]);
