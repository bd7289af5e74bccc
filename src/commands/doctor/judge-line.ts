/** What a short test says of a line's wiring and settings. Pure: evidence in, findings out. */
import type { SerialSettings } from "../../config/config.ts";
import { serialText } from "../../config/values.ts";
import { hasValidCrc } from "../../sources/modbus/crc16.ts";
import { SEEN, type Seen } from "./exchange.ts";
import { ailing, type Finding, ok } from "./finding.ts";
import { type LineAilment, lineAilment } from "./line-ailments.ts";

export interface DeviceEvidence {
  readonly name: string;
  readonly unitId: number;
  /** One for each request. */
  readonly seen: readonly Seen[];
  /** The slowest reply, from the end of the request; undefined where none came. */
  readonly slowestMs?: number;
  /** Other settings at which it answered. */
  readonly answeredAt?: SerialSettings;
}

export interface LineEvidence {
  readonly line: string;
  readonly serial: SerialSettings;
  readonly responseTimeoutMs: number;
  /** Heard before anything was asked. */
  readonly idle: Uint8Array;
  /** Requests that came back. */
  readonly echoes: number;
  readonly devices: readonly DeviceEvidence[];
}

/** Signs of this very device, be they spoiled. */
const PRESENT: readonly Seen[] = ["good", "refused", "late", "ringed", "twice", "collided", "damaged"];
const COLLIDING: readonly Seen[] = ["twice", "collided"];
const BIT_ERRORS: readonly Seen[] = ["damaged", "garbage"];
const SPOILED: readonly Seen[] = [...BIT_ERRORS, "collided", "breaks"];

/** A pattern is one from this share of the requests on. */
const MOSTLY = 0.5;
/** Where the other devices are clean, errors of this share are the device's own. */
const OFTEN = 0.3;
/** A byte or two before anybody asked are the edge of something missed. */
const NOISE_BYTES_MIN = 3;
const UNIT_MAX = 247;
/** Functions 1 to 6: their requests have one length. */
const READS_AND_SINGLE_WRITES = 6;
const REQUEST_BYTES = 8;
const HEAD_AND_CRC_BYTES = 5;

/** At least one finding: that all is well, if nothing else. */
export function judgeLine(evidence: LineEvidence): Finding[] {
  const { line, devices, idle, echoes } = evidence;
  const present = devices.filter(({ seen }) => share(seen, PRESENT) > 0);
  const faults = [
    ...(hasFrame(idle) ? [told("other-master", line, `${idle.length} bytes before anything was asked`)] : []),
    ...(echoes === 0 ? [] : [told("echo", line, `${echoes} requests came back`)]),
    ...(present.length === 0 && devices.length > 0
      ? judgeDeadLine(evidence)
      : devices.filter((device) => !present.includes(device)).map((device) => judgeAbsent(evidence, device))),
    ...judgeBitErrors(evidence, present),
    ...present.flatMap((device) => judgePresent(evidence, device)),
  ];
  if (faults.length > 0) return faults;
  const asked = devices.reduce((sum, { seen }) => sum + seen.length, 0);
  const sound = asked === 0 ? "no device to ask" : `${asked} requests, all answered whole`;
  return [ok("line", line, `${sound}, ${serialText(evidence.serial)}`)];
}

/** Nobody is there: if it is all the same for all, one finding says it. */
function judgeDeadLine(evidence: LineEvidence): Finding[] {
  const { line, devices } = evidence;
  if (devices.some((device) => device.answeredAt !== undefined)) {
    return devices.map((device) => judgeAbsent(evidence, device));
  }
  const all = devices.flatMap(({ seen }) => seen);
  return [told(nameOfDead(all), line, patternText(all))];
}

function nameOfDead(all: readonly Seen[]): LineAilment {
  if (share(all, ["headless"]) >= MOSTLY) return "direction-late";
  if (share(all, ["breaks"]) >= MOSTLY) return "ab-swapped";
  if (share(all, ["foreign"]) >= MOSTLY) return "foreign-unit";
  return share(all, SPOILED) >= MOSTLY ? "line-garbled" : "line-silent";
}

function judgeAbsent({ line, serial }: LineEvidence, device: DeviceEvidence): Finding {
  const { name, unitId, seen, answeredAt } = device;
  const subject = `${line} ${name}`;
  const pattern = `unit ${unitId}: ${patternText(seen)}`;
  if (answeredAt !== undefined) {
    const ailment = answeredAt.baudRate === serial.baudRate ? "wrong-parity" : "wrong-speed";
    const where = `${pattern} at ${serialText(serial)}, a whole reply at ${serialText(answeredAt)}`;
    return told(ailment, subject, where);
  }
  if (share(seen, ["headless"]) >= MOSTLY) return told("direction-late", subject, pattern);
  return told(share(seen, ["foreign"]) >= MOSTLY ? "foreign-unit" : "device-silent", subject, pattern);
}

