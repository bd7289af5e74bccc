/** What a broker, a host or whoever writes to it can send; and the certificates that others hand out. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { createLog } from "../../core/log.ts";
import { CertificateWatch } from "../../uplinks/certificate-watch.ts";
import type { Arrival } from "../../uplinks/commands/arrival.ts";
import { parseJsonCommand } from "../../uplinks/commands/json-command.ts";
import { parseCommandText } from "../../uplinks/commands/signed-command.ts";
import { parseDeviceCommand } from "../../uplinks/commands/sparkplug-command.ts";
import { readCommand } from "../../uplinks/sparkplug/commands.ts";
import { HOST_UNSEEN, hostAfter, parseHostState } from "../../uplinks/sparkplug/host-state.ts";
import { decodePayload, encodePayload, type Metric } from "../../uplinks/sparkplug/payload.ts";
import { MalformedPayload } from "../../uplinks/sparkplug/protobuf.ts";
import { VirtualClock } from "../virtual-clock.ts";
import { type FuzzTarget, kindOf } from "./fuzz-target.ts";

/** What goes into the log and to the far end of a refusal stays short. */
const REFUSAL_MAX_CHARS = 1_500;

const uint64 = fc.oneof(fc.nat(), fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n }));
const words = fc.oneof(fc.string(), fc.constantFrom("", "Node Control/Rebirth", "setpoint", "Command", "Signature"));
const value = fc.oneof(
  fc.record({ field: fc.constant("int" as const), value: fc.integer() }),
  fc.record({ field: fc.constant("long" as const), value: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }) }),
  fc.record({ field: fc.constantFrom("float" as const, "double" as const), value: fc.double() }),
  fc.record({ field: fc.constant("boolean" as const), value: fc.boolean() }),
  fc.record({ field: fc.constant("string" as const), value: fc.string() }),
);
const property = fc.record({ key: words, type: fc.nat(40), isNull: fc.boolean(), value }, { requiredKeys: ["key"] });
const metric: fc.Arbitrary<Metric> = fc.record(
  {
    name: words,
    alias: uint64,
    timestamp: uint64,
    datatype: fc.nat(40),
    isNull: fc.boolean(),
    properties: fc.array(property, { maxLength: 4 }),
    value,
  },
  { requiredKeys: [] },
);
const payload = fc
  .record(
    { timestamp: uint64, metrics: fc.array(metric, { maxLength: 4 }), seq: uint64 },
    { requiredKeys: ["metrics"] },
  )
  .map(encodePayload);

const id = fc.constantFrom("pump-1/setpoint", "pump-1/on", "x", "");
const values = fc.array(fc.record({ id, v: fc.oneof(fc.jsonValue(), fc.double()) }), { maxLength: 4 });
const commandText = fc
  .record({
    gateway: fc.constantFrom("plant-7/pump-house-3", ""),
    issued: fc.oneof(fc.nat(), fc.jsonValue()),
    expires: fc.double(),
    nonce: fc.oneof(fc.constant("00112233445566778899aabbccddeeff"), fc.string()),
    values,
  })
  .map((content) => JSON.stringify(content));
const envelope = fc.record({
  command: commandText,
  key: fc.oneof(fc.constant("0011223344556677"), fc.string()),
  signature: fc.uint8Array({ minLength: 60, maxLength: 66 }).map((bytes) => Buffer.from(bytes).toString("base64")),
});
const bytesOf = (text: string): Uint8Array => Buffer.from(text);

const TYPES = new Map([
  ["pump-1/setpoint", "int16" as const],
  ["pump-1/on", "bool" as const],
  ["pump-1/total", "uint64" as const],
]);

function told(arrival: Arrival): string {
  if (arrival.kind !== "malformed") return `${arrival.kind} ${arrival.kind === "plain" ? arrival.values.length : ""}`;
  assert.ok(arrival.reason.length <= REFUSAL_MAX_CHARS, "a reason is short");
  return kindOf(arrival.reason);
}

const sparkplugPayload: FuzzTarget = {
  name: "sparkplug-payload",
  formed: payload,
  run(bytes) {
    try {
      const decoded = decodePayload(bytes);
      // What was understood is understood again as the same: the recorded and the judged command are one.
      const again = encodePayload(decoded);
      assert.deepEqual(encodePayload(decodePayload(again)), again);
      return `${decoded.metrics.length} metrics`;
    } catch (thrown) {
      if (!(thrown instanceof MalformedPayload)) throw thrown;
      return kindOf(thrown.message);
    }
  },
};

