/** A search in virtual time, on a line whose devices hear only their own settings. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SerialSettings } from "../../config/config.ts";
import { parseConfig } from "../../config/load.ts";
import { modelNames, showModel } from "../../config/model.ts";
import { parseSerial, serialText } from "../../config/values.ts";
import { seededRandom } from "../../core/random.ts";
import { Bus } from "../../sources/modbus/bus.ts";
import { ALL_UNITS, FIELD_SETTINGS, isSame, planScan, scanMs } from "../../sources/modbus/scan-plan.ts";
import { lineConfig } from "../../testing/modbus-config.ts";
import { ModbusDevice } from "../../testing/modbus-device.ts";
import { SimulatedLine } from "../../testing/simulated-line.ts";
import { StandIn } from "../../testing/stand-in.ts";
import { VirtualClock } from "../../testing/virtual-clock.ts";
import { lineOfModel } from "../simulate/played-line.ts";
import { identify } from "./identify.ts";
import { gatewayFile, linesSection } from "./lines-section.ts";
import { ModelShelf } from "./model-shelf.ts";
import { type Progress, type ScanResult, scanLine } from "./scanner.ts";

const TIMEOUT_MS = 150;
const NEVER = Number.POSITIVE_INFINITY;
const shelf = new ModelShelf();

type Site = readonly { readonly serial: string; readonly device: ModbusDevice }[];

interface Search {
  readonly result: ScanResult;
  readonly tookMs: number;
  readonly foretoldMs: number;
  readonly progress: readonly Progress[];
  readonly lost: readonly string[];
}

async function search(
  site: Site,
  { settings = FIELD_SETTINGS, units = ALL_UNITS, stopAt = NEVER, goneAfter = NEVER } = {},
): Promise<Search> {
  const clock = new VirtualClock(undefined, 1);
  const steps = planScan(settings, units);
  const progress: Progress[] = [];
  const stop = new AbortController();
  const lost: string[] = [];
  let opened = 0;
  const openBus = async (serial: SerialSettings) => {
    if (opened++ >= goneAfter) throw new Error("/dev/simulated is not there");
    const devices = site.filter((each) => isSame(parseSerial(each.serial), serial)).map(({ device }) => device);
    const config = lineConfig("/dev/simulated", [], { serial, responseTimeoutMs: TIMEOUT_MS });
    const line = new SimulatedLine({ clock, devices, serial });
    const meters = new Map();
    const bus = new Bus({ line, config, clock, meters, onLost: () => undefined, onSuspect: () => undefined });
    await bus.open();
    return bus;
  };
  const searching = scanLine({
    steps,
    responseTimeoutMs: TIMEOUT_MS,
    openBus,
    identify: (bus, unitId, signal) => identify(bus, unitId, shelf, signal),
    clock,
    signal: stop.signal,
    onProgress: (each) => {
      progress.push(each);
      if (each.asked >= stopAt) stop.abort();
    },
    onFound: () => undefined,
    onLost: (reason) => lost.push(reason),
  });
  let isOver = false;
  const end = () => {
    isOver = true;
  };
  searching.then(end, end);
  while (!isOver) await clock.advance(1_000);
  const result = await searching;
  return { result, tookMs: clock.monotonicMs(), foretoldMs: scanMs(steps, TIMEOUT_MS), progress, lost };
}

function meter(unitId: number, model: string): ModbusDevice {
  const [config] = lineOfModel({ model, unitId: String(unitId), serial: "9600 8N1" }).devices;
  assert.ok(config !== undefined);
  const standIn = new StandIn(config, {});
  standIn.move(1_000);
  standIn.device.faults = ({ functionCode }) => (functionCode === 17 ? { exceptionCode: 1 } : {});
  return standIn.device;
}

function namedDevice(unitId: number, objects: readonly (readonly [number, string])[]): ModbusDevice {
  const device = new ModbusDevice(unitId);
  device.identification = new Map(objects);
  return device;
}

function mixedSite(): Site {
  const server = new ModbusDevice(7);
  server.serverId = "Flow 3";
  const bare = new ModbusDevice(40);
  bare.faults = ({ functionCode }) => (functionCode === 4 ? {} : { exceptionCode: 1 });
  return [
    { serial: "9600 8N1", device: meter(1, "eastron-sdm630") },
    {
      serial: "9600 8N1",
      device: namedDevice(247, [
        [0, "Acme"],
        [1, "F-3"],
        [2, "1.2"],
      ]),
    },
    { serial: "9600 8N1", device: bare },
    {
      serial: "19200 8E1",
      device: namedDevice(1, [
        [0, "Eastron"],
        [1, "SDM120-Modbus"],
      ]),
    },
    { serial: "115200 8N1", device: server },
  ];
}

test("five devices at mixed settings are found, named, and the time was foretold within a fifth", async () => {
  const { result, tookMs, foretoldMs } = await search(mixedSite());
  assert.ok(result.complete);
  assert.deepEqual(result.unclear, []);
  const told = result.found.map(({ unitId, serial, identity }) => [
    `${unitId} ${serialText(serial)}`,
    identity.by,
    identity.model,
  ]);
  assert.deepEqual(told, [
    ["1 9600 8N1", "registers", "eastron-sdm630"],
    ["40 9600 8N1", null, null],
    ["247 9600 8N1", "43/14", null],
    ["1 19200 8E1", "43/14", "eastron-sdm120"],
    ["7 115200 8N1", "17", null],
  ]);
  assert.equal(result.found[2]?.identity.text, "Acme F-3 1.2");
  assert.ok(Math.abs(tookMs / foretoldMs - 1) < 0.2, `${tookMs} ms, foretold ${foretoldMs}`);
});

test("what is left is told truly all the while, and the find comes early", async () => {
  const { progress, tookMs } = await search([{ serial: "19200 8E1", device: new ModbusDevice(3) }], {
    units: ALL_UNITS.slice(0, 30),
  });
  assert.ok((progress.find(({ found }) => found === 1)?.asked ?? 1_000) < 25);
  for (const [i, { leftMs, asked, toAsk }] of progress.entries()) {
    const truthMs = tookMs * (1 - asked / toAsk);
    assert.ok(Math.abs(leftMs - truthMs) < tookMs * 0.2, `step ${i}: ${leftMs} told, about ${truthMs} were left`);
  }
});

test("P7: a scan that is called off ends with what it has", async () => {
  const { result, progress } = await search([{ serial: "9600 8N1", device: new ModbusDevice(2) }], { stopAt: 20 });
  assert.equal(progress.at(-1)?.asked, 20, "and at once");
  assert.equal(result.complete, false);
  assert.deepEqual(
    result.found.map(({ unitId }) => unitId),
    [2],
  );
});

test("a port that is gone amid a scan ends it with what was found", async () => {
  const site = [{ serial: "9600 8N1", device: new ModbusDevice(2) }];
  const { result, lost } = await search(site, { units: [1, 2], goneAfter: 1 });
  assert.equal(result.complete, false);
  assert.deepEqual(
    result.found.map(({ unitId }) => unitId),
    [2],
  );
  assert.deepEqual(lost, ["/dev/simulated is not there"]);
  await assert.rejects(search(site, { goneAfter: 0 }), /is not there/);
});

test("two devices with one address are told as unclear, and as nothing else", async () => {
  const noisy = new ModbusDevice(4);
  noisy.faults = { flipBit: 20 };
  const { result } = await search([{ serial: "9600 8N1", device: noisy }], { units: [3, 4, 5] });
  assert.deepEqual(result.found, []);
  assert.deepEqual(
    result.unclear.map(({ unitId, serial }) => `${unitId} ${serialText(serial)}`),
    ["4 9600 8N1"],
  );
});

test("what was found is a section that gateway.yaml takes, with the majority's settings", async () => {
  const { result } = await search(mixedSite(), { settings: FIELD_SETTINGS.slice(0, 5) });
  const section = linesSection(result.found, "/dev/ttyUSB0");
  const { lines } = parseConfig("/tmp/gateway.yaml", gatewayFile(section)).config;
  assert.equal(serialText(lines[0]?.serial ?? { baudRate: 0, dataBits: 8, parity: "none", stopBits: 1 }), "9600 8N1");
  assert.deepEqual(
    lines[0]?.devices.map(({ name }) => name),
    ["eastron-sdm630-1", "device-40", "device-247"],
  );
  assert.match(section, /#.*unit 1 at 19200 8E1: Eastron SDM120/);
  assert.equal(linesSection([], "/dev/ttyUSB0"), "");
});

test("every setting that a model leaves the factory with is tried", () => {
  for (const { id, factory } of modelNames().map((name) => showModel(name))) {
    const { serial } = factory;
    assert.ok(serial === undefined || FIELD_SETTINGS.some((each) => isSame(each, serial)), id);
  }
});

/** They hold nothing but bits, and a bit may be anything: the README names them. */
const UNTOLD = ["advantech-adam-4056so", "waveshare-relay-8ch", "waveshare-relay-d", "wellpro-wp8028"];

