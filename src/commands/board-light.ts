/** The light of the board that the service runs on, where its file names one. */
import type { Board } from "../config/board.ts";
import type { Clock } from "../core/clock.ts";
import { ConfigurationError } from "../core/errors.ts";
import type { ClockState } from "../core/known-time.ts";
import type { Log } from "../core/log.ts";
import type { Gateway } from "../gateway.ts";
import { createIndicator } from "../leds/indicator.ts";
import { createLight, type Light } from "../leds/light.ts";
import type { Source } from "../pipeline.ts";

const CLOCK_STATES: readonly ClockState[] = ["unsynced", "holdover", "ntp", "rtc", "host"];

export function boardLight({ light }: Board, log: Log): Light | undefined {
  return light === undefined ? undefined : createLight({ name: light, log: log.scope("light") });
}

/** What a mistake in the configuration leaves behind when the process ends with it. */
export function blinkingAtMistakes<T>(load: () => T, light: Light | undefined): T {
  try {
    return load();
  } catch (error) {
    if (error instanceof ConfigurationError) light?.blink();
    throw error;
  }
}

/** From now on the light shows how the gateway is. */
export function gatewayIndicator(gateway: Gateway, light: Light | undefined, clock: Clock): Source | undefined {
  if (light === undefined) return undefined;
  const reasons = () => ({ clock: clockState(gateway), uplinks: gateway.uplinks(), lines: gateway.lines() });
  return createIndicator({ light, reasons, clock });
}

/** Before the first look at itself the gateway has not said that anything is amiss. */
function clockState({ values }: Gateway): ClockState {
  const sample = values.snapshot("gateway").find(({ tag }) => tag.name === "clock/state");
  return CLOCK_STATES.find((state) => state === sample?.value) ?? "holdover";
}
