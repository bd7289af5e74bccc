/** The board itself: what it is, whether it has enough power, memory and air. */
import { ailing, type Finding, ok } from "./finding.ts";
import type { Machine } from "./machine.ts";

const HOT_C = 80;
const MEMORY_LOW_SHARE = 0.05;
/** Bits of the firmware's word: now, and since the start. */
const UNDER_VOLTAGE_NOW = 0x1;
const UNDER_VOLTAGE_SINCE_START = 0x10000;
const THROTTLED = "/sys/devices/platform/soc/soc:firmware/get_throttled";

export function checkBoard(machine: Machine): Finding[] {
  const findings = [...checkPower(machine), ...checkHeat(machine), ...checkMemory(machine)];
  return [ok("board", "", boardText(machine)), ...findings];
}

function boardText(machine: Machine): string {
  const model =
    machine.text("/proc/device-tree/model") || machine.text("/sys/class/dmi/id/product_name") || "unknown board";
  const kernel = machine.text("/proc/sys/kernel/osrelease") || "unknown";
  const upS = Number(machine.text("/proc/uptime").split(" ")[0] ?? 0);
  const temperature = temperatureC(machine);
  const heat = temperature === undefined ? "" : `, ${Math.round(temperature)} °C`;
  return `${model}, kernel ${kernel}, up for ${upText(upS)}${heat}`;
}

function upText(seconds: number): string {
  if (seconds < 7_200) return `${Math.floor(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.floor(seconds / 3_600)} h` : `${Math.floor(seconds / 86_400)} days`;
}

function checkPower(machine: Machine): Finding[] {
  const word = Number.parseInt(machine.text(THROTTLED), 16);
  const alarms = machine.names("/sys/class/hwmon").filter((name) => {
    const isSupply = machine.text(`/sys/class/hwmon/${name}/name`) === "rpi_volt";
    return isSupply && machine.text(`/sys/class/hwmon/${name}/in0_lcrit_alarm`) === "1";
  });
  const now = (word & UNDER_VOLTAGE_NOW) !== 0 || alarms.length > 0;
  if (!now && (word & UNDER_VOLTAGE_SINCE_START) === 0) return [];
  const ailment = {
    name: "undervoltage",
    verdict: now ? "FAULT" : "WARNING",
    found: now ? "the supply voltage is too low" : "the supply voltage was too low since the start",
    means: "adapters drop out and cards are damaged when the voltage sags",
    todo: "use a stronger power supply and a short, thick cable",
  } as const;
  return [
    ailing("board", "power", ailment, alarms.length > 0 ? "rpi_volt alarm" : `get_throttled ${word.toString(16)}`),
  ];
}

function temperatureC(machine: Machine): number | undefined {
  const text = machine.text("/sys/class/thermal/thermal_zone0/temp");
  return /^-?\d+$/.test(text) ? Number(text) / 1_000 : undefined;
}

function checkHeat(machine: Machine): Finding[] {
  const temperature = temperatureC(machine);
  if (temperature === undefined || temperature < HOT_C) return [];
  const ailment = {
    name: "too-hot",
    verdict: "WARNING",
    found: `the board is at ${Math.round(temperature)} °C`,
    means: `from ${HOT_C} °C on boards slow down, and parts age fast`,
    todo: "give it air or a heat sink, or a cooler place in the cabinet",
  } as const;
  return [ailing("board", "temperature", ailment)];
}

function checkMemory(machine: Machine): Finding[] {
  const text = machine.text("/proc/meminfo");
  const figure = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, "m").exec(text)?.[1] ?? Number.NaN);
  const [total, available] = [figure("MemTotal"), figure("MemAvailable")];
  if (!(available / total < MEMORY_LOW_SHARE)) return [];
  const ailment = {
    name: "memory-low",
    verdict: "WARNING",
    found: "almost no memory is left",
    means: "the kernel will end a program soon, maybe the gateway",
    todo: "see with `top` what takes it; the gateway itself is bounded",
  } as const;
  return [ailing("board", "memory", ailment, `${available} of ${total} kB available`)];
}
