/** What a board's light says, as pure functions: the gateway's reports → one state → on and off. */
import type { ClockState } from "../core/known-time.ts";
import type { LineReport, UplinkReport } from "../pipeline.ts";

/**
 * What a technician can tell apart from across a room, the worst first: what stands in front hides what is behind it,
 * and mostly is its cause.
 */
export const LIGHT_STATES = ["configuration error", "clock or certificate", "storing", "device lost", "good"] as const;

export type LightState = (typeof LIGHT_STATES)[number];

/** From now on the certificate is the first thing to be looked after; the last of its warnings comes then. */
const CERTIFICATE_DAYS_MIN = 7;

export interface LightReasons {
  readonly clock: ClockState;
  readonly uplinks: readonly UplinkReport[];
  readonly lines: readonly LineReport[];
}

/** Of a gateway that runs: one with a wrong configuration does not, and its light is lit by whoever found out. */
export function lightState({ clock, uplinks, lines }: LightReasons): LightState {
  const expires = uplinks.some(({ certificateDays = CERTIFICATE_DAYS_MIN }) => certificateDays < CERTIFICATE_DAYS_MIN);
  if (clock === "unsynced" || expires) return "clock or certificate";
  if (uplinks.some(({ state }) => state !== "connected")) return "storing";
  const isLost = lines.some(({ fault, devices }) => fault !== "" || devices.some(({ lost }) => lost));
  return isLost ? "device lost" : "good";
}

/** How long the light is on, then off, then on…; none: it stays on. */
export type LightPattern = readonly number[];

const FLASH_MS = 200;
const BETWEEN_MS = 200;
const PAUSE_MS = 1_400;

/** Even, without a pause: the kernel goes on with this by itself when no process is there. */
export const EVEN_MS = 500;

const PATTERNS: Readonly<Record<LightState, LightPattern>> = {
  good: [],
  storing: flashes(1),
  "device lost": flashes(2),
  "clock or certificate": flashes(3),
  "configuration error": [EVEN_MS, EVEN_MS],
};

/** Flashes that can be counted, and a pause. */
function flashes(count: number): LightPattern {
  return Array.from({ length: count }, (_, index) => [FLASH_MS, index === count - 1 ? PAUSE_MS : BETWEEN_MS]).flat();
}

export function lightPattern(state: LightState): LightPattern {
  return PATTERNS[state];
}