/** Wrong bits of one device among clean ones are a second device's; of several, the cable's. */
function judgeBitErrors({ line, devices, idle }: LineEvidence, present: readonly DeviceEvidence[]): Finding[] {
  const doubled = present.filter(({ seen }) => share(seen, COLLIDING) > 0);
  const spoiled = present.filter((device) => !doubled.includes(device) && share(device.seen, BIT_ERRORS) > 0);
  const [only] = spoiled;
  const alone = spoiled.length === 1 && present.length > 1 && devices.length > 1;
  const isOwn = alone && only !== undefined && share(only.seen, BIT_ERRORS) >= OFTEN && idle.length < NOISE_BYTES_MIN;
  const second = [...doubled, ...(isOwn ? [only] : [])];
  const findings = second.map(({ name, unitId, seen }) => {
    return told("duplicate-unit-id", `${line} ${name}`, `unit ${unitId}: ${patternText(seen)}`);
  });
  if (spoiled.length === 0 || isOwn) return findings;
  const noisy = idle.length >= NOISE_BYTES_MIN && !hasFrame(idle);
  const pattern = spoiled.map(({ name, seen }) => `${name}: ${patternText(seen)}`).join("; ");
  const quiet = noisy ? `${idle.length} bytes while nobody sent` : "no byte while nobody sent";
  return [...findings, told(noisy ? "noise" : "termination-missing", line, `${pattern}; ${quiet}`)];
}

function judgePresent({ line, responseTimeoutMs }: LineEvidence, device: DeviceEvidence): Finding[] {
  const { name, unitId, seen, slowestMs } = device;
  const subject = `${line} ${name}`;
  const pattern = `unit ${unitId}: ${patternText(seen)}`;
  const slowest = slowestMs === undefined ? "" : `, the slowest after ${Math.round(slowestMs)} ms`;
  return [
    ...(share(seen, ["ringed"]) >= OFTEN ? [told("bias-missing", subject, pattern)] : []),
    ...(share(seen, ["headless"]) >= OFTEN ? [told("direction-late", subject, pattern)] : []),
    ...(share(seen, ["refused"]) >= MOSTLY ? [told("register-refused", subject, pattern)] : []),
    ...(share(seen, ["late"]) > 0
      ? [told("slow-device", subject, `${pattern}${slowest}; responseTimeout is ${responseTimeoutMs} ms`)]
      : []),
    ...(share(seen, ["silent"]) > 0 ? [told("gaps", subject, pattern)] : []),
  ];
}

function told(name: LineAilment, subject: string, evidence: string): Finding {
  return ailing("line", subject, lineAilment(name), evidence);
}

function share(seen: readonly Seen[], wanted: readonly Seen[]): number {
  return seen.length === 0 ? 0 : seen.filter((each) => wanted.includes(each)).length / seen.length;
}

const WORDS: Readonly<Record<Seen, string>> = {
  good: "good",
  refused: "refused",
  late: "late",
  silent: "without answer",
  breaks: "answered by zeros",
  headless: "without their first bytes",
  ringed: "with stray bytes",
  twice: "answered twice",
  collided: "answered by too much",
  damaged: "damaged",
  foreign: "answered by another unit",
  garbage: "answered by garbage",
};

/** `6 requests: 4 good, 2 damaged` */
function patternText(seen: readonly Seen[]): string {
  const counts = SEEN.map((kind) => [kind, seen.filter((each) => each === kind).length] as const);
  const told = counts.filter(([, count]) => count > 0).map(([kind, count]) => `${count} ${WORDS[kind]}`);
  return `${seen.length} requests: ${told.join(", ")}`;
}

/** Somewhere in it stands a whole request or reply, by form and CRC: noise alone would pass the CRC once in a while. */
function hasFrame(bytes: Uint8Array): boolean {
  return bytes.some((unit, at) => {
    const functionCode = bytes[at + 1] ?? 0;
    if (unit < 1 || unit > UNIT_MAX || functionCode < 1 || functionCode > READS_AND_SINGLE_WRITES) return false;
    return [REQUEST_BYTES, HEAD_AND_CRC_BYTES + (bytes[at + 2] ?? 0)].some((length) => {
      return at + length <= bytes.length && hasValidCrc(bytes.subarray(at, at + length));
    });
  });
}
