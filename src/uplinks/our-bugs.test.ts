import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";

const RIG = new URL("../testing/uplink-rig.ts", import.meta.url).href;
const ERRORS = new URL("../core/errors.ts", import.meta.url).href;

/** Plants a bug at each place where an uplink also meets faults of the world, and prints where it came through. */
const SCRIPT = `
  import { UplinkRig } from ${JSON.stringify(RIG)};
  import { AssertionFailure } from ${JSON.stringify(ERRORS)};

  const bug = () => { throw new AssertionFailure("planted"); };
  const places = {
    state: (rig) => { rig.state.nextSession = async () => bug(); },
    transport: (rig) => { rig.broker.connect = async () => [].first.name; },
    format: (rig) => { rig.values.snapshot = bug; },
    retained: (rig) => { rig.state.setRetained = async () => new Array(-1); },
    publish: (rig) => {
      const connect = rig.broker.connect.bind(rig.broker);
      rig.broker.connect = async (request) => {
        const connection = await connect(request);
        connection.publish = async () => nobody;
        return connection;
      };
    },
    queue: (rig) => { rig.queue.read = async () => bug(); },
  };
  for (const [place, plant] of Object.entries(places)) {
    const thrown = [];
    process.removeAllListeners("unhandledRejection").on("unhandledRejection", (error) => thrown.push(error));
    const rig = new UplinkRig();
    plant(rig);
    rig.begin();
    rig.values.set("pump/speed", 1);
    await rig.clock.advance(1_000);
    if (thrown.length > 0) console.log(place);
  }
  process.exit(0);
`;

test("a bug of ours is never taken for a fault of the broker or the card: it ends the process", async () => {
  const args = ["--import", "tsx", "--input-type=module", "--eval", SCRIPT];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  let came = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    came += text;
  });
  const [code] = await once(child, "close");
  assert.equal(code, 0);
  assert.deepEqual(came.split("\n").filter(Boolean), ["state", "transport", "format", "retained", "publish", "queue"]);
});
