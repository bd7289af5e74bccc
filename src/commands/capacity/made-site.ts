/** The configured tags with made-up values: read when told, shown as the tag table shows them. */
import type { Config } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import { silentLog } from "../../core/log.ts";
import { devicesOf } from "../../gateway.ts";
import type { CurrentValues, Device, NumberedSample } from "../../pipeline.ts";
import { createTagTable, type TagTable } from "../../tags/tag-table.ts";
import { MadeValues } from "./made-values.ts";

/** When it is. Epochs and sessions are the Unix time in seconds, or above. */
export const UNIX_S = 1_800_000_000;

/** Time moves when told; nobody waits for it. */
class StillClock implements Clock {
  #ms = 0;

  wallMs(): number {
    return UNIX_S * 1_000 + this.#ms;
  }

  monotonicMs(): number {
    return this.#ms;
  }

  after() {
    return { cancel: () => undefined };
  }

  pass(ms: number): void {
    this.#ms += ms;
  }
}

export class MadeSite {
  readonly clock = new StillClock();
  readonly devices: readonly Device[];
  readonly values: CurrentValues;
  readonly #table: TagTable;
  readonly #made = new MadeValues();
  #number = 0;

  constructor(config: Config) {
    this.devices = devicesOf(config);
    this.#table = createTagTable({
      devices: this.devices,
      intake: { append: () => undefined },
      clock: this.clock,
      epochs: { epoch: () => UNIX_S, raiseEpoch: () => UNIX_S },
      log: silentLog,
    });
    this.values = this.#table;
  }

  /** As if this were all of it. */
  only(device: Device): CurrentValues {
    const { values } = this;
    return {
      epoch: () => values.epoch(),
      devices: () => [device],
      snapshot: (name) => (name === device.name ? values.snapshot(name) : []),
      revision: (name) => values.revision(name),
      isLost: (name) => values.isLost(name),
      isUnsynced: () => values.isUnsynced(),
    };
  }

  /** Reads all of a device that is switched on, each tag another value than before: the samples in the order of its tags. */
  read({ name, tags }: Device): readonly NumberedSample[] {
    const readings = tags.flatMap((tag) => {
      return tag.enabled ? [{ tag, value: this.#made.next(tag), status: "Good" as const }] : [];
    });
    this.#table.read(readings, this.clock.monotonicMs());
    return this.values.snapshot(name).map((sample) => ({ ...sample, number: ++this.#number }));
  }
}
