/** What happens in a cabinet, seen from the far end: through serialport, the service, TLS and a real broker. */
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { afterEach, describe, test } from "node:test";
import { FieldSite, type FieldSiteOptions } from "./field-site.ts";
import { runGateway } from "./gateway-process.ts";
import type { Reader } from "./reader.ts";

let site: FieldSite | undefined;

afterEach(async () => {
  await site?.close();
  site = undefined;
});

async function open(options: FieldSiteOptions = {}): Promise<FieldSite> {
  site = await FieldSite.open(options);
  return site;
}

const isGood = (reader: Reader, id: string, value: number) => {
  const tag = reader.tag(id);
  return reader.currency(id.split("/")[0] ?? "").current && tag?.good === true && tag.value === value;
};
const isBad = (reader: Reader, id: string, status: string) => reader.tag(id)?.status === status;

describe("at the far end", () => {
  test("P3: a device that dies is not Good, another is not touched, and it is Good again after its return", async () => {
    const s = await open();
    s.pump.set("holdingRegister", 0, 7);
    s.meter.set("holdingRegister", 0, 1);
    const subscriber = await s.subscribe();
    const gateway = await s.startGateway(await s.configure());
    await s.seen("both are Good", (r) => isGood(r, "pump/value", 7) && isGood(r, "meter/value", 1));

    s.pump.faults = { silent: true };
    await s.seen("the pump is not Good", (r) => isBad(r, "pump/value", "BadNoCommunication"));
    assert.equal(s.reader().tag("pump/value")?.value, 7, "the last value is kept for information");
    s.meter.set("holdingRegister", 0, 2);
    await s.seen("the meter goes on", (r) => isGood(r, "meter/value", 2));

    await gateway.logged(/pump.*lost/);
    s.pump.faults = {};
    s.pump.set("holdingRegister", 0, 8);
    await s.seen("the pump is Good again", (r) => isGood(r, "pump/value", 8));
    const meterWasBad = subscriber.messages.some((m) =>
      /"meter\/value"[^}]*"s":"BadNo/.test(Buffer.from(m.payload).toString()),
    );
    assert.equal(meterWasBad, false, "the meter was Good all the time");
  });

  test("P3: an adapter that vanishes takes its tags to Bad, and comes back under another terminal name", async () => {
    const s = await open();
    s.pump.set("holdingRegister", 0, 7);
    await s.subscribe();
    await s.startGateway(await s.configure());
    await s.seen("it is Good", (r) => isGood(r, "pump/value", 7));
    const before = s.pair.terminal();
    await s.pair.vanish();
    await s.seen("it is not Good", (r) => isBad(r, "pump/value", "BadNoCommunication"));
    s.pump.set("holdingRegister", 0, 8);
    await s.pair.comeBack();
    assert.notEqual(s.pair.terminal(), before);
    await s.seen("it is Good again", (r) => isGood(r, "pump/value", 8));
  });
});

interface Refusal {
  readonly name: string;
  readonly broker?: FieldSiteOptions["broker"];
  readonly identity?: "expired" | "wrongHost";
  readonly wrongCa?: boolean;
  readonly wrongLogin?: boolean;
  /** In the log and in the uplink's state. */
  readonly says: RegExp;
}

