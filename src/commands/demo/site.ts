/** The demo's site: the real gateway between a simulated plant and an embedded broker. All of it is thrown away after. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LineConfig } from "../../config/config.ts";
import { loadConfig } from "../../config/load.ts";
import { hostClock, type Timer } from "../../core/clock.ts";
import { messageOf } from "../../core/errors.ts";
import { silentLog } from "../../core/log.ts";
import { hostRandom } from "../../core/random.ts";
import { createHostFigures } from "../../diagnostics/host-figures.ts";
import { createGateway, type Gateway } from "../../gateway.ts";
import type { SerialLine } from "../../sources/modbus/serial-line.ts";
import { serialportLine } from "../../sources/modbus/serialport-line.ts";
import { type BrokerProcess, startBrokerProcess } from "../../testing/broker-process.ts";
import { type Certificates, writeCertificates } from "../../testing/certificates.ts";
import { type FrozenProxy, startFrozenProxy } from "../../testing/frozen-proxy.ts";
import { Ledger } from "../../testing/ledger.ts";
import { openPtyPair } from "../../testing/pty.ts";
import { serveDevices } from "../../testing/simulated-bus.ts";
import { SimulatedLine } from "../../testing/simulated-line.ts";
import { SimulatedPins } from "../../testing/simulated-pins.ts";
import { createMqttTransport } from "../../uplinks/mqtt-transport.ts";
import { FarEnd } from "./far-end.ts";
import { createPlant, type Plant, plantYaml } from "./plant.ts";
import type { Action } from "./story.ts";

const TOPIC = "demo/pump-house";
const DOOR = { chip: "simulated", line: 1 } as const;
const CHIP_LINES = 4;
const PLANT_STEP_MS = 100;
/** Only a name: the simulated line opens no file. */
const NO_PATH = "/dev/simulated";

export class DemoSite {
  /** In words: which kind of line the gateway reads. */
  readonly serial: string;
  readonly gateway: Gateway;
  readonly farEnd: FarEnd;
  readonly ledger: Ledger;
  brokerCut = false;
  pumpDead = false;
  #doorOpen = false;
  readonly #plant: Plant;
  readonly #pins: SimulatedPins;
  readonly #proxy: FrozenProxy;
  readonly #cleanUp: (() => Promise<void> | void)[];
  readonly #startedMs = hostClock.monotonicMs();
  #timer: Timer | undefined;

  private constructor(parts: {
    serial: string;
    gateway: Gateway;
    farEnd: FarEnd;
    ledger: Ledger;
    plant: Plant;
    pins: SimulatedPins;
    proxy: FrozenProxy;
    cleanUp: (() => Promise<void> | void)[];
  }) {
    this.serial = parts.serial;
    this.gateway = parts.gateway;
    this.farEnd = parts.farEnd;
    this.ledger = parts.ledger;
    this.#plant = parts.plant;
    this.#pins = parts.pins;
    this.#proxy = parts.proxy;
    this.#cleanUp = parts.cleanUp;
  }

  static async open(): Promise<DemoSite> {
    const cleanUp: (() => Promise<void> | void)[] = [];
    try {
      return await DemoSite.#build(cleanUp);
    } catch (error) {
      await undo(cleanUp);
      throw error;
    }
  }

  static async #build(cleanUp: (() => Promise<void> | void)[]): Promise<DemoSite> {
    const dir = await mkdtemp(join(tmpdir(), "sallyport-demo-"));
    cleanUp.push(() => rm(dir, { recursive: true, force: true }));
    const certificates = await writeCertificates(join(dir, "tls"), hostClock);
    const broker = await startBrokerProcess({ certificates });
    cleanUp.push(() => broker.stop());
    const proxy = await startFrozenProxy({ host: "127.0.0.1", port: broker.port }, hostClock);
    cleanUp.push(() => proxy.close());

    const plant = createPlant();
    const line = await openLine(plant, cleanUp);
    const pins = new SimulatedPins(hostClock, { [DOOR.chip]: CHIP_LINES });
    const file = join(dir, "gateway.yaml");
    await writeFile(file, siteYaml(certificates, proxy.port, line.path));
    const config = loadConfig(file);

