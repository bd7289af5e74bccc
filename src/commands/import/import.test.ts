import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { LineConfig } from "../../config/config.ts";
import { loadConfig } from "../../config/load.ts";
import { runCommand } from "../../testing/command-run.ts";
import { runCommandLine } from "../cli.ts";
import { parseCsv } from "./csv.ts";
import type { Left } from "./imported.ts";

const KEPWARE = `\ufeffTag Name,Address,Data Type,Respect Data Type,Client Access,Scan Rate,Scaling,Raw Low,Raw High,Scaled Low,Scaled High,Scaled Data Type,Clamp Low,Clamp High,Eng Units,Description,Negate Value\r
"Pump.Speed",400101,Float,1,RO,500,,,,,,,,,"rpm","Speed, ""actual""",\r
"Level %",30001,Word,1,RO,1000,Linear,0,10000,0,100,Double,1,1,"%",,0\r
"Running",000004,Boolean,1,R/W,100,,,,,,,,,,,\r
"Fault","40121.04",Boolean,1,RO,100,,,,,,,,,,,\r
"Serial","400201.16H",String,1,RO,60000,,,,,,,,,,,\r
"Total",40301,DWord,1,RO,1000,,,,,,,,,,,\r
"Profile","400401 [10]",Word,1,RO,1000,,,,,,,,,,,\r
"Flow",400501,Short,1,R/W,1000,Square Root,0,100,0,10,,,,,,\r
"Odd","400601.15H",String,1,RO,1000,,,,,,,,,,,\r
"total",40303,DWord,1,RO,1000,,,,,,,,,,,\r
"Return",40310,Short,1,RO,1000,,,,,,,,,,,1\r
`;

const FLOWS = JSON.stringify([
  {
    id: "c1",
    type: "modbus-client",
    name: "Bus 1",
    clienttype: "simpleser",
    serialPort: "/dev/ttyUSB0",
    serialType: "RTU-BUFFERD",
    serialBaudrate: "9600",
    serialDatabits: "8",
    serialStopbits: "1",
    serialParity: "even",
    unit_id: "5",
    clientTimeout: "1000",
  },
  { id: "c2", type: "modbus-client", name: "plc", clienttype: "tcp", tcpHost: "10.0.0.1" },
  {
    id: "r1",
    type: "modbus-read",
    name: "Voltage",
    unitid: "",
    dataType: "InputRegister",
    adr: "0",
    quantity: "2",
    rate: "500",
    rateUnit: "ms",
    server: "c1",
  },
  {
    id: "r2",
    type: "modbus-read",
    name: "",
    unitid: "7",
    dataType: "Coil",
    adr: "3",
    quantity: "1",
    rate: "2",
    rateUnit: "s",
    server: "c1",
  },
  {
    id: "r3",
    type: "modbus-read",
    name: "far",
    unitid: "1",
    dataType: "HoldingRegister",
    adr: "0",
    quantity: "1",
    rate: "1",
    rateUnit: "s",
    server: "c2",
  },
  { id: "g1", type: "modbus-flex-getter", name: "any", server: "c1" },
  { id: "w1", type: "modbus-write", name: "set", server: "c1" },
  { id: "x", type: "debug" },
]);

interface Result {
  readonly lines: readonly LineConfig[];
  readonly left: readonly Left[];
  readonly err: string;
}

/** Imports, and loads what came of it with the gateway's own loader. */
async function imported(t: TestContext, from: string, text: string, ...args: string[]): Promise<Result> {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-import-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const [file, output, site] = [join(dir, "export"), join(dir, "lines.yaml"), join(dir, "gateway.yaml")];
  writeFileSync(file, text);
  const { code, err } = await runCommand(runCommandLine, ["import", from, file, "--output", output, ...args]);
  assert.equal(code, 0, err);
  const json = await runCommand(runCommandLine, ["import", from, file, "--json", ...args]);
  const head = 'version: 1\ngateway: { group: g, name: n }\nuplinks: { u: { servers: [ "mqtts://b" ] } }\n';
  writeFileSync(site, head + readFileSync(output, "utf8"));
  return { lines: loadConfig(site).lines, left: JSON.parse(json.out).left, err };
}

