/** What the counters of the running service say of a line. Pure. They do not interrupt it, and tell less than a test. */
import type { DeviceReport, LineReport } from "../../pipeline.ts";
import { ailing, type Finding, ok } from "./finding.ts";
import { type LineAilment, lineAilment } from "./line-ailments.ts";

/** Below so many requests there is no pattern yet. */
const REQUESTS_MIN = 10;
const MOSTLY = 0.5;
/** One wrong frame in a hundred is more than a sound cable makes. */
const DAMAGED_SHARE = 0.01;
const NOISE_BYTES_MIN = 10;
const UTILISATION_HIGH_PERCENT = 95;

export function judgeCounters(line: LineReport): Finding[] {
  const { name, path, fault, lent, devices } = line;
  if (lent === true) return [ok("line", name, `${fault}: not read meanwhile, and not tested now`)];
  if (fault !== "") {
    const todo = "check the adapter and its cable; the service opens it again by itself";
    const ailment = {
      name: "port-fault",
      verdict: "FAULT",
      found: fault,
      means: "nothing of this line is read",
      todo,
    } as const;
    return [ailing("line", name, ailment, path)];
  }
  const asked = devices.filter(({ requests }) => requests >= REQUESTS_MIN);
  const lost = asked.filter((device) => device.lost);
  const all = lost.length === asked.length && asked.length > 0;
  const faults = [
    ...(all
      ? [judgeDeadLine(name, asked)]
      : lost.map((device) => told("device-silent", `${name} ${device.name}`, seen(device)))),
    ...(all ? [] : judgeDamage(line, asked)),
    ...asked.filter((device) => !device.lost).flatMap((device) => judgeDevice(name, device)),
    ...judgeWhole(line),
  ];
  if (faults.length > 0) return faults;
  if (asked.length === 0) return [ok("line", name, "too few requests yet to say anything")];
  const requests = asked.reduce((sum, device) => sum + device.requests, 0);
  return [ok("line", name, `${requests} requests since the start, ${line.utilisation} % of the time in use`)];
}

function judgeDeadLine(line: string, devices: readonly DeviceReport[]): Finding {
  const requests = sum(devices, "requests");
  const spoiled = sum(devices, "framingErrors") + sum(devices, "crcErrors");
  const name = spoiled / requests >= MOSTLY ? "line-garbled" : "line-silent";
  return told(name, line, devices.map((device) => `${device.name} ${seen(device)}`).join("; "));
}

/** Wrong bits of one device among clean ones are a second device's; of several, the cable's. */
function judgeDamage(line: LineReport, asked: readonly DeviceReport[]): Finding[] {
  const there = asked.filter((device) => !device.lost);
  const spoiled = there.filter(
    (device) => (device.crcErrors + device.framingErrors) / device.requests >= DAMAGED_SHARE,
  );
  const [only] = spoiled;
  if (only === undefined) return [];
  if (spoiled.length === 1 && there.length > 1)
    return [told("duplicate-unit-id", `${line.name} ${only.name}`, seen(only))];
  const noisy = line.noiseBytes >= NOISE_BYTES_MIN;
  const evidence = `${spoiled.map((device) => `${device.name} ${seen(device)}`).join("; ")}; noiseBytes ${line.noiseBytes}`;
  return [told(noisy ? "noise" : "termination-missing", line.name, evidence)];
}

function judgeDevice(line: string, device: DeviceReport): Finding[] {
  const subject = `${line} ${device.name}`;
  const late =
    device.lateFrames > 0 ? [told("slow-device", subject, `lateFrames ${device.lateFrames}, ${seen(device)}`)] : [];
  const refused = device.exceptions / device.requests >= MOSTLY;
  return [...late, ...(refused ? [told("register-refused", subject, `exceptions ${device.exceptions}`)] : [])];
}

function judgeWhole({ name, utilisation, missedPeriods, foreignFrames }: LineReport): Finding[] {
  const overloaded = utilisation >= UTILISATION_HIGH_PERCENT && missedPeriods > 0;
  return [
    ...(foreignFrames > 0 ? [told("other-master", name, `foreignFrames ${foreignFrames}`)] : []),
    ...(overloaded ? [told("overloaded", name, `utilisation ${utilisation} %, missedPeriods ${missedPeriods}`)] : []),
  ];
}

function seen({ requests, replies, timeouts, crcErrors, framingErrors }: DeviceReport): string {
  return `requests ${requests}, replies ${replies}, timeouts ${timeouts}, crcErrors ${crcErrors}, framingErrors ${framingErrors}`;
}

function sum(devices: readonly DeviceReport[], counter: "requests" | "crcErrors" | "framingErrors"): number {
  return devices.reduce((total, device) => total + device[counter], 0);
}

function told(name: LineAilment, subject: string, evidence: string): Finding {
  return ailing("line", subject, lineAilment(name), evidence);
}
