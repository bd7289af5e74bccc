import type { Clock, Timer } from "../core/clock.ts";
import type { Source } from "../pipeline.ts";
import type { Light } from "./light.ts";
import { type LightReasons, lightPattern, lightState } from "./light-pattern.ts";

/** A light that stays on is thought over so often. */
const LOOK_INTERVAL_MS = 1_000;

export interface IndicatorOptions {
  readonly light: Light;
  readonly reasons: () => LightReasons;
  readonly clock: Clock;
}

/** Shows on the board's light how the gateway is, one whole pattern after the other. */
export function createIndicator({ light, reasons, clock }: IndicatorOptions): Source {
  let timer: Timer | undefined;
  const again = (): void => {
    const pattern = lightPattern(lightState(reasons()));
    if (pattern.length > 0) step(pattern, 0);
    else stay();
  };
  const stay = (): void => {
    light.set(true);
    timer = clock.after(LOOK_INTERVAL_MS, again);
  };
  const step = (pattern: readonly number[], at: number): void => {
    const lastsMs = pattern[at];
    if (lastsMs !== undefined) {
      light.set(at % 2 === 0);
      timer = clock.after(lastsMs, () => step(pattern, at + 1));
    } else again();
  };
  return {
    start: again,
    async stop() {
      timer?.cancel();
      // Dark: nobody works here.
      light.set(false);
    },
  };
}
