/** Leads a gateway through all that Sparkplug B speaks of, so that the checks have something to look at. */
import { DEVICES, type Site, type Uplink } from "./site.ts";

const LOST = "d2";
const REBIRTH = "Node Control/Rebirth";
/** More than one round of seq. */
const WRAP = 270;
/** After it comes 0. */
const LAST_BDSEQ = 255;
/** Long enough for a read that was on its way, and then some. */
const STANDING_READS = 12;
/** Somewhere within a message. */
const HANG_AFTER_BYTES = 777;
const CUT_AFTER_BYTES = 555;

export async function leadLife(site: Site, tell: (line: string) => void): Promise<void> {
  const { five, three } = site;
  await site.host().command(five.topic("NCMD"), rebirth("boolean_value: true"), true);
  await site.host().command(five.topic("DCMD", "d1"), named("r0", "int_value: 1"), true);
  await site.start();
  tell("started");
  await Promise.all([five.born(0), three.born(0)]);
  await Promise.all([hostArrives(site), commands(site)]);
  const born = five.now();
  tell("hosts are there, and commands were heard");
  await lostDevice(site);
  tell("a device was lost and came back");
  await standing(site);
  tell("values stood");
  await five.published("DDATA", born, WRAP);
  tell("seq went round");
  await Promise.all([hostLeaves(site, site.hosted), hostLeaves(site, site.walker), brokenLinks(site)]);
  tell("hosts left and came again, links hung and broke");
  await killed(site);
  tell("killed, and started anew");
  await stopped(site);
  tell("stopped");
}

/** So many reads of each device, and the gateway has had its chance to do something wrong. */
const CHANCE_READS = 3;

async function hostArrives(site: Site): Promise<void> {
  const { hosted, walker } = site;
  const host = site.host();
  await Promise.all([hosted.subscribed(0), walker.subscribed(0)]);
  await host.state("another-host", true, 5_000);
  for (const { recording } of [hosted, walker]) recording.mark({ what: "another host is online", server: "a" });
  await site.plant.answers(CHANCE_READS);
  await Promise.all([hosted.noState(host), walker.noState(host)]);
  await site.plant.answers(CHANCE_READS);
  await hosted.state(host, false, 2_000);
  await site.plant.answers(CHANCE_READS);
  await hosted.state(host, true, 1_000);
  await site.plant.answers(CHANCE_READS);
  const since = [hosted.now(), walker.now()] as const;
  await Promise.all([hosted.state(host, true, 3_000), walker.state(host, true, 3_000)]);
  await Promise.all([hosted.born(since[0]), walker.born(since[1])]);
}

async function hostLeaves(site: Site, uplink: Uplink): Promise<void> {
  await uplink.noState(site.host());
  await uplink.state(site.host(), false, 2_500);
  const before = uplink.now();
  await uplink.published("DDATA", before, DEVICES.length);
  const since = uplink.now();
  await uplink.state(site.host(), false, 3_000);
  await uplink.published("NDEATH", since);
  await uplink.subscribed(since);
  await site.plant.answers(CHANCE_READS);
  const again = uplink.now();
  await uplink.state(site.host(uplink.facts.servers.at(-1)), true, 4_000);
  await uplink.born(again);
}

async function commands(site: Site): Promise<void> {
  const { five, three } = site;
  const harmless = [
    [five.topic("NCMD"), rebirth("boolean_value: false")],
    [five.topic("NCMD"), named("no such metric", "int_value: 1")],
    [five.topic("NCMD"), rebirth('string_value: "true"')],
    [five.topic("DCMD", "d1"), named("r0", "int_value: 1")],
    [five.topic("DCMD", "d1"), named("no such metric", "int_value: 1")],
    [five.topic("DCMD", "d1"), named("r0", 'string_value: "x"')],
  ] as const;
  for (const [topic, payload] of harmless) {
    const since = five.now();
    await site.host().command(topic, payload);
    await five.heard(topic, since);
    await five.published("DDATA", five.now(), DEVICES.length);
  }
  // With a time and without, and several at once.
  const requests = [
    [five, `timestamp: 1 ${rebirth("boolean_value: true")}`, 1],
    [five, rebirth("boolean_value: true"), 1],
    [three, rebirth("boolean_value: true"), 3],
  ] as const;
  for (const [uplink, payload, times] of requests) {
    const since = uplink.now();
    for (let i = 0; i < times; i++) await site.host().command(uplink.topic("NCMD"), payload);
    await uplink.heard(uplink.topic("NCMD"), since, times);
    await uplink.born(since);
  }
}

async function lostDevice(site: Site): Promise<void> {
  const fellSilent = site.uplinks.map((uplink) => uplink.now());
  site.mark({ what: "device fell silent", device: LOST });
  site.plant.silence(LOST, true);
  await Promise.all(site.uplinks.map((uplink, i) => uplink.published("DDEATH", fellSilent[i] ?? 0, 1, LOST)));
  const back = site.uplinks.map((uplink) => uplink.now());
  site.mark({ what: "device answers again", device: LOST });
  site.plant.silence(LOST, false);
  await Promise.all(site.uplinks.map((uplink, i) => uplink.published("DBIRTH", back[i] ?? 0, 1, LOST)));
  await Promise.all(site.uplinks.map((uplink, i) => uplink.published("DDATA", back[i] ?? 0, 1, LOST)));
}

async function standing(site: Site): Promise<void> {
  site.plant.stand(true);
  site.mark({ what: "values stand" });
  await site.plant.answers(STANDING_READS);
  site.mark({ what: "values move" });
  site.plant.stand(false);
}

async function brokenLinks(site: Site): Promise<void> {
  const { five, three } = site;
  const since = [five.now(), three.now()] as const;
  five.proxies[0]?.swallowAfter(HANG_AFTER_BYTES);
  three.proxies[0]?.cutAfter(CUT_AFTER_BYTES);
  await Promise.all([five.born(since[0]), three.born(since[1])]);
  await Promise.all([five.published("DDATA", five.now(), 1), three.published("DDATA", three.now(), 1)]);
}

async function killed(site: Site): Promise<void> {
  const since = site.uplinks.map((uplink) => uplink.now());
  await site.kill();
  site.setBdSeq(site.three, LAST_BDSEQ - 1);
  await site.start();
  await Promise.all(site.uplinks.map((uplink, i) => uplink.born(since[i] ?? 0)));
  const again = site.three.now();
  site.three.proxies[0]?.cut();
  await site.three.born(again);
}

async function stopped(site: Site): Promise<void> {
  const since = site.uplinks.map((uplink) => uplink.now());
  const code = await site.stop();
  if (code !== 0) throw new Error(`SIGTERM ended with ${code}: ${site.log()}`);
  await Promise.all(site.uplinks.map((uplink, i) => uplink.closed(since[i] ?? 0)));
}

function rebirth(value: string): string {
  return named(REBIRTH, value);
}

function named(name: string, value: string): string {
  return `metric { name: "${name}" ${value} }`;
}
