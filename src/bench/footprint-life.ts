/** One life of the bundled service under a steady load, measured from outside. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hostClock, sleep } from "../core/clock.ts";
import type { Message } from "../pipeline.ts";
import { writeCertificates } from "../testing/certificates.ts";
import { type CountingPlantOptions, openCountingPlant } from "../testing/counting-plant.ts";
import { startFrozenProxy } from "../testing/frozen-proxy.ts";
import { runGateway } from "../testing/gateway-process.ts";
import type { WireMessage } from "../testing/ledger.ts";
import { startMosquitto } from "../testing/mosquitto.ts";
import { cpuSecondsOf, residentBytesOf, unitEnvironment } from "../testing/process-figures.ts";
import { subscribe } from "../testing/subscriber.ts";

export interface LifePlan {
  readonly folder: string;
  /** The bundle's entry. */
  readonly program: string;
  readonly load: CountingPlantOptions;
  /** The devices share a model, as those of a plant do; else each tag of each stands in gateway.yaml. */
  readonly byModel?: true;
  readonly warmUpMs: number;
  readonly measureMs: number;
}

export interface LifeFigures {
  /** From the start of the process to the first value of a device at the subscriber. */
  readonly firstSampleMs: number;
  /** At the end. */
  readonly rssBytes: number;
  /** Since the start. */
  readonly rssPeakBytes: number;
  /** Over the time measured, as all that follows. */
  readonly cpuS: number;
  /** Values of devices that arrived. */
  readonly values: number;
  /** On the wire with TLS, self-tags and all. */
  readonly sentBytes: number;
}

const TOPIC = "footprint/gateway";
const FIRST_SAMPLE_LIMIT_MS = 60_000;

export async function liveOnce(plan: LifePlan): Promise<LifeFigures> {
  await mkdir(plan.folder, { recursive: true });
  const certificates = await writeCertificates(join(plan.folder, "tls"), hostClock);
  const broker = await startMosquitto({ certificates });
  const arrivals = new Arrivals();
  const subscriber = await subscribe(broker.url, {
    certificates,
    topics: [`${TOPIC}/data`, `${TOPIC}/snapshot/#`],
    onMessage: (message) => arrivals.take(message),
  });
  const proxy = await startFrozenProxy({ host: "127.0.0.1", port: broker.port }, hostClock);
  const modelFile = plan.byModel && join(plan.folder, "counter.yaml");
  const plant = await openCountingPlant({ ...plan.load, ...(modelFile && { modelFile }) });
  const config = join(plan.folder, "gateway.yaml");
  const { ca, client } = certificates;
  await writeFile(
    config,
    `version: 1
gateway: { group: footprint, name: gateway }
uplinks:
  cloud:
    servers: [ "mqtts://localhost:${proxy.port}" ]
    tls: { ca: ${ca}, certificate: ${client.certificate}, key: ${client.key} }
clock: { source: host }
${plant.yaml}`,
  );
  const startedMs = hostClock.monotonicMs();
  const gateway = runGateway(config, join(plan.folder, "state"), await unitEnvironment(), [plan.program]);
  try {
    while (arrivals.firstMs === undefined) {
      if (hostClock.monotonicMs() - startedMs > FIRST_SAMPLE_LIMIT_MS)
        throw new Error(`nothing came: ${gateway.log()}`);
      await sleep(hostClock, 1);
    }
    await sleep(hostClock, plan.warmUpMs);
    const before = { cpuS: await cpuSecondsOf(gateway.pid), values: arrivals.values, sentBytes: proxy.sentBytes() };
    await sleep(hostClock, plan.measureMs);
    const resident = await residentBytesOf(gateway.pid);
    return {
      firstSampleMs: arrivals.firstMs - startedMs,
      rssBytes: resident.now,
      rssPeakBytes: resident.peak,
      cpuS: (await cpuSecondsOf(gateway.pid)) - before.cpuS,
      values: arrivals.values - before.values,
      sentBytes: proxy.sentBytes() - before.sentBytes,
    };
  } finally {
    await gateway.kill();
    await subscriber.close();
    await proxy.close();
    await broker.close();
    await plant.close();
  }
}

/** Values of devices as they come to the subscriber; the gateway's own tags do not count. */
class Arrivals {
  /** On the data topic. */
  values = 0;
  /** By whichever topic. */
  firstMs: number | undefined;

  take({ topic, payload }: Message): void {
    const message: WireMessage = JSON.parse(Buffer.from(payload).toString());
    const values = message.values.filter(({ id, q }) => q && !id.startsWith("gateway/")).length;
    if (values > 0) this.firstMs ??= hostClock.monotonicMs();
    if (topic === `${TOPIC}/data`) this.values += values;
  }
}
