import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import type { LineConfig, SerialSettings } from "../../config/config.ts";
import type { SerialLine } from "../../sources/modbus/serial-line.ts";
import { deviceConfig, lineConfig, registerTag } from "../../testing/modbus-config.ts";
import { ModbusDevice } from "../../testing/modbus-device.ts";
import { rtuFrame, takeRequest } from "../../testing/modbus-wire.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { passWhile } from "../../testing/virtual-wait.ts";
import { type Finding, findingText } from "./finding.ts";
import { judgeLine } from "./judge-line.ts";
import { otherSettings, testLine } from "./line-test.ts";

interface Arrival {
  readonly afterMs: number;
  readonly bytes: Uint8Array;
}

/** What comes to the gateway's receiver after a request: the right reply, or what a fault of the cable makes of it. */
type Cable = (
  reply: Uint8Array,
  asked: { readonly unitId: number; readonly nth: number; readonly adu: Uint8Array },
) => readonly Arrival[];

interface Site {
  readonly cable?: Cable;
  /** At which settings the devices listen; absent: the configured ones. */
  readonly devicesAt?: SerialSettings;
  /** Heard while nobody asks. */
  readonly idle?: Uint8Array;
  readonly units?: readonly number[];
  readonly refuses?: boolean;
}

const SERIAL: SerialSettings = { baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 };
const LINE: LineConfig = lineConfig(
  "/dev/bench",
  [1, 2, 3].map((unitId) => {
    const name = `meter-${unitId}`;
    return deviceConfig(name, unitId, [
      registerTag(name, "power", { table: "holdingRegister", address: 10, type: "float32" }),
    ]);
  }),
);
const REPLY_AFTER_MS = 20;
const at = (bytes: Uint8Array, afterMs = REPLY_AFTER_MS): readonly Arrival[] => [{ afterMs, bytes }];

/** A port with real devices far away, and a cable between that does what it is told. */
class Bench implements SerialLine {
  onData: (bytes: Uint8Array) => void = () => undefined;
  onLost: (reason: string) => void = () => undefined;
  #open = false;
  #asked = 0;
  readonly #site: Site;
  readonly #serial: SerialSettings;
  readonly #clock: VirtualClock;

  constructor(site: Site, serial: SerialSettings, clock: VirtualClock) {
    this.#site = site;
    this.#serial = serial;
    this.#clock = clock;
  }

  async open(): Promise<void> {
    this.#open = true;
    const { idle } = this.#site;
    if (idle !== undefined) this.#arrive(at(idle));
  }

  async write(bytes: Uint8Array): Promise<void> {
    const { cable = (reply) => at(reply), devicesAt = SERIAL, units = [1, 2, 3], refuses = false } = this.#site;
    const request = takeRequest(bytes)?.request;
    assert.ok(request !== undefined);
    const hears = JSON.stringify(devicesAt) === JSON.stringify(this.#serial);
    if (!hears || !units.includes(request.unitId)) return;
    const device = new ModbusDevice(request.unitId);
    device.set("holdingRegister", 10, 0x4248, 0x1357 + request.unitId);
    const pdu = refuses ? Uint8Array.of(0x83, 2) : device.answer(request.pdu);
    const asked = { unitId: request.unitId, nth: this.#asked++, adu: request.adu };
    this.#arrive(cable(rtuFrame(request.unitId, pdu), asked));
  }

  async discardInput(): Promise<void> {}
  pause(): void {}
  resume(): void {}
  async close(): Promise<void> {
    this.#open = false;
  }

  #arrive(arrivals: readonly Arrival[]): void {
    for (const { afterMs, bytes } of arrivals) {
      this.#clock.after(afterMs, () => {
        if (this.#open) this.onData(bytes);
      });
    }
  }
}

async function diagnose(site: Site): Promise<readonly Finding[]> {
  const clock = new VirtualClock();
  const openLine = ({ serial }: { readonly serial: SerialSettings }) => new Bench(site, serial, clock);
  const testing = testLine({ line: LINE, openLine, clock, signal: new AbortController().signal });
  return judgeLine(await passWhile(clock, "the line is tested", testing));
}

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, i) => (i === at ? byte ^ 0x10 : byte));
}

const DAMAGE: Cable = (reply, { nth }) => at(nth % 4 === 1 ? flipped(reply, 4) : reply);

