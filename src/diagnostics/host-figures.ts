import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { memoryUsage } from "node:process";

/** What the process and the board know of themselves; not there in a simulation. */
export interface HostFigures {
  rssBytes(): number;
  /** The longest time the loop was held up since the last call. */
  loopDelayMs(): number;
  /** undefined: the board has no sensor. */
  temperatureC(): number | undefined;
}

const LOOP_SAMPLING_MS = 50;
const NS_PER_MS = 1e6;

/** Millidegrees, as text. */
const THERMAL_ZONE = "/sys/class/thermal/thermal_zone0/temp";

export function createHostFigures(thermalZone = THERMAL_ZONE): HostFigures {
  const delays = monitorEventLoopDelay({ resolution: LOOP_SAMPLING_MS });
  delays.enable();
  return {
    rssBytes: () => memoryUsage.rss(),
    loopDelayMs() {
      // The histogram holds the whole time between two looks; nothing yet is 0.
      const delayMs = Math.max(0, delays.max / NS_PER_MS - LOOP_SAMPLING_MS);
      delays.reset();
      return Math.round(delayMs);
    },
    temperatureC: () => readTemperature(thermalZone),
  };
}

function readTemperature(path: string): number | undefined {
  try {
    const text = readFileSync(path, "utf8").trim();
    return /^-?\d+$/.test(text) ? Number(text) / 1_000 : undefined;
  } catch {
    // No such file, or a sensor that does not answer: there is no temperature.
    return undefined;
  }
}
