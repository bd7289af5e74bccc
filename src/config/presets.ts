/** What the formats of others bring along where a key is not written, and what they leave no choice of. */
import { isIP } from "node:net";
import type { UplinkConfig } from "./config.ts";
import { DEFAULTS, LIMITS } from "./defaults.ts";
import type { Path } from "./document.ts";
import type { Complain, Draft } from "./draft.ts";
import type { UplinkSection } from "./uplink-schema.ts";
import { durationText } from "./values.ts";

type Format = UplinkConfig["format"];
type UplinkDraft = Draft<UplinkSection>;

/** A topic prefix, of which a device and a part may still follow: `/snapshot/<device>/<part>`. */
const BELOW_TOPIC = { slashes: 3, bytes: "/snapshot/".length + LIMITS.nameChars + "/999".length };

/** AWS IoT Core, "AWS IoT Core message broker and protocol limits and quotas". */
const AWS = { keepAliveMs: { min: 30_000, max: 1_200_000 }, topicBytes: 256, topicSlashes: 7, clientIdBytes: 128 };

/** Azure IoT Hub, "Communicate with an IoT hub using the MQTT protocol"; its identity registry for the device id. */
const AZURE = { keepAliveMs: { min: 1_000, max: 1_177_000 }, deviceId: /^[A-Za-z0-9\-:._*!(),=@;$']{1,128}$/ };

/** Topic prefix where the file names none. */
export function presetTopic(format: Format, group: string, name: string, clientId: string): string {
  if (format === "kepware") return "iotgateway";
  if (format === "azure-iot-hub") return `devices/${clientId}/messages/events`;
  return `${group}/${name}`;
}

/** Template of ids where the file has none. */
export function presetId(format: Format): string {
  return format === "kepware" ? "{device}.{tag}" : DEFAULTS.id;
}

export function presetKeepAliveMs(format: Format): number {
  return format === "aws-iot" ? AWS.keepAliveMs.min : DEFAULTS.keepAliveMs;
}

/** MQTT 5 of IoT Hub was a preview that is not offered any more. */
export function presetMqttVersion(format: Format): UplinkConfig["mqttVersion"] {
  return format === "azure-iot-hub" ? "3.1.1" : DEFAULTS.mqttVersion;
}

/**
 * What the service behind the format refuses, told before it does.
 *
 * @param clientId that of the file, or else the default
 */
export function checkPreset(
  format: Format,
  uplink: UplinkDraft,
  clientId: string,
  path: Path,
  complain: Complain,
): void {
  if (format === "aws-iot") checkAws(uplink, clientId, path, complain);
  if (format === "azure-iot-hub") checkAzure(uplink, clientId, path, complain);
}

function checkAws(uplink: UplinkDraft, clientId: string, path: Path, complain: Complain): void {
  checkCloud("aws-iot", "AWS IoT Core", AWS.keepAliveMs, uplink, path, complain);
  const { servers, tls, topic } = uplink;
  for (const [index, server] of [...(servers ?? [])].entries()) {
    if (server === undefined || tls?.serverName !== undefined || isIP(new URL(server).hostname) === 0) continue;
    const wrong = "AWS IoT Core must be called by its name, which tells whose gateway calls";
    complain([...path, "servers", index], wrong, "write the endpoint's name, or tls.serverName");
  }
  if (topic !== undefined && topic.split("/").length - 1 + BELOW_TOPIC.slashes > AWS.topicSlashes) {
    const wrong = `AWS IoT Core allows ${AWS.topicSlashes} slashes in a topic, and up to ${BELOW_TOPIC.slashes} follow this one`;
    complain([...path, "topic"], wrong, `use at most ${AWS.topicSlashes - BELOW_TOPIC.slashes}`);
  }
  if (topic !== undefined && Buffer.byteLength(topic) + BELOW_TOPIC.bytes > AWS.topicBytes) {
    const wrong = `AWS IoT Core allows ${AWS.topicBytes} bytes in a topic, and up to ${BELOW_TOPIC.bytes} follow this one`;
    complain([...path, "topic"], wrong, `use at most ${AWS.topicBytes - BELOW_TOPIC.bytes}`);
  }
  if (Buffer.byteLength(clientId) > AWS.clientIdBytes) {
    const wrong = `AWS IoT Core allows ${AWS.clientIdBytes} bytes in a client id, and ${clientId} has more`;
    complain(clientIdPath(uplink, path), wrong, "write a shorter clientId");
  }
}

function checkAzure(uplink: UplinkDraft, clientId: string, path: Path, complain: Complain): void {
  checkCloud("azure-iot-hub", "Azure IoT Hub", AZURE.keepAliveMs, uplink, path, complain);
  const { topic, mqttVersion } = uplink;
  if (topic !== undefined) {
    complain([...path, "topic"], "Azure IoT Hub has topics of its own", "remove it", "key");
  }
  if (!AZURE.deviceId.test(clientId)) {
    const wrong = `${clientId} is no device id of Azure IoT Hub`;
    complain(clientIdPath(uplink, path), wrong, "write the id that the hub has for this device as clientId");
  }
  if (mqttVersion === "5") {
    complain([...path, "mqttVersion"], "Azure IoT Hub speaks MQTT 3.1.1 only", "remove it, or write 3.1.1");
  }
}

/** A default that does not do is told where the format asks for another. */
function clientIdPath(uplink: UplinkDraft, path: Path): Path {
  return [...path, uplink.clientId === undefined ? "format" : "clientId"];
}

function checkCloud(
  format: Format,
  service: string,
  keepAliveMs: { readonly min: number; readonly max: number },
  uplink: UplinkDraft,
  path: Path,
  complain: Complain,
): void {
  const { servers, tls, login, keepAlive } = uplink;
  if (tls?.certificate === undefined) {
    const wrong = `${service} knows a gateway by its certificate`;
    complain([...path, "format"], wrong, "add tls: { certificate: gateway.pem, key: gateway.key }");
  }
  if (login !== undefined) complain([...path, "login"], `means nothing with format: ${format}`, "remove it", "key");
  for (const [index, server] of [...(servers ?? [])].entries()) {
    if (server?.startsWith("wss:") !== true) continue;
    const wrong = `${service} takes no certificate inside a WebSocket`;
    complain([...path, "servers", index], wrong, "write mqtts://host:8883, or a proxy");
  }
  if (keepAlive !== undefined && (keepAlive < keepAliveMs.min || keepAlive > keepAliveMs.max)) {
    const wrong = `${service} takes ${durationText(keepAliveMs.min)} to ${durationText(keepAliveMs.max)}`;
    complain([...path, "keepAlive"], wrong, "write a time between");
  }
}
