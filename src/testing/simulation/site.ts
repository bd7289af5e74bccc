/** The plan of a site as the configuration of a gateway, and its changes. */
import type { Config, DeviceConfig, InputConfig, LineConfig, RegisterTag, UplinkConfig } from "../../config/config.ts";
import { tagId } from "../../core/tag.ts";
import { deviceConfig, lineConfig, registerTag } from "../modbus-config.ts";
import type { Change, DevicePlan, InputPlan, LinePlan, SitePlan, TagPlan, UplinkPlan } from "./plan.ts";

export const PIN_CHIP = "chip";
export const SPARKPLUG_GROUP = "plant";
export const PRIMARY_HOST = "scada";
const DAY_MS = 86_400_000;
const SMALL_OUTBOX_BYTES = 1_048_576;

/** So small that it comes to its limit in a long outage. */
export function hasSmallOutbox({ outbox }: Pick<SitePlan, "outbox">): boolean {
  return outbox.maxSizeBytes < SMALL_OUTBOX_BYTES;
}

export function configOf(site: SitePlan): Config {
  const { commitIntervalMs, outageCommitIntervalMs, maxSizeBytes, maxAgeMs } = site.outbox;
  return {
    file: "gateway.yaml",
    gateway: { group: "plant", name: "gateway" },
    uplinks: site.uplinks.map(uplinkOf),
    lines: site.lines.map(lineOf),
    inputs: site.inputs.map(inputOf),
    outbox: { path: "outbox.db", commitIntervalMs, outageCommitIntervalMs, maxSizeBytes, maxAgeMs },
    clock:
      site.board === undefined
        ? { source: "host", waitAtMostMs: 0 }
        : { source: "auto", waitAtMostMs: site.board.waitAtMostMs },
  };
}

/** Where an uplink tells; it goes with its name, as does its client id. */
export function topicOf(uplink: string): string {
  return `plant/gateway/${uplink}`;
}

export function clientIdOf(uplink: string): string {
  return `plant-gateway-${uplink}`;
}

export function serverOf(broker: number): string {
  return `mqtts://broker-${broker}:8883`;
}

export function brokerOf(server: string): number {
  return Number(/broker-(\d+):/.exec(server)?.[1] ?? -1);
}

export function changed(site: SitePlan, change: Change): SitePlan {
  switch (change.what) {
    case "add uplink":
    case "bring back uplink":
      return { ...site, uplinks: [...site.uplinks.filter(({ name }) => name !== change.uplink.name), change.uplink] };
    case "remove uplink":
      return { ...site, uplinks: site.uplinks.filter(({ name }) => name !== change.name) };
    case "rename uplink":
      return withUplink(site, change.name, (uplink) => ({ ...uplink, name: change.to }));
    case "move uplink":
      return withUplink(site, change.name, (uplink) => ({ ...uplink, brokers: change.brokers }));
    case "remove device":
      return withDevices(site, (devices) => devices.filter(({ name }) => name !== change.name));
    case "rename device":
      return withDevices(site, (devices) =>
        devices.map((device) => (device.name === change.name ? { ...device, name: change.to } : device)),
      );
    case "remove tag":
      return withTags(site, change.device, (tags) => tags.filter(({ name }) => name !== change.name));
    case "change priority":
      return withTags(site, change.device, (tags) =>
        tags.map((tag) => (tag.name === change.name ? { ...tag, priority: change.to } : tag)),
      );
  }
}

function withUplink(site: SitePlan, name: string, to: (uplink: UplinkPlan) => UplinkPlan): SitePlan {
  return { ...site, uplinks: site.uplinks.map((uplink) => (uplink.name === name ? to(uplink) : uplink)) };
}

function withDevices(site: SitePlan, to: (devices: readonly DevicePlan[]) => readonly DevicePlan[]): SitePlan {
  return { ...site, lines: site.lines.map((line) => ({ ...line, devices: to(line.devices) })) };
}

function withTags(site: SitePlan, name: string, to: (tags: readonly TagPlan[]) => readonly TagPlan[]): SitePlan {
  return withDevices(site, (devices) =>
    devices.map((device) => (device.name === name ? { ...device, tags: to(device.tags) } : device)),
  );
}

function uplinkOf(plan: UplinkPlan): UplinkConfig {
  const { hasPrimaryHost = false, ...sparkplug } = plan.sparkplug ?? {};
  return {
    name: plan.name,
    servers: plan.brokers.map(serverOf),
    format: plan.sparkplug === undefined ? "json" : "sparkplug",
    node: { group: SPARKPLUG_GROUP, name: plan.name },
    ...(hasPrimaryHost && { primaryHost: PRIMARY_HOST }),
    clientId: clientIdOf(plan.name),
    mqttVersion: "auto",
    tls: {},
    keepAliveMs: plan.keepAliveMs,
    reconnect: { spreadMs: plan.spreadMs, maxMs: plan.maxMs },
    startAt: plan.startAt,
    history: {
      enabled: plan.history,
      maxAgeMs: DAY_MS,
      maxSizeBytes: 1e9,
      rateBytesPerS: plan.historyRateBytesPerS,
    },
    sparkplug: { aliases: false, datatypeInData: false, barrier: "ping", ...sparkplug },
    topic: topicOf(plan.name),
    id: "{device}/{tag}",
  };
}

function lineOf(plan: LinePlan): LineConfig {
  return lineConfig(`/dev/${plan.name}`, plan.devices.map(deviceOf), {
    name: plan.name,
    serial: { baudRate: plan.baudRate, dataBits: 8, parity: "even", stopBits: 1 },
    responseTimeoutMs: plan.responseTimeoutMs,
  });
}

function deviceOf(plan: DevicePlan): DeviceConfig {
  const tags = plan.tags.map((tag) => tagOf(plan.name, tag));
  return deviceConfig(plan.name, plan.unitId, tags, { retries: plan.retries, lostAfter: plan.lostAfter });
}

export function tagOf(device: string, plan: TagPlan): RegisterTag {
  const { name, table, address, type, scanRateMs, deadband, priority, staleMs, maxIntervalMs, scale } = plan;
  return registerTag(
    device,
    name,
    { table, address, type },
    { scanRateMs, deadband, priority, staleMs, maxIntervalMs, ...(scale !== undefined && { scale }) },
  );
}

function inputOf(plan: InputPlan): InputConfig {
  const { name, pin, activeLow, debounceMs, scanRateMs, counts } = plan;
  return {
    id: tagId("inputs", name),
    device: "inputs",
    name,
    type: counts ? "float64" : "bool",
    priority: "high",
    deadband: 0,
    scanRateMs,
    staleMs: Math.max(5_000, 3 * scanRateMs),
    maxIntervalMs: 600_000,
    writable: false,
    enabled: true,
    pin: { chip: PIN_CHIP, line: pin },
    activeLow,
    debounceMs,
    ...(counts && { counter: { edge: "rising", start: 0, scale: 1 } as const }),
  };
}
