/** `npm run prove:brokers -- --phase 8`: an uplink to Mosquitto, RabbitMQ and aedes at once, each in every trouble. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { hostClock } from "../core/clock.ts";
import { startBrokerProcess } from "./broker-process.ts";
import { writeCertificates } from "./certificates.ts";
import { startMosquitto } from "./mosquitto.ts";
import { RABBITMQ_ADMINISTRATOR, startRabbitmq } from "./rabbitmq.ts";
import { proveSeveral } from "./several-brokers.ts";
import { timedLines } from "./timed-lines.ts";

/** The user that the gateway's certificate names may publish below its topic, and nothing else. */
const LEAST_RIGHTS = [
  ["add_user", "client", "not used: its certificate is"],
  ["set_permissions", "client", "^$", "^amq\\.topic$", "^$"],
  ["set_topic_permissions", "client", "amq.topic", "^plant\\.gateway\\..*", "^$"],
] as const;

/** Generous: machines are shared. */
const LIVE_LIMIT_MS = 1_000;

const { values } = parseArgs({ options: { phase: { type: "string", default: "8" } } });
const tell = timedLines();

const certificates = await writeCertificates(await mkdtemp(join(tmpdir(), "sallyport-brokers-")), hostClock);
const mosquitto = await startMosquitto({ certificates });
const aedes = await startBrokerProcess({ certificates });
const rabbitmq = await startRabbitmq({ certificates });
try {
  for (const words of LEAST_RIGHTS) await rabbitmq.control(...words);
  tell("Mosquitto, RabbitMQ and aedes run");
  const report = await proveSeveral({
    certificates,
    brokers: [
      {
        name: "mosquitto",
        version: 5,
        port: mosquitto.port,
        stop: () => mosquitto.stop(),
        start: () => mosquitto.start(),
      },
      {
        name: "rabbitmq",
        version: 4,
        port: rabbitmq.port,
        observer: RABBITMQ_ADMINISTRATOR,
        stop: () => rabbitmq.stop(),
        start: () => rabbitmq.start(),
      },
      // It forgets what it has acknowledged when it ends.
      { name: "aedes", version: 4, port: aedes.port },
    ],
    troubles: ["broken", "frozen", "slow", "stopped"],
    phaseMs: Number(values.phase) * 1_000,
    worker: "thread",
    liveLimitMs: LIVE_LIMIT_MS,
    tell,
  });
  for (const [name, got] of Object.entries(report.arrived)) {
    tell(
      `${name}: ${got.takenIn} taken in, ${got.live} live, ${got.history} history, ${got.duplicates} twice, ${got.lost} missing`,
    );
  }
  tell(`the slowest live value at a broker that was well: ${Math.round(report.worstLiveMs)} ms`);
  tell(`faults      ${report.faults.length}`);
  for (const fault of report.faults) tell(fault);
  process.exitCode = report.faults.length === 0 ? 0 : 1;
} finally {
  await rabbitmq.close();
  await aedes.kill();
  await mosquitto.close();
  await rm(certificates.dir, { recursive: true, force: true });
}
