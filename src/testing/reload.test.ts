/** A changed configuration, loaded by the service while it runs: on real parts, seen from the far end. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { afterEach, test } from "node:test";
import { FieldSite } from "./field-site.ts";

let site: FieldSite | undefined;

afterEach(async () => {
  await site?.close();
  site = undefined;
});

test("P8: SIGHUP loads what changed; a bad file is refused; no backlog is lost", async () => {
  const s = await FieldSite.open();
  site = s;
  s.pump.set("holdingRegister", 0, 7);
  s.meter.set("holdingRegister", 0, 1);
  const subscriber = await s.subscribe();
  const file = await s.configure();
  const gateway = await s.startGateway(file);
  const isCurrent = (id: string, value: number) => {
    const reader = s.reader();
    return reader.currency(id.split("/")[0] ?? "").current && reader.tag(id)?.value === value;
  };
  await s.seen("both are there", () => isCurrent("pump/value", 7) && isCurrent("meter/value", 1));

  await writeFile(file, "version: 1\ngateway: { group: site }\n");
  gateway.hangUp();
  await gateway.logged(/gateway.yaml:2:\d+ gateway.name: [\s\S]*the old one goes on/);
  s.pump.set("holdingRegister", 0, 8);
  await s.seen("the old configuration is read on", () => isCurrent("pump/value", 8));

  process.kill(s.broker.pid, "SIGSTOP");
  s.pump.set("holdingRegister", 0, 9);
  await s.uplinkStatus("the change waits", ({ depth }) => depth > 0);
  await s.configure(s.uplinkYaml(), { devices: ["pump"] });
  gateway.hangUp();
  process.kill(s.broker.pid, "SIGCONT");
  await gateway.logged(/configuration loaded/);
  await s.seen("the pump is read under the new one", () => isCurrent("pump/value", 9));
  await s.seen("the meter is no more", () => !s.reader().devices().includes("meter"));
  assert.ok(
    subscriber.messages.some(({ topic, payload }) => topic.endsWith("snapshot/meter") && payload.length === 0),
    "what was retained of the meter is cleared",
  );

  await s.configure(s.uplinkYaml(), { moreUplinks: `  second: ${s.uplinkYaml().replace("{", "{ topic: second,")}` });
  await gateway.logged(/configuration loaded: 1 lines, 0 inputs, 2 uplinks/);
  assert.equal(await gateway.stop(), 0);
});

test("P8: an uplink that moves to another server under its name takes its backlog along", async () => {
  const s = await FieldSite.open();
  site = s;
  const subscriber = await s.subscribe();
  s.pump.set("holdingRegister", 0, 7);
  const file = await s.configure(s.uplinkYaml({ server: "mqtts://127.0.0.1:9" }));
  const gateway = await s.startGateway(file);
  await s.heldTag("pump", "value", (value) => value === "7");
  s.pump.set("holdingRegister", 0, 8);
  await s.heldTag("pump", "value", (value) => value === "8");
  await s.configure();
  gateway.hangUp();
  await s.seen("the pump at the new server", (reader) => reader.tag("pump/value")?.value === 8);
  const isOld = ({ topic, payload }: { readonly topic: string; readonly payload: Uint8Array }) =>
    topic.endsWith("/history") && Buffer.from(payload).toString().includes(`"id":"pump/value","v":7,`);
  await s.seen("what waited for the old one", () => subscriber.messages.some(isOld));
  assert.equal(s.reader().counts().losses, 0);
  assert.equal(await gateway.stop(), 0);
});
