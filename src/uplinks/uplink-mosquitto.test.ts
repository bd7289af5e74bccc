import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { silentLog } from "../core/log.ts";
import { hostRandom } from "../core/random.ts";
import { writeCertificates } from "../testing/certificates.ts";
import { startFrozenProxy } from "../testing/frozen-proxy.ts";
import { Ledger } from "../testing/ledger.ts";
import { MemoryQueue } from "../testing/memory-queue.ts";
import { MemoryState } from "../testing/memory-state.ts";
import { startMosquitto } from "../testing/mosquitto.ts";
import { Reader } from "../testing/reader.ts";
import { SessionOrder } from "../testing/session-order.ts";
import { deviceOf, SettableValues } from "../testing/settable-values.ts";
import { subscribe } from "../testing/subscriber.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { parseWire } from "../testing/wire.ts";
import { within } from "../testing/within.ts";
import { createMqttTransport } from "./mqtt-transport.ts";
import { createUplink } from "./uplink.ts";

const TOPIC = "plant/gateway";
const OUTAGE_VALUES = 5_000;

test("P3 P4: through Mosquitto over TLS: an outage costs nothing, and the far end is right before, during and after", async () => {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-uplink-"));
  const certificates = await writeCertificates(dir, hostClock);
  const broker = await startMosquitto({ certificates });
  const subscriber = await subscribe(broker.url, { certificates });
  const link = await startFrozenProxy({ host: "127.0.0.1", port: broker.port }, hostClock);
  const server = `mqtts://localhost:${link.port}`;
  const reader = new Reader(TOPIC);
  const ledger = new Ledger();
  const order = new SessionOrder(TOPIC);
  let seen = 0;
  /** Takes in what arrived since, then looks. */
  const reads = (holds: () => boolean) => () => {
    for (const message of subscriber.messages.slice(seen)) {
      order.arrived(message);
      reader.receive(message.topic, message.payload, message.retain);
      const stage = message.topic.slice(TOPIC.length + 1);
      if (stage === "data" || stage === "history") ledger.arrived(stage, parseWire(message.payload));
    }
    seen = subscriber.messages.length;
    return holds();
  };
  const queue = new MemoryQueue(hostClock);
  const values = new SettableValues(hostClock, [deviceOf("pump", ["speed", "flow"])], [ledger, queue]);
  const config = uplinkConfig(certificates, [server], { reconnect: { spreadMs: 100, maxMs: 200 } });
  const uplink = createUplink({
    config,
    values,
    queue,
    transport: createMqttTransport({ config, clock: hostClock, log: silentLog }),
    state: new MemoryState(),
    clock: hostClock,
    random: hostRandom,
    log: silentLog,
  });
  try {
    uplink.start();
    await subscriber.until(
      "the pump is current",
      reads(() => reader.currency("pump").current),
    );
    values.set("pump/speed", 1490.5);
    await subscriber.until(
      "the value is there",
      reads(() => reader.tag("pump/speed")?.value === 1490.5),
    );

    link.refuse(true);
    for (let i = 1; i <= OUTAGE_VALUES; i++) values.set("pump/speed", i);
    await subscriber.until(
      "the gateway is known to be gone",
      reads(() => !reader.online()),
    );
    link.refuse(false);

    await subscriber.until(
      "the pump is current again",
      reads(() => reader.currency("pump").current),
    );
    assert.equal(reader.tag("pump/speed")?.value, OUTAGE_VALUES);
    await subscriber.until(
      "all is there",
      reads(() => ledger.missing(1).length === 0),
    );
    assert.deepEqual([...ledger.violations(), ...order.violations()], []);
    await within(hostClock, uplink.stop(), "the uplink has stopped");
    await subscriber.until(
      "the goodbye is there",
      reads(() => !reader.online()),
    );
  } finally {
    await uplink.stop();
    await subscriber.close();
    await link.close();
    await broker.close();
    await rm(dir, { recursive: true, force: true });
  }
});
