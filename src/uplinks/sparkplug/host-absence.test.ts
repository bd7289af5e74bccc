/** P4 beyond the broker: whatever was acknowledged while the primary host could not hear it comes again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { UplinkConfig } from "../../config/config.ts";
import { afterCollection } from "../../testing/garbage.ts";
import type { Heard } from "../../testing/sparkplug-host.ts";
import { OTHER_SERVER, SparkplugRig } from "../../testing/sparkplug-rig.ts";

/** Whatever is kept, it must not be for its age that it is forgotten. */
const LONG_MS = 600_000;

const config: Partial<UplinkConfig> = { primaryHost: "scada", reconnect: { spreadMs: 1_000, maxMs: 2_000 } };

async function connected(more: Partial<UplinkConfig> = {}): Promise<SparkplugRig> {
  const rig = new SparkplugRig({ config: { ...config, ...more } });
  rig.host(true, 1_000);
  await rig.start();
  await rig.pass(30_000);
  return rig;
}

/** Tells a value, and waits until the broker has read it. */
async function tell(rig: SparkplugRig, value: number): Promise<void> {
  rig.values.set("pump/speed", value);
  await rig.until(`${value} is acknowledged`, () => rig.queue.depth() === 0);
}

function isAgain({ type, metrics }: Heard): boolean {
  return type === "DDATA" && metrics.some(({ isHistorical }) => isHistorical === true);
}

/** Values that went out again since then, each with how many births of the node stood before it. */
function again(rig: SparkplugRig, since: number): readonly (readonly [value: unknown, births: number])[] {
  let births = 0;
  return rig.heard.slice(since).flatMap((heard) => {
    if (heard.type === "NBIRTH") births += 1;
    if (!isAgain(heard)) return [];
    return heard.metrics.map(({ value }) => [value?.value, births] as const);
  });
}

async function untilAgain(rig: SparkplugRig, since: number, value: number): Promise<void> {
  await rig.until(`${value} comes again`, () => again(rig, since).some(([one]) => one === value), 200_000);
}

test("P4: what another one asked for amid a host's unnoticed death comes again for the host", async () => {
  const rig = await connected();
  // From here on the host is dead.
  await tell(rig, 5);
  rig.rebirth();
  await untilAgain(rig, 0, 5);
  await rig.pass(10_000);
  const since = rig.heard.length;
  rig.host(false, 1_000);
  await rig.until("it waits", () => rig.uplink.report().state === "waiting-for-host");
  rig.host(true, 2_000);
  await untilAgain(rig, since, 5);
});

test("P4: what a host gets again and does not live to hear comes once more, however late", async () => {
  const rig = await connected();
  await tell(rig, 5);
  for (const connectedMs of [2_000, 3_000]) {
    const since = rig.heard.length;
    rig.host(false, connectedMs - 1_000);
    await rig.until("it waits", () => rig.uplink.report().state === "waiting-for-host");
    await rig.clock.advance(LONG_MS);
    rig.host(true, connectedMs);
    await untilAgain(rig, since, 5);
  }
});

test("P4: what was acknowledged before the link broke comes again for a host that went meanwhile, however late", async () => {
  for (const goes of [true, false]) {
    const rig = await connected();
    await tell(rig, 5);
    rig.broker.refuse("nothing listens there");
    rig.broker.drop();
    await rig.clock.advance(LONG_MS);
    const since = rig.heard.length;
    if (goes) rig.host(false, 1_000);
    else rig.host(true, 2_000);
    rig.broker.refuse(undefined);
    await rig.pass(20_000);
    if (goes) rig.host(true, 2_000);
    await untilAgain(rig, since, 5);
  }
});

test("P4: what was on its way when the host went comes again, though it is acknowledged", async () => {
  const rig = new SparkplugRig({ config, broker: { latencyMs: 500 } });
  rig.host(true, 1_000);
  await rig.start();
  await rig.pass(30_000);
  rig.host(false, 1_000);
  await rig.pass(300);
  rig.values.set("pump/speed", 5);
  await rig.until("it waits", () => rig.uplink.report().state === "waiting-for-host");
  const since = rig.heard.length;
  rig.host(true, 2_000);
  await untilAgain(rig, since, 5);
});

test("P4: a host that is back within the gap of births gets them before what it missed", async () => {
  const rig = await connected();
  await tell(rig, 5);
  rig.rebirth();
  await rig.until("born anew", () => rig.of("NBIRTH").length === 2);
  await rig.pass(2_000);
  const since = rig.heard.length;
  rig.host(true, 2_000);
  await rig.pass(1_000);
  await tell(rig, 6);
  await untilAgain(rig, since, 6);
  await untilAgain(rig, since, 5);
  assert.deepEqual(new Set(again(rig, since).map(([, births]) => births)), new Set([1]));
});

