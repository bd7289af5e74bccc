/**
 * P4 beyond the broker: what came while the primary host was dead, before anybody knew, has to come again. Not where
 * the gateway could not hear of it in time, or forgot it by a new start: its window is memory, two minutes long.
 */
import type { Clock } from "../../core/clock.ts";
import type { DeliveryBook } from "./delivery-book.ts";
import type { FarBroker } from "./far-broker.ts";
import type { NodeArrivals } from "./node-arrivals.ts";

/** From the host's STATE to the node that has heard it. */
const HEARD_WITHIN_MS = 10_000;

/** A node that waits for the host. */
interface Waiting {
  readonly book: DeliveryBook;
  readonly node: NodeArrivals;
}

export interface HostAbsencesOptions {
  readonly broker: FarBroker;
  /** Its place among all of them. */
  readonly index: number;
  readonly clock: Clock;
  readonly waiting: () => readonly Waiting[];
  /** When the running gateway began, or took another configuration; undefined while it is down. */
  readonly runsSinceMs: () => number | undefined;
}

interface Absence {
  readonly fromMs: number;
  readonly runsSinceMs: number | undefined;
  /** Of the nodes, at its beginning. */
  readonly sessions: ReadonlyMap<NodeArrivals, string>;
  isHeardOf: boolean;
  isSettled: boolean;
}

/** At one broker. */
export class HostAbsences {
  readonly #options: HostAbsencesOptions;
  #absence: Absence | undefined;

  constructor(options: HostAbsencesOptions) {
    this.#options = options;
  }

  begin(silentMs: number): void {
    const { broker, index, clock, waiting, runsSinceMs } = this.#options;
    if (broker.host.isDead) return;
    this.#settle(this.#absence, []);
    const sessions = new Map(waiting().map(({ node }) => [node, node.sessionAt(index)]));
    const absence = { fromMs: clock.monotonicMs(), runsSinceMs: runsSinceMs(), sessions };
    const begun = { ...absence, isHeardOf: false, isSettled: false };
    this.#absence = begun;
    broker.host.die(silentMs, () => this.#heardOf(begun));
  }

  end(): void {
    this.#heardOf(this.#absence);
    this.#options.broker.host.comeBack();
  }

  /** By its STATE, offline or of another CONNECT. */
  #heardOf(absence: Absence | undefined): void {
    if (absence === undefined || absence.isHeardOf) return;
    const { index, clock, waiting } = this.#options;
    absence.isHeardOf = true;
    const stayed = waiting().filter(({ node }) => {
      const session = node.sessionAt(index);
      return session !== "" && session === absence.sessions.get(node);
    });
    clock.after(HEARD_WITHIN_MS, () => this.#settle(absence, stayed));
  }

  #settle(absence: Absence | undefined, stayed: readonly Waiting[]): void {
    if (absence === undefined || absence.isSettled) return;
    const { broker, waiting, runsSinceMs } = this.#options;
    absence.isSettled = true;
    const runs = absence.runsSinceMs !== undefined && runsSinceMs() === absence.runsSinceMs;
    const isUndisturbed = runs && !broker.wasDisturbedSince(absence.fromMs);
    for (const { book } of waiting()) {
      book.settleUnheard(isUndisturbed && stayed.some((one) => one.book === book));
    }
  }
}
