/** What was found, as the `lines:` of gateway.yaml. Pure. */
import type { SerialSettings } from "../../config/config.ts";
import { parseSource } from "../../config/document.ts";
import { serialText } from "../../config/values.ts";
import { isSame } from "../../sources/modbus/scan-plan.ts";
import type { FoundDevice } from "./scanner.ts";

const COMMENT_MAX_CHARACTERS = 60;

/** A line has one setting: that of most devices. The others are named in comments. */
export function linesSection(found: readonly FoundDevice[], path: string): string {
  const serial = commonest(found);
  if (serial === undefined) return "";
  const inReach = found.filter((device) => isSame(device.serial, serial));
  const beyond = found.filter((device) => !isSame(device.serial, serial));
  const devices = [...inReach].sort((a, b) => a.unitId - b.unitId).map(deviceText);
  const head = `lines:\n  RS485-1:\n    path: ${path}\n    serial: ${serialText(serial)}\n    devices:\n`;
  const rest = beyond.map(
    (device) => `    #   unit ${device.unitId} at ${serialText(device.serial)}: ${remark(device)}\n`,
  );
  const why = `    # A line has one setting: set these to ${serialText(serial)}, and scan again.\n`;
  return `${head}${devices.join("")}${rest.length > 0 ? why : ""}${rest.join("")}`;
}

/** A whole file: what cannot be found on a line is to be filled in. */
export function gatewayFile(section: string): string {
  return `version: 1
gateway: { group: my-plant, name: my-gateway }                    # names of your choice: letters, digits, - and _
uplinks:
  cloud: { servers: [ "mqtts://broker.example.com:8883" ] }       # your broker; more under \`sallyport init --help\`
${section}`;
}

/**
 * A file with the section behind what it holds.
 * @throws Error in words, where it has lines already or is not written so that a section can follow
 */
export function withSection(text: string, section: string): string {
  const before = parseSource("", text);
  if (before.has(["lines"])) throw new Error("has lines already");
  const [mistake] = before.problems;
  if (mistake !== undefined) throw new Error(`is no sound YAML: line ${mistake.line}: ${mistake.wrong}`);
  const grown = `${text.trimEnd()}\n${section}`;
  const after = parseSource("", grown);
  if (after.problems.length === 0 && after.has(["lines"])) return grown;
  throw new Error("does not have its keys one below the other, so that lines: could follow");
}

function commonest(found: readonly FoundDevice[]): SerialSettings | undefined {
  const count = (serial: SerialSettings) => found.filter((device) => isSame(device.serial, serial)).length;
  return found
    .map(({ serial }) => serial)
    .reduce<SerialSettings | undefined>(
      (best, serial) => (best === undefined || count(serial) > count(best) ? serial : best),
      undefined,
    );
}

function deviceText(device: FoundDevice): string {
  const { unitId, identity } = device;
  const { model } = identity;
  if (model !== null) {
    return `      ${model}-${unitId}:  # ${remark(device)}\n        unitId: ${unitId}\n        model: ${model}\n`;
  }
  const [{ table, address } = { table: "holdingRegister", address: 0 }] = identity.readable;
  const tag = `{ first: { ${table}: ${address} } }  # see its manual`;
  return `      device-${unitId}:  # ${remark(device)}\n        unitId: ${unitId}\n        tags: ${tag}\n`;
}

function remark({ identity }: FoundDevice): string {
  return (identity.text ?? "it does not say what it is").replace(/\s+/g, " ").slice(0, COMMENT_MAX_CHARACTERS);
}
