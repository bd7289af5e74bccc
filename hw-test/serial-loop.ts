import { judgeLine } from "../src/commands/doctor/judge-line.ts";
import { testLine } from "../src/commands/doctor/line-test.ts";
import type { SerialSettings } from "../src/config/config.ts";
import { messageOf } from "../src/core/errors.ts";
import type { SerialLine } from "../src/sources/modbus/serial-line.ts";
import { type Bench, failed, type Outcome, passed, type Step, skipped } from "./step.ts";

const SETTINGS: readonly SerialSettings[] = [
  { baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 },
  { baudRate: 19_200, dataBits: 8, parity: "even", stopBits: 1 },
  { baudRate: 38_400, dataBits: 8, parity: "odd", stopBits: 1 },
  { baudRate: 115_200, dataBits: 8, parity: "none", stopBits: 2 },
];

const LONGEST_FRAME = Uint8Array.from({ length: 256 }, (_, i) => i);
/** A frame takes 0.3 s at 9600 baud; adapters and their drivers may hold it for as long again. */
const FRAME_LIMIT_MS = 5_000;

export const serialLoop: Step = {
  name: "line",
  title: "every byte passes the RS-485 lines",
  wiring: `Join two lines, and name both: --lines RS485-1,RS485-2

    line 1                     line 2
    A (D+) o-----------------o A (D+)
    B (D-) o-----------------o B (D-)
    GND    o-----------------o GND

Or join one line with a device that gateway.yaml names: --known-line RS485-1
`,
  async run(bench) {
    if (bench.knownLine !== undefined) return askDevices(bench, bench.knownLine);
    if (bench.lines === undefined) return skipped("no rig: neither --lines A,B nor --known-line NAME is given");
    const [first, second] = bench.lines;
    for (const serial of SETTINGS) {
      const settings = `${serial.baudRate} baud, parity ${serial.parity}`;
      const a = bench.openLine({ path: first, serial, rs485: "auto" });
      const b = bench.openLine({ path: second, serial, rs485: "auto" });
      try {
        await a.open();
        await b.open();
        const fault =
          (await pass(bench, a, b, `${first} to ${second}`)) ?? (await pass(bench, b, a, `${second} to ${first}`));
        if (fault !== undefined) return failed(`${settings}, ${fault}`);
      } catch (error) {
        return failed(`${settings}: ${messageOf(error)}`);
      } finally {
        await a.close();
        await b.close();
      }
    }
    return passed(
      `${LONGEST_FRAME.length} bytes both ways between ${first} and ${second}, at ${SETTINGS.length} settings`,
    );
  },
};

/** Sends a frame and waits until the other end has it. @returns what went wrong */
async function pass({ clock }: Bench, from: SerialLine, to: SerialLine, way: string): Promise<string | undefined> {
  let heard = new Uint8Array();
  const isThere = new Promise<boolean>((resolve) => {
    const limit = clock.after(FRAME_LIMIT_MS, () => resolve(false));
    to.onData = (bytes) => {
      heard = Uint8Array.from([...heard, ...bytes]);
      if (heard.length < LONGEST_FRAME.length) return;
      limit.cancel();
      resolve(true);
    };
  });
  await from.write(LONGEST_FRAME);
  if (!(await isThere)) return `${way}: ${heard.length} of ${LONGEST_FRAME.length} bytes arrived; check the wires`;
  const wrong = LONGEST_FRAME.findIndex((byte, index) => heard[index] !== byte);
  return wrong < 0 && heard.length === LONGEST_FRAME.length ? undefined : `${way}: byte ${wrong} arrived as another`;
}

/** As doctor does, but whatever is amiss fails. */
async function askDevices({ config, openLine, clock, signal }: Bench, name: string): Promise<Outcome> {
  const line = config?.lines.find((each) => each.name === name);
  if (line === undefined) return failed(`gateway.yaml names no line ${name}`);
  if (line.devices.length === 0) return failed(`gateway.yaml names no device on ${name}`);
  try {
    const findings = judgeLine(await testLine({ line, openLine, clock, signal }));
    const amiss = findings
      .filter(({ verdict }) => verdict !== "OK")
      .map(({ subject, found }) => `${subject}: ${found}`);
    return amiss.length > 0
      ? failed(amiss.join("; "))
      : passed(findings.map(({ found }) => `${name}: ${found}`).join("; "));
  } catch (error) {
    return failed(`${name}: ${messageOf(error)}`);
  }
}
