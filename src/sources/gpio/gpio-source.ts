/**
 * The GPIO inputs, as tags of the device `inputs`:
 *
 *     driver ──edges, levels──► PinWatch (keeps it open) ──► Input (debounce, counter) ──Reading──► sink
 */
import type { InputConfig } from "../../config/config.ts";
import type { Clock } from "../../core/clock.ts";
import type { CountKeeper } from "../../core/kept-count.ts";
import type { Log } from "../../core/log.ts";
import type { Source, TagSink } from "../../pipeline.ts";
import { Input } from "./input.ts";
import type { PinDriver } from "./pin-driver.ts";
import { PinWatch } from "./pin-watch.ts";

export interface GpioSourceOptions {
  readonly inputs: readonly InputConfig[];
  readonly counts: CountKeeper;
  readonly sink: TagSink;
  readonly clock: Clock;
  readonly log: Log;
  readonly driver: PinDriver;
}

/** Every input goes its own way: one that fails takes no other with it. */
export function createGpioSource(options: GpioSourceOptions): Source {
  const parts = options.inputs.filter((input) => input.enabled).map((input) => watched(input, options));
  return {
    start() {
      for (const part of parts) part.start();
    },
    async stop() {
      await Promise.all(parts.map((part) => part.stop()));
    },
  };
}

function watched(config: InputConfig, options: GpioSourceOptions): Source {
  const { driver, clock, counts, sink } = options;
  const log = options.log.scope(config.name);
  const input = new Input({ input: config, counts, sink, clock, log });
  const watch = new PinWatch({
    address: config.pin,
    driver,
    scanRateMs: config.scanRateMs,
    listener: input,
    clock,
    log,
  });
  return {
    start: () => watch.start(),
    async stop() {
      // Twice: a pin that no longer answers may keep the watch, and pulses on their way count as well.
      input.stop();
      await watch.stop();
      input.stop();
    },
  };
}
