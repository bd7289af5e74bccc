import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SerialSettings } from "../../config/config.ts";
import { deviceConfig } from "../../testing/modbus-config.ts";
import { rtuFrame } from "../../testing/modbus-wire.ts";
import {
  at,
  type Cable,
  CableBench,
  type CableSite,
  DAMAGE,
  diagnose,
  flipped,
  LINE,
  REPLY_AFTER_MS,
  SERIAL,
} from "../../testing/screens/cable-bench.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { passWhile } from "../../testing/virtual-wait.ts";
import { otherSettings, testLine } from "./line-test.ts";

/** Each fault as the receiver sees it, and the one name that it must get, with whom it is told of. */
const FAULTS: readonly (readonly [name: string, subjects: readonly string[], site: CableSite])[] = [
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
    const openLine = ({ serial }: { readonly serial: SerialSettings }) => new CableBench({ units: [] }, serial, clock);
    const testing = testLine({ line: { ...LINE, devices }, openLine, clock, signal: new AbortController().signal });
    await passWhile(clock, "the line is tested", testing);
    assert.ok(clock.monotonicMs() < 25_000, `${clock.monotonicMs()}`);
  });
});
