/** What the commands show, as the README prints it: each screen comes from the command's own code. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { check } from "../../commands/check.ts";
import { findingText } from "../../commands/doctor/finding.ts";
import { read } from "../../commands/read/read.ts";
import { scan } from "../../commands/scan/scan.ts";
import { lineOfModel } from "../../commands/simulate/played-line.ts";
import { draw, FIRST_VIEW } from "../../commands/watch/view.ts";
import { hostClock } from "../../core/clock.ts";
import { assert } from "../../core/errors.ts";
import { runCommand } from "../command-run.ts";
import { ModbusDevice } from "../modbus-device.ts";
import { openPtyPair } from "../pty.ts";
import { serveDevices } from "../simulated-bus.ts";
import { StandIn } from "../stand-in.ts";
import { at, type Cable, DAMAGE, diagnose, REPLY_AFTER_MS } from "./cable-bench.ts";
import { networkTable } from "./network-table.ts";
import { picture, status } from "./watched-site.ts";

const SIZE = { columns: 80, rows: 24 };
/** What a port is called where the README speaks of one. */
const PORT = "/dev/ttyUSB0";
const SERIAL = ["--serial", "9600 8N1"];
/** However busy the machine, everybody answers within that; telling models apart waits for it some times. */
const TIMEOUT = ["--timeout", "1s"];

/** By the name that follows the fence in the README, `NAME-screen`. */
export async function screens(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ["doctor", await doctorScreen()],
    ["check", await checkScreen()],
    ["capacity", await capacityScreen()],
    ["network", networkTable(SIZE.columns)],
    ["scan", await scanScreen()],
    ["read", await readScreen()],
    ["watch", watchScreen()],
  ]);
}

async function doctorScreen(): Promise<string> {
  const twice: Cable = (reply, { unitId }) =>
    unitId === 2 ? [...at(reply), ...at(reply, REPLY_AFTER_MS + 9)] : at(reply);
  const sound = await diagnose({});
  const findings = [...sound, ...(await diagnose({ cable: twice })), ...(await diagnose({ cable: DAMAGE }))];
  return findings.map((finding) => findingText(finding, SIZE.columns)).join("");
}

/** The line of the README's example, and what becomes of it where devices are lost. */
async function checkScreen(): Promise<string> {
  const out = await checked();
  return /^ {2}RS485-1 at [\s\S]*?(?=\n\n)/m.exec(out)?.[0] ?? out;
}

/** The same site, without what is taken for granted. */
async function capacityScreen(): Promise<string> {
  const out = await checked("--capacity");
  return /^what is read[\s\S]*?(?=\n\ntaken)/m.exec(out)?.[0] ?? out;
}

async function checked(...options: readonly string[]): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-screens-"));
  try {
    const file = join(dir, "gateway.yaml");
    await writeFile(file, CHECKED);
    return (await runCommand(check, [file, ...options])).out;
  } finally {
    await rm(dir, { recursive: true });
  }
}

const CHECKED = `version: 1
gateway: { group: plant-7, name: pump-house-3 }
uplinks: { cloud: { servers: [ "mqtts://broker.example.com:8883" ] } }
lines:
  RS485-1:
    path: ${PORT}
    serial: 9600 8N1
    devices:
      meter-1: { unitId: 1, model: eastron-sdm630 }
      meter-2: { unitId: 3, model: eastron-sdm630 }
      pump-1:
        unitId: 2
        scanRate: 500ms
        tags:
          speed:   { register: 40101, type: float32 }
          running: { coil: 3 }
          fault:   { holdingRegister: 102, bit: 4, scanRate: 2s }
`;

/** One device of a model of ours, one that tells its name, one that tells nothing. */
async function scanScreen(): Promise<string> {
  const told = new ModbusDevice(2);
  told.identification = new Map([
    [0, "Acme"],
    [1, "F-3"],
  ]);
  const untold = new ModbusDevice(12);
  untold.faults = ({ functionCode }) => (functionCode === 17 ? NOT_KNOWN : {});
  const args = ["--listen", "0", "--units", "1,2,12"];
  return atLine([meter(1), told, untold], (port) => runCommand(scan, [port, ...args, ...SERIAL, ...TIMEOUT]));
}

const NOT_KNOWN = { exceptionCode: 1 };

function meter(unitId: number): ModbusDevice {
  const [config] = lineOfModel({ model: "eastron-sdm630", unitId: String(unitId), serial: "9600 8N1" }).devices;
  assert(config !== undefined, "the model is there");
  const standIn = new StandIn(config, {});
  standIn.move(MOVED_MS);
  standIn.device.faults = ({ functionCode }) => (functionCode === 17 ? NOT_KNOWN : {});
  return standIn.device;
}

const MOVED_MS = 1_000;

/** The volts of a phase as the manual of an energy meter prints them: 230.2. */
async function readScreen(): Promise<string> {
  const device = new ModbusDevice(1);
  device.set("inputRegister", 0, 0x4366, 0x3334);
  const args = [...SERIAL, "--unit", "1", "30001", "--count", "2", ...TIMEOUT];
  const out = await atLine([device], (port) => runCommand(read, [port, ...args]));
  // How long it took is another figure each time, and the legend stands beside the screen.
  return out.split("\n").slice(2, -2).join("\n").trimEnd();
}

/** What a command told at a port with these devices, the port under the name that the README gives it. */
async function atLine(
  devices: readonly ModbusDevice[],
  command: (port: string) => Promise<{ readonly out: string }>,
): Promise<string> {
  const pty = await openPtyPair();
  const stop = serveDevices(pty.master, devices, hostClock);
  try {
    const { out } = await command(pty.path);
    return out.replaceAll(pty.path, PORT);
  } finally {
    stop();
    await pty.close();
  }
}

function watchScreen(): string {
  const now = picture(status(-10, 0, 0, 5_000, 0), status(0, 200, 198, 3_000, 2_000));
  return draw(FIRST_VIEW, now, SIZE).join("\n");
}