/** Each fault as the receiver sees it, and the one name that it must get, with whom it is told of. */
const FAULTS: readonly (readonly [name: string, subjects: readonly string[], site: Site])[] = [
  ["line-silent", ["RS485-1"], { units: [] }],
  ["ab-swapped", ["RS485-1"], { cable: () => at(Uint8Array.of(0)) }],
  ["wrong-parity", ["meter-1", "meter-2", "meter-3"], { devicesAt: { ...SERIAL, parity: "none" } }],
  ["wrong-speed", ["meter-1", "meter-2", "meter-3"], { devicesAt: { ...SERIAL, baudRate: 9_600 } }],
  ["device-silent", ["meter-2"], { units: [1, 3] }],
  [
    "duplicate-unit-id",
    ["meter-2"],
    { cable: (reply, { unitId }) => (unitId === 2 ? [...at(reply), ...at(reply, REPLY_AFTER_MS + 9)] : at(reply)) },
  ],
  ["direction-late", ["RS485-1"], { cable: (reply) => at(reply.subarray(2)) }],
  ["termination-missing", ["RS485-1"], { cable: DAMAGE }],
  ["noise", ["RS485-1"], { cable: DAMAGE, idle: Uint8Array.of(0xf3, 0x3c, 0x9e, 0x81, 0xff) }],
  ["bias-missing", ["meter-1", "meter-2", "meter-3"], { cable: (reply) => at(Uint8Array.of(...reply, 0xff)) }],
  ["echo", ["RS485-1"], { cable: (reply, { adu }) => [...at(adu, 1), ...at(reply)] }],
  ["other-master", ["RS485-1"], { idle: rtuFrame(9, Uint8Array.of(3, 0, 0, 0, 2)) }],
  [
    "slow-device",
    ["meter-3"],
    { cable: (reply, { unitId }) => at(reply, unitId === 3 ? LINE.responseTimeoutMs + 200 : REPLY_AFTER_MS) },
  ],
  ["register-refused", ["meter-1", "meter-2", "meter-3"], { refuses: true }],
  ["line-garbled", ["RS485-1"], { cable: () => at(Uint8Array.of(0x9c, 0xe1, 0x73, 0x1e, 0xf8, 0x7c)) }],
  ["foreign-unit", ["RS485-1"], { cable: (reply) => at(rtuFrame(77, reply.subarray(1, -2))) }],
  ["gaps", ["meter-1"], { cable: (reply, { unitId, nth }) => (unitId === 1 && nth > 3 ? [] : at(reply)) }],
];

describe("doctor at a line", () => {
  test("the README shows what doctor says", async () => {
    const twice: Cable = (reply, { unitId }) =>
      unitId === 2 ? [...at(reply), ...at(reply, REPLY_AFTER_MS + 9)] : at(reply);
    const sound = await diagnose({});
    const findings = [...sound, ...(await diagnose({ cable: twice })), ...(await diagnose({ cable: DAMAGE }))];
    const screen = findings.map((finding) => findingText(finding, 80)).join("");
    const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
    assert.ok(readme.includes(screen), `README.md does not have:\n${screen}`);
  });

  test("says nothing of a healthy one", async () => {
    const findings = await diagnose({});
    assert.deepEqual(
      findings.map(({ verdict, found }) => [verdict, found]),
      [["OK", "18 requests, all answered whole, 19200 8E1"]],
    );
  });

  for (const [name, subjects, site] of FAULTS) {
    test(`calls it ${name}, and nothing else`, async () => {
      const findings = await diagnose(site);
      assert.deepEqual([...new Set(findings.map((finding) => finding.name))], [name]);
      assert.deepEqual(
        findings.map((finding) => finding.subject.split(" ").at(-1)),
        subjects,
      );
      for (const { means, todo, evidence } of findings) assert.ok(means !== "" && todo !== "" && evidence !== "");
    });
  }

  test("a bad cable spoils one device more than others, and is no second device", async () => {
    const spoils: Cable = (reply, { unitId, nth }) => at(unitId !== 1 && nth % 2 === 0 ? flipped(reply, 5) : reply);
    const [finding] = await diagnose({ cable: spoils });
    assert.equal(finding?.name, "termination-missing");
  });

  test("looks for other settings in a fixed order, each once, the other parities first", () => {
    const settings = otherSettings(SERIAL).map(({ baudRate, parity }) => `${baudRate} ${parity}`);
    assert.deepEqual(settings.slice(0, 3), ["19200 none", "19200 odd", "9600 even"]);
    assert.equal(new Set(settings).size, settings.length);
  });

  test("ends within seconds, however many devices are silent", async () => {
    const clock = new VirtualClock();
    const devices = Array.from({ length: 40 }, (_, i) => deviceConfig(`d${i}`, i + 1, LINE.devices[0]?.tags ?? []));
    const openLine = ({ serial }: { readonly serial: SerialSettings }) => new Bench({ units: [] }, serial, clock);
    const testing = testLine({ line: { ...LINE, devices }, openLine, clock, signal: new AbortController().signal });
    await passWhile(clock, "the line is tested", testing);
    assert.ok(clock.monotonicMs() < 25_000, `${clock.monotonicMs()}`);
  });
});
