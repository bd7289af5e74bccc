/** Lines and devices: what their keys must be to each other, and the lines that come of them. */
import { tagId } from "../core/tag.ts";
import type { Board } from "./board.ts";
import { type Claim, claimNames, createClaims } from "./claims.ts";
import type { DeviceConfig, LineConfig, RegisterTag } from "./config.ts";
import { DEFAULTS, LIMITS } from "./defaults.ts";
import { type DeviceDraft, type DeviceTag, type DeviceTags, deviceTags } from "./device-tags.ts";
import type { Path } from "./document.ts";
import type { Draft, Inspection } from "./draft.ts";
import { besideFile } from "./files.ts";
import type { GatewayFile } from "./gateway-schema.ts";
import type { LineSection } from "./line-schema.ts";
import type { ModelShelf } from "./model.ts";
import { buildTag, type TagDefaults } from "./register-tag.ts";
import { tagMistakes } from "./tag-rules.ts";
import { listed } from "./wording.ts";

/** What a line is judged by and built with beside the file. */
export interface LineSurroundings {
  readonly models: ModelShelf;
  readonly board: Board;
}

type LineDraft = Draft<LineSection>;
type DeviceSettings = Omit<DeviceConfig, "name" | "unitId" | "tags"> & TagDefaults;

const devicePath = (line: string, device: string): Path => ["lines", line, "devices", device];

/** Everything that is wrong with lines beyond their single keys. */
export function checkLines(inspection: Inspection<GatewayFile>, around: LineSurroundings): void {
  const { draft, complain } = inspection;
  const lines = Object.entries(draft.lines ?? {});
  const devices = lines.flatMap(([line, { devices = {} } = {}]) =>
    Object.keys(devices).map((device) => devicePath(line, device)),
  );
  claimNames(
    inspection,
    lines.map(([name]) => ["lines", name]),
  );
  // A tag's id begins with its device's name, whatever line that is on.
  claimNames(inspection, devices);
  const claim = createClaims(inspection);
  let tags = 0;
  for (const [name, line = {}] of lines) {
    checkPath(name, line, inspection, around, claim);
    for (const [deviceName, device = {}] of Object.entries(line.devices ?? {})) {
      const path = devicePath(name, deviceName);
      if (device.unitId !== undefined) {
        claim(`unit ${name} ${device.unitId}`, {
          name: deviceName,
          path: [...path, "unitId"],
          wrong: `unit ${device.unitId} of this line is`,
          remedy: "set another address in the device's menu, and here",
        });
      }
      tags += checkDevice(device, path, inspection, around.models);
    }
  }
  if (tags > LIMITS.tags) {
    complain(["lines"], `there are ${tags} tags`, `keep at most ${LIMITS.tags}, or use several gateways`, "key");
  }
}

function checkPath(
  name: string,
  line: LineDraft,
  { document, complain }: Inspection<GatewayFile>,
  { board }: LineSurroundings,
  claim: Claim,
): void {
  const given = pathOf(name, line, document.file, board);
  if (given !== undefined) {
    const path = ["lines", name, "path"];
    claim(`path ${given}`, { name, path, wrong: `${given} is used by`, remedy: "give each line its own path" });
    if (given === board.console) complain(path, `${given} is the board's console`, "use another port");
  }
  if (given !== undefined || document.has(["lines", name, "path"])) return;
  const labels = Object.keys(board.lines);
  complain(
    ["lines", name],
    labels.length === 0 ? "has no path" : `is no connector of this board, which has ${listed(labels)}`,
    "give it one, as path: /dev/serial/by-id/…",
    "key",
  );
}

/** The line's own path, else that of the connector it is named after. */
function pathOf(name: string, line: LineDraft, file: string, board: Board): string | undefined {
  if (line.path !== undefined) return besideFile(file, line.path);
  return Object.hasOwn(board.lines, name) ? board.lines[name] : undefined;
}

/** @returns the number of its tags */
function checkDevice(device: DeviceDraft, path: Path, inspection: Inspection<GatewayFile>, models: ModelShelf): number {
  const { document, complain } = inspection;
  const found = deviceTags(device, path, models, document, complain);
  const settings = deviceSettings(device, found);
  const own = found.tags.map(({ name }) => [...path, "tags", name]).filter((place) => document.has(place));
  claimNames(inspection, own);
  for (const { tag, path: place, written, name } of found.tags) {
    for (const { key, wrong, remedy } of tagMistakes(tag, { ...settings, written })) {
      const at = place(key);
      // Where the file does not spell the tag out, the complaint must.
      const subject = at.includes(name) ? "" : `${name}${key === "" ? "" : `.${key}`} `;
      complain(at, `${subject}${wrong}`, remedy, "key");
    }
  }
  return found.tags.length;
}

/** The device's own setting, else its model's, else the default. */
function deviceSettings(device: DeviceDraft, { defaults }: DeviceTags): DeviceSettings {
  const maxGap = device.maxGap ?? defaults.maxGap;
  return {
    enabled: device.enabled ?? true,
    scanRateMs: device.scanRate ?? defaults.scanRate ?? DEFAULTS.scanRateMs,
    byteOrder: device.byteOrder ?? defaults.byteOrder ?? DEFAULTS.byteOrder,
    retries: device.retries ?? defaults.retries ?? DEFAULTS.retries,
    lostAfter: device.lostAfter ?? defaults.lostAfter ?? DEFAULTS.lostAfter,
    ...(maxGap !== undefined && { maxGap }),
    maxQuantity: device.maxQuantity ?? defaults.maxQuantity ?? DEFAULTS.maxQuantity,
    unreadable: (device.unreadable ?? defaults.unreadable ?? []).filter((range) => range !== undefined),
    maxLateMs: device.maxLate ?? defaults.maxLate ?? DEFAULTS.maxLateMs,
  };
}

/** The lines with every default filled in; of a file without mistakes only. */
export function buildLines(inspection: Inspection<GatewayFile>, around: LineSurroundings): LineConfig[] {
  const { whole, document } = inspection;
  return Object.entries(whole?.lines ?? {}).map(([name, line]) => ({
    name,
    path: pathOf(name, line, document.file, around.board) ?? "",
    serial: line.serial ?? DEFAULTS.serial,
    rs485: line.rs485 ?? DEFAULTS.rs485,
    responseTimeoutMs: line.responseTimeout ?? DEFAULTS.responseTimeoutMs,
    turnaroundDelayMs: line.turnaroundDelay ?? DEFAULTS.turnaroundDelayMs,
    devices: Object.entries(line.devices ?? {}).map(([deviceName, device]) => {
      const path = devicePath(name, deviceName);
      const found = deviceTags(device, path, around.models, document, inspection.complain);
      const { scanRateMs, byteOrder, ...settings } = deviceSettings(device, found);
      const tag = ({ name: tagName, tag: draft }: DeviceTag): RegisterTag =>
        buildTag({ id: tagId(deviceName, tagName), device: deviceName, name: tagName }, draft, {
          scanRateMs,
          byteOrder,
          enabled: settings.enabled,
        });
      return { name: deviceName, unitId: device.unitId, ...settings, tags: found.tags.map(tag) };
    }),
  }));
}
