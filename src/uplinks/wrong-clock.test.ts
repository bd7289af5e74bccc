/** P9: a clock that is years off makes TLS impossible, and is named as that, through a real handshake. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Clock, hostClock } from "../core/clock.ts";
import { createLog } from "../core/log.ts";
import { seededRandom } from "../core/random.ts";
import { writeCertificates } from "../testing/certificates.ts";
import { Condition } from "../testing/condition.ts";
import { MemoryQueue } from "../testing/memory-queue.ts";
import { MemoryState } from "../testing/memory-state.ts";
import { deviceOf, SettableValues } from "../testing/settable-values.ts";
import { startTlsListener } from "../testing/tls-listener.ts";
import { uplinkConfig } from "../testing/uplink-config.ts";
import { createMqttTransport } from "./mqtt-transport.ts";
import { createUplink } from "./uplink.ts";

const YEAR_MS = 31_557_600_000;

/** What an uplink says, in its state and in its log, where the world is so many years ahead of this machine's clock. */
async function told(t: TestContext, yearsBehind: number): Promise<{ readonly state: string; readonly log: string }> {
  const dir = await mkdtemp(join(tmpdir(), "sallyport-wrong-clock-"));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const world: Clock = { ...hostClock, wallMs: () => hostClock.wallMs() + yearsBehind * YEAR_MS };
  const certificates = await writeCertificates(dir, world);
  const listener = await startTlsListener(certificates);
  t.after(() => listener.close());
  const lines: string[] = [];
  const logged = new Condition(hostClock);
  const write = (line: string) => {
    lines.push(line);
    logged.changed();
  };
  const log = createLog({ write, level: "info", format: "text" });
  const config = uplinkConfig(certificates, [listener.url]);
  const values = new SettableValues(hostClock, [deviceOf("pump", ["speed"])], []);
  const uplink = createUplink({
    config,
    values,
    queue: new MemoryQueue(hostClock),
    transport: createMqttTransport({ config, clock: hostClock, log }),
    state: new MemoryState(),
    clock: hostClock,
    random: seededRandom(1),
    log,
  });
  uplink.start();
  t.after(() => uplink.stop());
  await logged.until("the attempt has failed", () => uplink.report().state.startsWith("failed"));
  return { state: uplink.report().state, log: lines.join("") };
}

for (const years of [2, 30]) {
  test(`P9: a clock ${years} years behind is named, with the remedy, and not the certificate`, async (t) => {
    const { state, log } = await told(t, years);
    const words = /this gateway's clock is probably wrong: it says \d{4}-.*check the time server/;
    assert.match(state, words);
    assert.match(log, words);
    assert.doesNotMatch(state, /needs a new one|get the new CA/);
  });
}

test("P9: where a certificate has ended, the clock is named beside it: nobody can tell which it is", async (t) => {
  const { state } = await told(t, -2);
  assert.match(state, /expired on \d{4}-.*unless this gateway's clock is wrong/);
});
