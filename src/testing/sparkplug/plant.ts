/** Devices behind a terminal that count their replies, come to a stand, and fall silent one by one. */
import { hostClock } from "../../core/clock.ts";
import { Condition } from "../condition.ts";
import type { ServedReply } from "../counting-plant.ts";
import { ModbusDevice } from "../modbus-device.ts";
import { openPtyPair, type PtyPair } from "../pty.ts";
import { serveDevices } from "../simulated-bus.ts";

export interface PlantOptions {
  readonly devices: readonly string[];
  readonly tagsPerDevice: number;
  readonly scanRateMs: number;
  /** Generous where every reply must be read, for on a busy machine the devices are late for reasons of their own. */
  readonly responseTimeoutMs: number;
  readonly retries: number;
}

export interface Plant {
  /** The `lines:` section of gateway.yaml. */
  readonly yaml: string;
  readonly adapter: Pick<PtyPair, "vanish" | "comeBack">;
  /** Replies that carried a new number in all tags, by device, oldest first. */
  readonly served: ReadonlyMap<string, readonly ServedReply[]>;
  /** Every reply repeats the values of the last one, until they move again. */
  stand(standing: boolean): void;
  silence(device: string, silent: boolean): void;
  /** Resolves when every device has answered so many more times. */
  answers(times: number): Promise<void>;
  close(): Promise<void>;
}

const WAIT_LIMIT_MS = 60_000;
/** A uint16 must not wrap: a count stands for one reply. */
const COUNT_MAX = 65_535;

interface Switches {
  standing: boolean;
  readonly silent: Set<string>;
}

export async function openPlant(options: PlantOptions): Promise<Plant> {
  const pair = await openPtyPair();
  const switches: Switches = { standing: false, silent: new Set() };
  const condition = new Condition(hostClock);
  const served = new Map<string, ServedReply[]>();
  const replies = new Map<string, number>();
  const devices = options.devices.map((name, i) => {
    const log: ServedReply[] = [];
    served.set(name, log);
    return countingDevice(i + 1, options.tagsPerDevice, log, () => {
      if (switches.silent.has(name)) return "silent";
      replies.set(name, (replies.get(name) ?? 0) + 1);
      condition.changed();
      return switches.standing ? "stands" : "counts";
    });
  });
  const stop = serveDevices(pair.master, devices, hostClock);
  return {
    yaml: yamlOf(pair.path, options),
    adapter: pair,
    served,
    stand(standing) {
      switches.standing = standing;
    },
    silence(device, silent) {
      if (silent) switches.silent.add(device);
      else switches.silent.delete(device);
    },
    answers(times) {
      const goals = options.devices.map((name) => [name, (replies.get(name) ?? 0) + times] as const);
      const reached = () => goals.every(([name, goal]) => (replies.get(name) ?? 0) >= goal);
      return condition.until(`every device answers ${times} times`, reached, WAIT_LIMIT_MS);
    },
    async close() {
      stop();
      await pair.close();
    },
  };
}

type Answer = "counts" | "stands" | "silent";

function countingDevice(unitId: number, registers: number, log: ServedReply[], next: () => Answer): ModbusDevice {
  const device = new ModbusDevice(unitId);
  device.faults = () => {
    const answer = next();
    if (answer === "silent") return { silent: true };
    if (answer === "stands") return {};
    const count = log.length + 1;
    if (count > COUNT_MAX) throw new Error("a counting device ran out of numbers");
    device.set("holdingRegister", 0, ...new Array<number>(registers).fill(count));
    log.push({ count, wallMs: hostClock.wallMs() });
    return {};
  };
  return device;
}

function yamlOf(
  path: string,
  { devices, tagsPerDevice, scanRateMs, responseTimeoutMs, retries }: PlantOptions,
): string {
  const tags = Array.from({ length: tagsPerDevice }, (_, i) => `r${i}: { holdingRegister: ${i}, type: uint16 }`);
  const sections = devices.map(
    (name, i) =>
      `      ${name}: { unitId: ${i + 1}, scanRate: ${scanRateMs}ms, retries: ${retries}, tags: { ${tags.join(", ")} } }\n`,
  );
  return `lines:
  line-1:
    path: ${path}
    serial: 115200 8N1
    responseTimeout: ${responseTimeoutMs}ms
    devices:
${sections.join("")}`;
}