test("a device that says nothing of itself is taken for its model, and for no other one; all but four of bits only", async () => {
  const wrong: string[] = [];
  const untold: string[] = [];
  for (const id of modelNames()) {
    const site = [{ serial: "9600 8N1", device: meter(1, id) }];
    const { result } = await search(site, { settings: FIELD_SETTINGS.slice(0, 1), units: [1] });
    const text = result.found[0]?.identity.text ?? null;
    if (text === null) untold.push(id);
    else if (!text.includes(id)) wrong.push(`${id} taken for ${text}`);
  }
  assert.deepEqual(wrong, []);
  assert.deepEqual(untold, UNTOLD);
});

test("a drive whose first registers hold nothing is told by the others", async () => {
  const drive = meter(1, "danfoss-fc51");
  for (const address of [16_019, 16_119, 16_129]) drive.set("holdingRegister", address, 0);
  const site = [{ serial: "9600 8N1", device: drive }];
  const { result } = await search(site, { settings: FIELD_SETTINGS.slice(0, 1), units: [1] });
  assert.equal(result.found[0]?.identity.model, "danfoss-fc51");
});

test("a device that answers anything with anything is taken for no model", async () => {
  const random = seededRandom(3);
  const device = new ModbusDevice(1);
  device.faults = ({ functionCode }) => (functionCode === 17 ? { exceptionCode: 1 } : {});
  for (const table of ["holdingRegister", "inputRegister"] as const) {
    device.set(table, 0, ...Array.from({ length: 60_000 }, () => Math.floor(random.next() * 65_536)));
  }
  const site = [{ serial: "9600 8N1", device }];
  const { result } = await search(site, { settings: FIELD_SETTINGS.slice(0, 1), units: [1] });
  assert.equal(result.found[0]?.identity.model, null);
});

test("a device is named by a whole name in what it says, not by a part of another one", () => {
  for (const [text, model] of [
    ["Eastron SDM630", "eastron-sdm630"],
    ["EASTRON SDM-630 MCT V2", "eastron-sdm630"],
    ["SDM630MCT-2L", "eastron-sdm630"],
    ["Janitza UMG96RM", "janitza-umg96rm"],
    ["XYMD02", "xy-md02"],
    ["XY-MD02 1.0", "xy-md02"],
    ["SDM6300", undefined],
    ["CMD02", undefined],
    ["UMG 596RM", undefined],
  ] as const) {
    assert.equal(shelf.named(text), model, text);
  }
});
