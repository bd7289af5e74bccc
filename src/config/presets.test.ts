import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { ConfigFolder } from "../testing/config-folder.ts";
import { parseConfig } from "./load.ts";

const AWS = "mqtts://a1b2-ats.iot.eu-central-1.amazonaws.com:443";
const AZURE = "mqtts://plants.azure-devices.net:8883";
const TLS = "tls: { certificate: gateway.pem, key: gateway.key }";

let folder: ConfigFolder;

before(async () => {
  folder = await ConfigFolder.make();
});

after(() => folder.remove());

function file(uplink: string, gateway = "plant-7, name: pump-house-3"): string {
  return `version: 1\ngateway: { group: ${gateway} }\nuplinks:\n  cloud: { ${uplink} }\n`;
}

function uplinkOf(uplink: string) {
  const [config] = parseConfig(folder.path("gateway.yaml"), file(uplink)).config.uplinks;
  assert.ok(config !== undefined);
  const { topic, id, keepAliveMs, mqttVersion, clientId } = config;
  return { topic, id, keepAliveMs, mqttVersion, clientId };
}

describe("what a preset brings along", () => {
  test("kepware: its topic, and ids with a point; a template names the channel", () => {
    assert.deepEqual(uplinkOf(`servers: [ "mqtts://b" ], format: kepware`), {
      topic: "iotgateway",
      id: "{device}.{tag}",
      keepAliveMs: 15_000,
      mqttVersion: "auto",
      clientId: "plant-7-pump-house-3-cloud",
    });
    const named = uplinkOf(`servers: [ "mqtts://b" ], format: kepware, topic: site, id: "Channel1.{device}.{tag}"`);
    assert.deepEqual([named.topic, named.id], ["site", "Channel1.{device}.{tag}"]);
  });

  test("aws-iot: the shortest keep-alive that the service takes", () => {
    assert.deepEqual(uplinkOf(`servers: [ "${AWS}" ], format: aws-iot, ${TLS}`), {
      topic: "plant-7/pump-house-3",
      id: "{device}/{tag}",
      keepAliveMs: 30_000,
      mqttVersion: "auto",
      clientId: "plant-7-pump-house-3-cloud",
    });
  });

  test("azure-iot-hub: the topic of the device, and MQTT 3.1.1", () => {
    assert.deepEqual(uplinkOf(`servers: [ "${AZURE}" ], format: azure-iot-hub, clientId: pump-3, ${TLS}`), {
      topic: "devices/pump-3/messages/events",
      id: "{device}/{tag}",
      keepAliveMs: 15_000,
      mqttVersion: "3.1.1",
      clientId: "pump-3",
    });
  });
});

const REFUSED: readonly (readonly [uplink: string, words: RegExp])[] = [
  [`servers: [ "${AWS}" ], format: aws-iot`, /format: AWS IoT Core knows a gateway by its certificate; add tls/],
  [`servers: [ "wss://a.example.com" ], format: aws-iot, ${TLS}`, /servers\[0\]: .* no certificate inside a WebSocket/],
  [`servers: [ "mqtts://10.0.0.1" ], format: aws-iot, ${TLS}`, /servers\[0\]: AWS IoT Core must be called by its name/],
  [`servers: [ "${AWS}" ], format: aws-iot, ${TLS}, keepAlive: 15s`, /keepAlive: AWS IoT Core takes 30s to 20m/],
  [`servers: [ "${AWS}" ], format: aws-iot, ${TLS}, topic: a/b/c/d/e/f`, /topic: .* 7 slashes .*; use at most 4/],
  [
    `servers: [ "${AWS}" ], format: aws-iot, ${TLS}, topic: ${"x".repeat(179)}`,
    /topic: .* 256 bytes .*; use at most 178/,
  ],
  [
    `servers: [ "${AWS}" ], format: aws-iot, ${TLS}, clientId: ${"x".repeat(129)}`,
    /clientId: AWS IoT Core allows 128 bytes/,
  ],
  [
    `servers: [ "${AWS}" ], format: aws-iot, ${TLS}, login: { username: u, passwordFile: cloud.password }`,
    /login: means nothing with format: aws-iot; remove it/,
  ],
  [`servers: [ "${AZURE}" ], format: azure-iot-hub`, /format: Azure IoT Hub knows a gateway by its certificate/],
  [`servers: [ "${AZURE}" ], format: azure-iot-hub, ${TLS}, topic: t`, /topic: Azure IoT Hub has topics of its own/],
  [`servers: [ "${AZURE}" ], format: azure-iot-hub, ${TLS}, clientId: a/b`, /clientId: a\/b is no device id/],
  [
    `servers: [ "${AZURE}" ], format: azure-iot-hub, ${TLS}, mqttVersion: 5`,
    /mqttVersion: Azure IoT Hub speaks MQTT 3/,
  ],
  [
    `servers: [ "${AZURE}" ], format: azure-iot-hub, ${TLS}, keepAlive: 20m`,
    /keepAlive: Azure IoT Hub takes 1s to 1177s/,
  ],
  [`servers: [ "${AZURE}" ], format: azure-iot-hub, ${TLS}, primaryHost: h`, /primaryHost: means nothing with format/],
];

describe("what the service would refuse is told before", () => {
  for (const [uplink, words] of REFUSED) {
    test(words.source, () => {
      const told = folder.complaints(file(uplink));
      assert.equal(told.length, 1, told.join("\n"));
      assert.match(told[0] ?? "", words);
    });
  }

  test("the longest topic that is allowed is allowed, and a name given elsewhere", () => {
    assert.deepEqual(
      folder.complaints(file(`servers: [ "${AWS}" ], format: aws-iot, ${TLS}, topic: ${"x".repeat(178)}`)),
      [],
    );
    const named = TLS.replace("{", "{ serverName: a.example.com,");
    assert.deepEqual(folder.complaints(file(`servers: [ "mqtts://10.0.0.1" ], format: aws-iot, ${named}`)), []);
  });

  test("a client id made of long names is too long where the format is asked for", () => {
    const told = folder.complaints(
      file(`servers: [ "${AWS}" ], format: aws-iot, ${TLS}`, `${"g".repeat(64)}, name: ${"n".repeat(64)}`),
    );
    assert.match(
      told.join(),
      /cloud\.format: AWS IoT Core allows 128 bytes in a client id.*; write a shorter clientId/,
    );
  });
});
