/** One line that is played: its devices behind one wire, and what was asked of them. */
import type { LineConfig } from "../../config/config.ts";
import { type Clock, hostClock } from "../../core/clock.ts";
import { hostRandom } from "../../core/random.ts";
import { SimulatedBus } from "../../testing/simulated-bus.ts";
import { StandIn } from "../../testing/stand-in.ts";
import { RequestBook } from "./request-book.ts";
import { faultsOf, type UnitFault } from "./unit-fault.ts";
import type { Wire } from "./wire.ts";

/** Broadcasts go to this unit id, so no device can have it: here it means all units. */
export const ALL_UNITS = 0;

export class Stage {
  readonly line: LineConfig;
  readonly wire: Wire;
  readonly book: RequestBook;
  /** The name to open it by. */
  place: string;
  /** Why the wire ended by itself. */
  lost: string | undefined;
  readonly #standIns: readonly StandIn[];
  readonly #bus: SimulatedBus;

  constructor(line: LineConfig, wire: Wire, faults: ReadonlyMap<number, UnitFault>, clock: Clock = hostClock) {
    this.line = line;
    this.wire = wire;
    this.place = wire.path;
    this.book = new RequestBook(line.devices);
    this.#standIns = line.devices.map((device) => {
      const fault = faults.get(device.unitId) ?? faults.get(ALL_UNITS);
      return new StandIn(device, faultsOf(fault, line, device, hostRandom));
    });
    this.#bus = new SimulatedBus({
      devices: this.#standIns.map(({ device }) => device),
      clock,
      send: (bytes) => wire.send(bytes),
      onExchange: (exchange) => this.book.note(exchange, clock.monotonicMs()),
    });
    wire.onData = (bytes) => {
      this.book.heard(bytes.length);
      this.#bus.receive(bytes);
    };
    void wire.lost.then((reason) => {
      this.lost = reason;
    });
  }

  /** Values go on as such things do. @param elapsedMs since the beginning */
  move(elapsedMs: number): void {
    for (const standIn of this.#standIns) standIn.move(elapsedMs);
  }

  async end(): Promise<void> {
    this.#bus.stop();
    await this.wire.close();
  }
}