const nodeCommand: FuzzTarget = {
  name: "node-command",
  formed: payload,
  tokens: ["Node Control/Rebirth"],
  run(bytes) {
    const { rebirth, refusal } = readCommand(bytes);
    const ofDevice = readCommand(bytes, "pump-1");
    assert.equal(ofDevice.rebirth, false, "a device has no Rebirth");
    assert.ok(Math.max(refusal.length, ofDevice.refusal.length) <= REFUSAL_MAX_CHARS, "a refusal is short");
    return `${rebirth} ${kindOf(refusal)}`;
  },
};

const deviceCommand: FuzzTarget = {
  name: "device-command",
  formed: payload,
  tokens: ["Command", "Key", "Signature", "setpoint"],
  run: (bytes) => told(parseDeviceCommand("pump-1", bytes, (tag) => TYPES.get(tag))),
};

const jsonCommand: FuzzTarget = {
  name: "json-command",
  formed: fc.oneof(envelope, values).map((given) => bytesOf(JSON.stringify(given))),
  tokens: ['"command":', '"key":', '"signature":', '[{"id":', '"v":', "\\u0000", "1e999", "__proto__"],
  run: (bytes) => told(parseJsonCommand(bytes, (name) => (TYPES.has(name) ? name : undefined))),
};

const signedText: FuzzTarget = {
  name: "signed-text",
  formed: commandText.map(bytesOf),
  tokens: ['"gateway":', '"issued":', '"nonce":', '"values":', "1e308", "-0", "__proto__"],
  run(bytes) {
    const content = parseCommandText(Buffer.from(bytes).toString());
    if (typeof content === "string") return kindOf(content);
    assert.ok(Number.isSafeInteger(content.issuedMs) && Number.isSafeInteger(content.expiresMs));
    assert.match(content.nonce, /^[0-9a-f]{32}$/);
    for (const { v } of content.values) assert.ok(typeof v !== "number" || Number.isFinite(v));
    return `${content.values.length} values`;
  },
};

const hostState: FuzzTarget = {
  name: "host-state",
  formed: fc
    .record({
      online: fc.oneof(fc.boolean(), fc.jsonValue()),
      timestamp: fc.oneof(fc.nat(), fc.double(), fc.jsonValue()),
    })
    .map((state) => bytesOf(JSON.stringify(state))),
  tokens: ['"online":true', '"timestamp":', "1e999", "9007199254740993"],
  run(bytes) {
    const state = parseHostState(bytes);
    if (state === undefined) return "none";
    const seen = hostAfter(HOST_UNSEEN, state);
    assert.equal(hostAfter(seen, { online: true, timestamp: state.timestamp + 1 }).online, true, "a later word counts");
    return `${state.online}`;
  },
};

/** The file of a certificate, as the warnings of its end read it. */
function certificate(): FuzzTarget {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-fuzz-"));
  const path = join(dir, "gateway.pem");
  const clock = new VirtualClock();
  const log = createLog({ write: () => undefined, level: "error", format: "text" });
  return {
    name: "certificate",
    formed: fc
      .tuple(fc.base64String(), fc.constantFrom("CERTIFICATE", "PRIVATE KEY", "X509 CRL"))
      .map(([body, kind]) => bytesOf(`-----BEGIN ${kind}-----\n${body}\n-----END ${kind}-----\n`)),
    tokens: ["-----BEGIN CERTIFICATE-----\n", "\n-----END CERTIFICATE-----\n", "MII"],
    run(bytes) {
      writeFileSync(path, bytes);
      const watch = new CertificateWatch({ certificate: path, ca: path }, clock, log);
      const days = watch.days();
      assert.ok(days === undefined || Number.isInteger(days), `${days} days`);
      return `${days} ${watch.identities() === ""}`;
    },
    close: () => rmSync(dir, { recursive: true, force: true }),
  };
}

export function farEndTargets(): readonly FuzzTarget[] {
  return [sparkplugPayload, nodeCommand, deviceCommand, jsonCommand, signedText, hostState, certificate()];
}
