/** Three lives of a gateway as the specification wants them, which together give every check something to look at. */
import { MadeStory, metric } from "./made-story.ts";

const REBIRTH = "Node Control/Rebirth";
const PLAIN = { group: "g", servers: ["a"], aliases: false, datatypeInData: false, farFromUtc: true } as const;
const DEVICES = ["d1", "d2"] as const;
const WRAP = 270;

function rebirth(value: boolean) {
  return metric(REBIRTH, { timestamp: undefined, datatype: 11n, value: { field: "boolean_value", content: value } });
}

const wrongly = { timestamp: undefined, value: { field: "string_value", content: "x" } } as const;

/** MQTT 5: data, a stand, a lost device, commands, a link that hangs, history, and a planned stop. */
export function madeInFive(): MadeStory {
  const story = new MadeStory({ ...PLAIN, node: "n5", devices: DEVICES }, 5);
  story.open("a");
  story.command("NCMD/n5", [rebirth(true)], { retain: true });
  story.births();
  for (let i = 0; i < WRAP; i++) story.ddata(i % 2 === 0 ? "d1" : "d2");
  story.ndata();
  story.mark({ what: "values stand" });
  story.pass(5_000);
  story.ndata();
  story.mark({ what: "values move" });
  lostDevice(story);
  commands(story);
  // A link that hangs.
  story.closed("gateway");
  story.open("a");
  story.births();
  story.ddata("d1", { isHistorical: true });
  story.ddata("d1");
  story.ddata("d2");
  story.mark({ what: "told to stop" });
  story.ndeath();
  story.farewell();
  return story;
}

function lostDevice(story: MadeStory): void {
  story.mark({ what: "device fell silent", device: "d2" });
  story.ddata("d2", { properties: { keys: ["Quality"], values: [quality(0n)] } });
  story.ddeath("d2");
  story.ndata();
  story.mark({ what: "device answers again", device: "d2" });
  story.dbirth("d2");
  story.ddata("d2");
}

function quality(content: bigint) {
  return { type: 3n, isNull: undefined, value: { field: "int_value", content } } as const;
}

function commands(story: MadeStory): void {
  const { node } = story.site;
  const harmless: readonly (readonly [string, Parameters<MadeStory["command"]>[1], boolean])[] = [
    [`NCMD/${node}`, [rebirth(false)], false],
    [`NCMD/${node}`, [metric("no such metric")], false],
    [`NCMD/${node}`, [metric(REBIRTH, wrongly)], false],
    [`DCMD/${node}/d1`, [metric("r0")], false],
    [`DCMD/${node}/d1`, [metric("no such metric")], false],
    [`DCMD/${node}/d1`, [metric("r0", wrongly)], false],
    [`DCMD/${node}/d1`, [metric("r0")], true],
  ];
  for (const [path, metrics, retain] of harmless) {
    story.command(path, metrics, { retain });
    story.ddata("d1");
  }
  story.pass(5_000);
  story.command(`NCMD/${node}`, [rebirth(true)]);
  story.births();
  story.ddata("d1");
  story.command(`NCMD/${node}`, [rebirth(true)], { timestamp: undefined, seq: 7n });
  story.births();
  story.pass(20_000);
  story.ddata("d1");
}

/** MQTT 3.1.1 with aliases. */
export function madeInThree(): MadeStory {
  const story = new MadeStory({ ...PLAIN, node: "n3", devices: DEVICES, aliases: true }, 4);
  story.open("a");
  story.births();
  story.ddata("d1");
  story.ddata("d2");
  story.ndata();
  story.command("NCMD/n3", [rebirth(true)]);
  story.births();
  story.pass(20_000);
  story.ddata("d1");
  story.mark({ what: "killed" });
  story.closed("gateway");
  story.age(254n);
  story.open("a");
  story.births();
  story.closed("gateway");
  story.open("a");
  story.births();
  story.mark({ what: "told to stop" });
  story.ndeath();
  story.farewell();
  return story;
}

/** A primary host, and two servers. */
export function madeWithHost(): MadeStory {
  const story = new MadeStory({ ...PLAIN, node: "nh", devices: DEVICES, servers: ["a", "b"], primaryHost: "scada" }, 5);
  story.open("a");
  story.mark({ what: "another host is online", server: "a" });
  story.state(false, 1_000);
  story.state(true, 900);
  story.state(true, 2_000);
  story.births();
  story.ddata("d1");
  story.ddata("d2");
  story.state(false, 1_500);
  story.ddata("d1");
  story.state(false, 2_000);
  story.ndeath();
  story.farewell();
  story.open("b");
  story.state(true, 3_000);
  story.births();
  story.ddata("d1");
  return story;
}
