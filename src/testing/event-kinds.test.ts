import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { silentLog } from "../core/log.ts";
import type { EventKind } from "../diagnostics/event.ts";
import { CertificateWatch } from "../uplinks/certificate-watch.ts";
import { deviceCommand } from "../uplinks/commands/sparkplug-command.ts";
import { decodePayload } from "../uplinks/sparkplug/payload.ts";
import { CommandSite } from "./command-site.ts";
import { TOPIC } from "./uplink-rig.ts";

const CERTIFICATES = fileURLToPath(new URL("fuzz/corpus/certificate/", import.meta.url));
const DCMD = "spBv1.0/plant/DCMD/gateway/pump";
const SCADA = "spBv1.0/plant/NDATA/gateway";
/** The device is read, and certificates are looked at, within it. */
const MINUTE_MS = 61_000;

/**
 * Of each kind what one life brings about, in order; `loss` needs a broker that gets no history, and `bench` a tool
 * beside the gateway: `remote-writes.test.ts`.
 */
const TOLD: Readonly<Record<Exclude<EventKind, "bench" | "loss">, readonly RegExp[]>> = {
  start: [/^for the first time/],
  stop: [/^told to stop$/],
  configuration: [/^loaded/],
  clock: [/^host$/, /^stepped back by 5\.0 s$/, /^stepped forward by 5\.0 s$/],
  certificates: [/^cloud: .* until 2026-11-21/, /^cloud: .* until 2026-12-22/],
  uplink: [/^cloud: connected to /, /^cloud: failed: the broker is being mended$/, /^cloud: connected to /],
  line: [/^RS485-1: no such port$/, /^RS485-1: open again$/],
  device: [/^pump on RS485-1 does not answer any more$/, /^pump on RS485-1 answers again$/],
  outbox: [/^state\.db was empty or missing/],
  command: [/^"pump\/setpoint"=1200 (confirmed|refused|failed|unconfirmed).*; by key [0-9a-f]{16}, from cloud$/],
};

/** All that can happen to a gateway, much of it while no broker is there to be told. */
async function live(site: CommandSite, format: "json" | "sparkplug", certificate: string): Promise<void> {
  const { clock, broker } = site;
  await site.startAndWait();
  const content = site.content();
  if (format === "json") await site.send(site.envelope(content));
  else
    await site.send(
      deviceCommand(site.signed(content), content, () => "int16"),
      { topic: DCMD },
    );
  broker.drop();
  broker.refuse("the broker is being mended");
  clock.stepWall(-5_000);
  await clock.advance(2_000);
  clock.stepWall(5_000);
  site.line?.unplug();
  copyFileSync(`${CERTIFICATES}leaf.pem`, certificate);
  await clock.advance(MINUTE_MS);
  site.line?.plugIn();
  await clock.advance(MINUTE_MS);
  broker.refuse(undefined);
  await site.connected();
  await site.reload([site.key], { group: "plant", name: "gateway" });
  await clock.advance(10_000);
  await site.stop();
  rmSync(join(site.stateDir, "state.db"));
  await site.start();
  await clock.advance(10_000);
}

function onTopic(site: CommandSite): readonly string[] {
  const messages = site.broker.received.filter(({ topic }) => topic === `${TOPIC}/events`);
  return messages
    .flatMap(({ payload }) => JSON.parse(Buffer.from(payload).toString()).values)
    .map(({ v }) => String(v));
}

function asMetric(site: CommandSite): readonly string[] {
  const messages = site.broker.received.filter(({ topic }) => topic === SCADA);
  const metrics = messages.flatMap(({ payload }) => decodePayload(payload).metrics);
  return metrics.filter(({ name }) => name === "events").map(({ value }) => String(value?.value));
}

describe("P4: what happened is told, each kind, as it happened, also where nobody was there to hear it", () => {
  for (const [format, told] of [
    ["json", onTopic],
    ["sparkplug", asMetric],
  ] as const) {
    test(`as ${format}`, async () => {
      const dir = mkdtempSync(join(tmpdir(), "sallyport-events-"));
      const certificate = join(dir, "gateway.pem");
      copyFileSync(`${CERTIFICATES}expired.pem`, certificate);
      const site = new CommandSite({ uplink: { format } });
      const watch = new CertificateWatch({ certificate }, site.clock, silentLog);
      Object.assign(site.broker, { certificateDays: () => watch.days(), certificates: () => watch.identities() });
      try {
        await live(site, format, certificate);
        const heard = [...new Set(told(site))];
        const stop = heard.findIndex((event) => event.endsWith(" stop: told to stop"));
        const numbers = heard.slice(0, stop + 1).map((event) => Number(/^#(\d+) /.exec(event)?.[1]));
        assert.deepEqual(
          numbers,
          Array.from({ length: stop + 1 }, (_, i) => i + 1),
          "none is missing, all are in order",
        );
        for (const [kind, expected] of Object.entries(TOLD)) {
          const of = heard.flatMap((event) => new RegExp(`^#\\d+ ${kind}: (.*)$`).exec(event)?.[1] ?? []);
          for (const [i, words] of expected.entries()) assert.match(of[i] ?? "", words, heard.join("\n"));
        }
      } finally {
        await site.end();
        rmSync(dir, { recursive: true, force: true });
      }
    });
  }

  test("a loss", async () => {
    const history = { enabled: false, maxAgeMs: 1e9, maxSizeBytes: 1e9, rateBytesPerS: 1e6 };
    const site = new CommandSite({ uplink: { history } });
    await site.start();
    site.broker.drop();
    site.broker.refuse("away");
    await site.clock.advance(MINUTE_MS);
    site.broker.refuse(undefined);
    await site.connected();
    await site.clock.advance(10_000);
    assert.match(onTopic(site).join("\n"), /^#\d+ loss: cloud was told of \d+ samples that it does not get$/m);
    await site.end();
  });
});