const REFUSALS: readonly Refusal[] = [
  { name: "a wrong CA", wrongCa: true, says: /not signed by/ },
  { name: "an expired certificate", identity: "expired", says: /expired/ },
  { name: "a wrong host name", identity: "wrongHost", says: /not for "?localhost/ },
  {
    name: "a refused login",
    broker: { users: { other: "secret" } },
    wrongLogin: true,
    says: /refuse|user name|password/i,
  },
];

describe("a broker that must not be believed, or does not let us in", () => {
  for (const refusal of REFUSALS) {
    test(`P2 P4: ${refusal.name} is told in words, and the samples are kept`, () => refused(refusal));
  }

  test("P4: what was kept while TLS was refused arrives once the CA is right, after a clean stop", async () => {
    const s = await open();
    s.pump.set("holdingRegister", 0, 41);
    const gateway = await s.startGateway(await s.configure(s.uplinkYaml({ ca: s.certificates.strangerCa })));
    await s.heldTag("pump", "value", (value) => value === "41");
    await s.uplinkStatus("samples are kept", (uplink) => uplink.depth > 0);
    assert.equal(await gateway.stop(), 0, "SIGTERM ends an outage with 0");

    s.pump.set("holdingRegister", 0, 42);
    const subscriber = await s.subscribe();
    await s.startGateway(await s.configure());
    await s.seen("the new value is current", (r) => isGood(r, "pump/value", 42));
    const history = await subscriber.message("the kept value arrives as history", (m) => {
      return m.topic.endsWith("/history") && /"pump\/value","v":41\b/.test(Buffer.from(m.payload).toString());
    });
    assert.match(Buffer.from(history.payload).toString(), /"h":1/);
    assert.equal(s.reader().counts().losses, 0, "a clean stop loses nothing");
  });

  test("P2: a plaintext URL is a mistake of the configuration", async () => {
    const s = await open();
    const gateway = s.runGateway(await s.configure(s.uplinkYaml({ server: `mqtt://localhost:${s.broker.port}` })));
    assert.equal(await gateway.ended(), 78);
    assert.match(
      gateway.log(),
      /uplinks\.cloud\.servers\[0\]: mqtt:\/\/ sends everything in the clear; use TLS: mqtts:/,
    );
    assert.doesNotMatch(s.broker.log(), /New connection/, "nobody even knocked");
  });
});

async function refused(refusal: Refusal): Promise<void> {
  const s = await open({ ...(refusal.identity && { identity: refusal.identity }), broker: { ...refusal.broker } });
  await s.writeSecret("cloud.password", "wrong\n");
  const gateway = await s.startGateway(
    await s.configure(
      s.uplinkYaml({
        ...(refusal.wrongCa && { ca: s.certificates.strangerCa }),
        ...(refusal.wrongLogin && { login: "{ username: other, passwordFile: cloud.password }" }),
      }),
    ),
  );
  const uplink = await s.uplinkStatus("it has failed and keeps samples", ({ state, depth }) => {
    return state.startsWith("failed: ") && depth > 0;
  });
  assert.match(uplink.state, refusal.says);
  const state = await s.heldTag("gateway", "uplinks/cloud/state", (value) => value.startsWith("failed: "));
  assert.match(state, refusal.says);
  assert.match(gateway.log(), refusal.says);
  assert.doesNotMatch(s.broker.log(), /New client connected .* as site-gateway-cloud/, "it was never connected");
}

describe("the service itself", () => {
  test("a state directory that cannot be used is the user's to mend: exit 74, with path and remedy", async () => {
    const s = await open();
    const file = await s.configure();
    await writeFile(s.stateDir, "a file where the directory should be");
    const gateway = s.runGateway(file);
    assert.equal(await gateway.ended(), 74);
    assert.ok(gateway.log().includes(s.stateDir), gateway.log());
    assert.match(gateway.log(), /--state-dir/);
  });

  test("P8: a second gateway on the same state is refused with 74, and the first goes on", async () => {
    const s = await open();
    s.pump.set("holdingRegister", 0, 7);
    await s.subscribe();
    const file = await s.configure();
    const first = await s.startGateway(file);
    await s.seen("it is Good", (r) => isGood(r, "pump/value", 7));
    const second = runGateway(file, s.stateDir);
    assert.equal(await second.ended(), 74);
    assert.match(second.log(), /another process/);
    s.pump.set("holdingRegister", 0, 8);
    await s.seen("the first goes on", (r) => isGood(r, "pump/value", 8));
    assert.equal(await first.stop(), 0);
  });

  test("P10: the gateway subscribes to nothing", async () => {
    const s = await open();
    s.pump.set("holdingRegister", 0, 7);
    await s.subscribe();
    await s.startGateway(await s.configure());
    await s.seen("it is Good", (r) => isGood(r, "pump/value", 7));
    assert.match(s.broker.log(), /Received PUBLISH from site-gateway-cloud/);
    assert.doesNotMatch(s.broker.log(), /Received SUBSCRIBE from site-gateway-cloud/);
  });
});
