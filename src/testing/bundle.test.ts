import { execFileSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { hostClock } from "../core/clock.ts";
import { writeCertificates } from "./certificates.ts";
import { type GatewayProcess, runGateway } from "./gateway-process.ts";
import { type Mosquitto, startMosquitto } from "./mosquitto.ts";
import { type Subscriber, subscribe } from "./subscriber.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const TOPIC = "plant/gateway";

test("P2: the bundle brings samples to a broker over WebSocket, by a part of it that nothing else loads", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-bundle-"));
  // Beside node_modules, where its addons are found.
  const dist = await mkdtemp(join(ROOT, "node_modules", ".bundle-"));
  let broker: Mosquitto | undefined;
  let subscriber: Subscriber | undefined;
  let gateway: GatewayProcess | undefined;
  // In this order: a gateway that runs makes new files in a folder that is being removed.
  t.after(async () => {
    await gateway?.kill();
    await subscriber?.close();
    await broker?.close();
    for (const each of [folder, dist]) await rm(each, { recursive: true, force: true });
  });
  execFileSync(process.execPath, [join(ROOT, "scripts/build.mjs"), dist], { stdio: "ignore" });
  const certificates = await writeCertificates(join(folder, "tls"), hostClock);
  broker = await startMosquitto({ certificates, webSocket: true });
  subscriber = await subscribe(broker.url, { certificates });
  const config = join(folder, "gateway.yaml");
  await writeFile(
    config,
    `version: 1
gateway: { group: plant, name: gateway }
clock: { source: host }
uplinks:
  cloud:
    servers: ["${broker.webSocketUrl}"]
    topic: ${TOPIC}
    tls: { ca: ${certificates.ca}, certificate: ${certificates.client.certificate}, key: ${certificates.client.key} }
`,
  );
  gateway = runGateway(config, join(folder, "state"), {}, [join(dist, "sallyport.mjs")]);
  await gateway.started();
  await subscriber.message("a sample", ({ topic }) => topic === `${TOPIC}/data`);
});
