import { readFileSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";

/** What the process and the board know of themselves; not there in a simulation. */
export interface HostFigures {
  /** undefined: the kernel does not say, as where it is not Linux. */
  rssBytes(): number | undefined;
  /** The longest time the loop was held up since the last call. */
  loopDelayMs(): number;
  /** undefined: the board has no sensor. */
  temperatureC(): number | undefined;
}

const LOOP_SAMPLING_MS = 50;
const NS_PER_MS = 1e6;

/** Has a line like `VmRSS:     57344 kB`; proc(5) counts kB of 1024 bytes. */
const OWN_STATUS = "/proc/self/status";
const BYTES_PER_KB = 1_024;

/** Millidegrees, as text. */
const THERMAL_ZONE = "/sys/class/thermal/thermal_zone0/temp";

export function createHostFigures(thermalZone = THERMAL_ZONE): HostFigures {
  const delays = monitorEventLoopDelay({ resolution: LOOP_SAMPLING_MS });
  delays.enable();
  return {
    rssBytes: readRss,
    loopDelayMs() {
      // The histogram holds the whole time between two looks; nothing yet is 0.
      const delayMs = Math.max(0, delays.max / NS_PER_MS - LOOP_SAMPLING_MS);
      delays.reset();
      return Math.round(delayMs);
    },
    temperatureC: () => readTemperature(thermalZone),
  };
}

function readRss(): number | undefined {
  const kilobytes = /^VmRSS:\s*(\d+) kB$/m.exec(read(OWN_STATUS))?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * BYTES_PER_KB;
}

function readTemperature(path: string): number | undefined {
  const millidegrees = read(path).trim();
  return /^-?\d+$/.test(millidegrees) ? Number(millidegrees) / 1_000 : undefined;
}

/** The text of a file of the kernel; empty where there is none, or a sensor does not answer. */
function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