describe("sallyport import", () => {
  test("kepware: addresses, types, bits, scaling, units and rates are carried over", async (t) => {
    const { lines } = await imported(
      t,
      "kepware",
      KEPWARE,
      "--unit",
      "9",
      "--device",
      "pump-1",
      "--serial",
      "9600 8N1",
    );
    const [device] = lines[0]?.devices ?? [];
    assert.deepEqual([device?.name, device?.unitId, lines[0]?.serial.baudRate], ["pump-1", 9, 9_600]);
    const told = device?.tags.map(({ name, register, scale, units, scanRateMs }) => {
      const { table, address, type, bit, byteOrder, lengthBytes } = register;
      return [name, table, address, type, byteOrder, bit ?? lengthBytes ?? scale, units, scanRateMs].join(" ");
    });
    assert.deepEqual(told, [
      "Pump.Speed holdingRegister 100 float32 CDAB  rpm 500",
      "Level- inputRegister 0 uint16 CDAB 0.01 % 1000",
      "Running coil 3 bool CDAB   100",
      "Fault holdingRegister 120 uint16 CDAB 4  100",
      "Serial holdingRegister 200 string CDAB 16  60000",
      "Total holdingRegister 300 uint32 CDAB   1000",
      "Flow holdingRegister 500 int16 CDAB   1000",
      "total-2 holdingRegister 302 uint32 CDAB   1000",
      "Return holdingRegister 309 int16 CDAB -1  1000",
    ]);
  });

  test("kepware: what is not carried over is told, each with its tag", async (t) => {
    const { left, err } = await imported(t, "kepware", KEPWARE, "--unit", "9");
    const told = left.map(({ where, what }) => `${where}: ${what}`).join("\n");
    for (const wanted of [
      /^Level %: is called Level- now$/m,
      /^Level %: was clamped/m,
      /^Running: could be written/m,
      /^Profile: the address 400401 \[10\] is none of a single register/m,
      /^Flow: its scaling \(square root\) is left out$/m,
      /^Odd: .*even number of bytes/m,
      /^total: is called total-2 now$/m,
      /^device-1: KEPServerEX keeps the byte order with the device/m,
    ])
      assert.match(told, wanted);
    assert.match(err, /^carried over: 1 line, 1 device, 9 tags\nNOT CARRIED OVER, OR DIFFERENT\n/);
    for (const line of err.split("\n")) assert.ok(line.length <= 80, line);
  });

  test("node-red: serial reads become lines, all else is told", async (t) => {
    const { lines, left } = await imported(t, "node-red", FLOWS);
    const [line] = lines;
    assert.deepEqual(
      [line?.name, line?.path, line?.serial.parity, line?.responseTimeoutMs],
      ["Bus-1", "/dev/ttyUSB0", "even", 1_000],
    );
    const told = line?.devices.flatMap(({ name, unitId, tags }) =>
      tags.map((tag) => [name, unitId, tag.name, tag.register.table, tag.register.address, tag.scanRateMs].join(" ")),
    );
    assert.deepEqual(told, [
      "Bus-1-5 5 Voltage-0 inputRegister 0 500",
      "Bus-1-5 5 Voltage-1 inputRegister 1 500",
      "Bus-1-7 7 modbus-read-r2 coil 3 2000",
    ]);
    const where = left.map((each) => each.where).sort();
    assert.deepEqual(where, ["Voltage", "any", "far", "set"]);
  });

  test("what is no export is refused with what to do", async (t) => {
    const dir = mkdtempSync(join(tmpdir(), "sallyport-import-"));
    t.after(() => rmSync(dir, { recursive: true, force: true }));
    const file = join(dir, "export");
    const refused = async (text: string, ...args: string[]) => {
      writeFileSync(file, text);
      const { code, err } = await runCommand(runCommandLine, ["import", ...args]);
      return `${code} ${err}`;
    };
    assert.match(await refused("a,b\n1,2\n", "kepware", file, "--unit", "1"), /^78 .*no column "tag name"/);
    assert.match(await refused('"a', "kepware", file, "--unit", "1"), /^78 .*never closed/);
    assert.match(await refused("{}", "node-red", file), /^78 .*list of nodes/);
    assert.match(await refused("", "node-red", join(dir, "absent")), /^78 .*there is no file/);
    assert.match(await refused("", "kepware", file), /^64 .*--unit is missing/);
    assert.match(await refused("", "ignition", file), /^64 .*kepware or node-red/);
  });

  test("CSV: quotes, separators and line breaks as spreadsheets write them", () => {
    assert.deepEqual(parseCsv('a;b\r\n"x;1";"y\n""2"""\n\n'), [
      ["a", "b"],
      ["x;1", 'y\n"2"'],
    ]);
  });
});