    const ledger = new Ledger();
    const farEnd = await connectFarEnd(broker, certificates, ledger);
    cleanUp.push(() => farEnd.close());
    const gateway = await createGateway(config, {
      clock: hostClock,
      random: hostRandom,
      log: silentLog,
      openLine: line.open,
      pins,
      transport: (uplink) => createMqttTransport({ config: uplink, clock: hostClock, log: silentLog }),
      stateDir: dir,
      runtimeDir: dir,
      storage: "thread",
      host: createHostFigures(),
      witness: ledger,
    });
    return new DemoSite({ serial: line.words, gateway, farEnd, ledger, plant, pins, proxy, cleanUp });
  }

  start(): void {
    this.#move();
    this.gateway.start();
  }

  /** Seconds since it was opened. */
  runningS(): number {
    return (hostClock.monotonicMs() - this.#startedMs) / 1000;
  }

  /** Does it, and says in words what was done. */
  act(action: Action): string {
    switch (action) {
      case "cut broker":
        this.brokerCut = true;
        this.#proxy.refuse(true);
        return "the link to the broker is cut";
      case "restore broker":
        this.brokerCut = false;
        this.#proxy.refuse(false);
        return "the link to the broker is back";
      case "kill device":
      case "revive device":
        this.pumpDead = action === "kill device";
        this.#plant.setPumpDead(this.pumpDead);
        return this.pumpDead ? "the pump answers no more" : "the pump answers again";
      case "toggle input":
        this.#doorOpen = !this.#doorOpen;
        this.#pins.drive(DOOR, this.#doorOpen);
        return this.#doorOpen ? "the door opens" : "the door closes";
    }
  }

  /** Stops the gateway as SIGTERM does, then throws everything away. */
  async close(): Promise<void> {
    this.#timer?.cancel();
    await undo(this.#cleanUp);
  }

  #move(): void {
    this.#plant.move(this.runningS() * 1000);
    this.#timer = hostClock.after(PLANT_STEP_MS, () => this.#move());
  }
}

interface DemoLine {
  readonly path: string;
  readonly words: string;
  readonly open: (line: LineConfig) => SerialLine;
}

/** A real terminal pair where the machine can make one, so that serialport itself is at work; else one in memory. */
async function openLine(plant: Plant, cleanUp: (() => Promise<void> | void)[]): Promise<DemoLine> {
  try {
    const pair = await openPtyPair();
    const stop = serveDevices(pair.master, plant.devices, hostClock);
    cleanUp.push(() => pair.close(), stop);
    return { path: pair.path, words: `real terminal pair, made by ${pair.kind}`, open: serialportLine };
  } catch (error) {
    const line = new SimulatedLine({ clock: hostClock, devices: plant.devices });
    return { path: NO_PATH, words: `simulated in memory (${messageOf(error)})`, open: () => line };
  }
}

function connectFarEnd(broker: BrokerProcess, certificates: Certificates, ledger: Ledger): Promise<FarEnd> {
  return FarEnd.connect({ url: broker.url, certificates, topic: TOPIC, ledger, clock: hostClock });
}

/** The last thing made goes first. */
async function undo(cleanUp: (() => Promise<void> | void)[]): Promise<void> {
  for (let step = cleanUp.pop(); step !== undefined; step = cleanUp.pop()) await step();
}

function siteYaml(certificates: Certificates, port: number, linePath: string): string {
  const { ca, client } = certificates;
  return `version: 1
gateway: { group: demo, name: pump-house }
uplinks:
  cloud:
    servers: [ "mqtts://localhost:${port}" ]
    tls: { ca: ${JSON.stringify(ca)}, certificate: ${JSON.stringify(client.certificate)}, key: ${JSON.stringify(client.key)} }
    mqttVersion: 3.1.1          # the embedded broker speaks nothing newer
    reconnect: { spread: 1s, max: 2s }
clock: { source: host }
${plantYaml(linePath)}`;
}