test("P4: a loss that was told to nobody is told again", async () => {
  const rig = await connected();
  const [tag] = rig.values.devices()[0]?.tags ?? [];
  assert.ok(tag);
  const span = { epoch: 1, toEpoch: 1, fromMs: 10, toMs: 20 };
  rig.queue.lose({ id: 1, reason: "too old", ...span, tags: [{ tag, count: 3 }] });
  await tell(rig, 5);
  const tells = ({ metrics }: Heard) =>
    metrics.some(({ properties = [] }) => properties.some(({ key }) => key === "LostReason"));
  await rig.until("told", () => rig.heard.some(tells) && rig.queue.losses().length === 0);
  const since = rig.heard.length;
  rig.host(true, 2_000);
  await rig.until("told again", () => rig.heard.slice(since).some(tells), 10_000);
  await rig.pass(20_000);
  assert.equal(rig.heard.slice(since).filter(tells).length, 1);
});

test("P4: the last words at one server come again at another one", async () => {
  const rig = await connected({ servers: ["mqtts://broker:8883", OTHER_SERVER] });
  rig.host(true, 1_000, rig.other);
  await tell(rig, 5);
  const since = rig.heard.length;
  rig.broker.refuse("nothing listens there");
  rig.broker.drop();
  await rig.until("it is at the other", () => rig.uplink.report().server === OTHER_SERVER, 20_000);
  await untilAgain(rig, since, 5);
});

test("P4: a host whose clock was set back is heard again, in its place or after a minute of doubt", async () => {
  const rig = await connected();
  await tell(rig, 5);
  let since = rig.heard.length;
  rig.host(true, 500);
  await untilAgain(rig, since, 5);
  rig.host(false, 500);
  await rig.until("it waits", () => rig.uplink.report().state === "waiting-for-host");
  since = rig.heard.length;
  rig.host(true, 100);
  await rig.pass(50_000);
  assert.equal(rig.of("NBIRTH").length, rig.heard.slice(0, since).filter(({ type }) => type === "NBIRTH").length);
  await untilAgain(rig, since, 5);
  assert.ok(rig.log.some((line) => line.includes("not believed yet")));
});

test("P4: a reload forgets nothing of what the same host may have missed", async () => {
  for (const primaryHost of ["scada", "another"]) {
    const rig = await connected();
    await tell(rig, 5);
    await rig.reload({ keepAliveMs: 20_000 });
    const since = rig.heard.length;
    rig.host(false, 1_000);
    await rig.until("it waits", () => rig.uplink.report().state === "waiting-for-host");
    rig.host(true, 2_000);
    if (primaryHost === "scada") await untilAgain(rig, since, 5);
    else {
      rig.hostOf(primaryHost, true, 3_000);
      await rig.reload({ primaryHost });
      await rig.pass(20_000);
      assert.deepEqual(again(rig, since), [], "another host has missed nothing");
    }
  }
});

test("P7: of the uplinks before a reload nothing is kept but what a host may have missed", async () => {
  const rig = await connected();
  const former: WeakRef<object>[] = [];
  const note = () => former.push(new WeakRef(rig.uplink));
  for (let reload = 0; reload < 3; reload++) {
    note();
    await rig.reload();
  }
  assert.deepEqual(await afterCollection(former), [true, true, true]);
});

test("P3: a device that is lost after a host got again what it missed dies, in later sessions, too", async () => {
  const rig = await connected();
  await tell(rig, 5);
  const since = rig.heard.length;
  rig.host(true, 2_000);
  await untilAgain(rig, since, 5);
  await rig.pass(1_000);
  rig.broker.drop();
  await rig.until("born in a new session", () => rig.of("NBIRTH").length === 3, 20_000);
  rig.values.lose("pump");
  await rig.until("dead", () => rig.of("DDEATH", "pump").length > 0, 20_000);
});

test("P7: a host that asks for births again and again gets what it missed once a minute, and all else meanwhile", async () => {
  const rig = await connected();
  await tell(rig, 5);
  const since = rig.heard.length;
  for (let i = 0; i < 9; i += 1) {
    rig.rebirth();
    await rig.pass(5_000);
  }
  assert.equal(again(rig, since).filter(([value]) => value === 5).length, 1);
  await tell(rig, 6);
});
