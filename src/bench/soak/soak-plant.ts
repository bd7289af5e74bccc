/** Lines of counting devices on terminal pairs, for hours: bounded books, and troubles that come and go. */
import { hostClock } from "../../core/clock.ts";
import type { Random } from "../../core/random.ts";
import { ModbusDevice } from "../../testing/modbus-device.ts";
import { type ModbusRequest, word } from "../../testing/modbus-wire.ts";
import { openPtyPair, type PtyPair } from "../../testing/pty.ts";
import { serveDevices } from "../../testing/simulated-bus.ts";
import { ServedNumbers } from "./served-numbers.ts";

export interface PlantSize {
  readonly lines: number;
  readonly devicesPerLine: number;
  readonly tagsPerDevice: number;
  readonly scanRateMs: number;
}

interface SoakDevice {
  readonly name: string;
  readonly served: ServedNumbers;
  trouble: "none" | "dead" | "garbled";
}

interface SoakLine {
  readonly pair: PtyPair;
  readonly devices: readonly SoakDevice[];
  readonly stop: () => void;
  /** Who gave the last reply. */
  last: SoakDevice | undefined;
}

/** Generous: on a busy machine the simulated devices are late for reasons of their own. */
export const RESPONSE_TIMEOUT_MS = 3_000;
/** Whoever was answered this long before the end of a line or a process had the reply in time. */
const REPLY_UNDERWAY_MS = 3_000;
const READ_HOLDING_REGISTERS = 3;
/** The bits of the longest frame. */
const FRAME_BITS = 2_048;

export class SoakPlant {
  readonly size: PlantSize;
  readonly #lines: readonly SoakLine[];

  private constructor(size: PlantSize, lines: readonly SoakLine[]) {
    this.size = size;
    this.#lines = lines;
  }

  /** @param random draws the bits that arrive wrong */
  static async open(size: PlantSize, random: Random): Promise<SoakPlant> {
    const lines: SoakLine[] = [];
    for (let nth = 1; nth <= size.lines; nth++) {
      const pair = await openPtyPair();
      const devices = Array.from({ length: size.devicesPerLine }, (_, i) => ({
        name: `d${nth}-${i + 1}`,
        served: new ServedNumbers(),
        trouble: "none" as const,
      }));
      const line: SoakLine = { pair, devices, stop: () => undefined, last: undefined };
      const answering = devices.map((device, i) => answeringDevice(device, i + 1, line, size.tagsPerDevice, random));
      lines.push(Object.assign(line, { stop: serveDevices(pair.master, answering, hostClock) }));
    }
    return new SoakPlant(size, lines);
  }

  /** By the device's name. */
  served(): ReadonlyMap<string, ServedNumbers> {
    return new Map(this.#lines.flatMap(({ devices }) => devices.map(({ name, served }) => [name, served])));
  }

  /** The newest number of each device. */
  newest(): ReadonlyMap<string, number> {
    return new Map([...this.served()].map(([name, { newest }]) => [name, newest]));
  }

  trouble(line: number, device: number, trouble: SoakDevice["trouble"]): void {
    const one = this.#lines[line]?.devices[device];
    if (one !== undefined) one.trouble = trouble;
  }

  async vanish(line: number): Promise<void> {
    await this.#lines[line]?.pair.vanish();
    this.#forgiveLast(line);
  }

  async comeBack(line: number): Promise<void> {
    await this.#lines[line]?.pair.comeBack();
  }

  /** The process that read the lines has ended: one reply a line may have been on its way. */
  readerEnded(): void {
    for (const line of this.#lines.keys()) this.#forgiveLast(line);
  }

  /** Somebody was held up, and replies since then may have come after their time. Tells how many. */
  forgiveSince(wallMs: number): number {
    let forgiven = 0;
    for (const served of this.served().values()) {
      for (let number = served.newest; number >= 1 && served.servedMs(number) >= wallMs; number--) {
        if (served.forgive(number)) forgiven += 1;
      }
    }
    return forgiven;
  }

  fallSilent(): void {
    for (const { devices } of this.#lines) for (const device of devices) device.trouble = "dead";
  }

  async close(): Promise<void> {
    for (const { stop } of this.#lines) stop();
    await Promise.all(this.#lines.map(({ pair }) => pair.close()));
  }

  /** The `lines:` section of gateway.yaml. */
  yaml(): string {
    return `lines:\n${this.#lines.map((line, nth) => lineYaml(nth + 1, line, this.size)).join("")}`;
  }

  #forgiveLast(nth: number): void {
    const served = this.#lines[nth]?.last?.served;
    if (served === undefined || hostClock.wallMs() - served.servedMs(served.newest) > REPLY_UNDERWAY_MS) return;
    served.forgive(served.newest);
  }
}

function answeringDevice(
  device: SoakDevice,
  unitId: number,
  line: SoakLine,
  registers: number,
  random: Random,
): ModbusDevice {
  const answering = new ModbusDevice(unitId);
  answering.faults = (request) => {
    if (device.trouble === "dead") return { silent: true };
    if (device.trouble === "garbled") return { flipBit: Math.floor(random.next() * FRAME_BITS) };
    // A shorter read, as a lost device is looked for, is answered with what was served before.
    if (readsAll(request, registers)) {
      const value = device.served.serve(hostClock.wallMs());
      answering.set("holdingRegister", 0, ...new Array<number>(registers).fill(value));
      line.last = device;
    }
    return {};
  };
  return answering;
}

function readsAll({ pdu }: ModbusRequest, registers: number): boolean {
  return pdu[0] === READ_HOLDING_REGISTERS && word(pdu, 1) === 0 && word(pdu, 3) >= registers;
}

function lineYaml(nth: number, { pair, devices }: SoakLine, size: PlantSize): string {
  const tags = Array.from({ length: size.tagsPerDevice }, (_, i) => `r${i}: { holdingRegister: ${i}, type: uint16 }`);
  const each = devices.map(
    ({ name }, i) => `      ${name}: { unitId: ${i + 1}, scanRate: ${size.scanRateMs}ms, tags: { ${tags.join(", ")} } }
`,
  );
  return `  line-${nth}:
    path: ${pair.path}
    serial: 115200 8N1
    responseTimeout: ${RESPONSE_TIMEOUT_MS}ms
    devices:
${each.join("")}`;
}
