import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { encodePayload, type Metric } from "../../uplinks/sparkplug/payload.ts";
import {
  hearSparkplug,
  type SparkplugNode,
  sparkplugDoubt,
  sparkplugMissed,
  sparkplugNode,
  wantsRebirth,
} from "./sparkplug-node.ts";

describe("P3: an edge node as a host follows it", () => {
  let node: SparkplugNode;
  const hear = (topic: string, seq: number | undefined, metrics: readonly Metric[]) => {
    const [type, device] = topic.split(" ");
    const path = ["spBv1.0", "g", type, "n", ...(device === undefined ? [] : [device])].join("/");
    const payload = encodePayload({ timestamp: 1, metrics, ...(seq !== undefined && { seq }) });
    node = hearSparkplug(node, { topic: path, payload, retained: false });
  };
  const x = (value: number, more: Metric = {}): Metric => ({
    name: "x",
    timestamp: 5,
    value: { field: "int", value },
    ...more,
  });
  const bdSeq = (value: bigint): Metric => ({ name: "bdSeq", value: { field: "long", value } });
  const quality = (value: number) => ({ key: "Quality", value: { field: "int", value } }) as const;
  const shown = () => node.born.get("d")?.get("x");
  const born = () => {
    hear("NBIRTH", 0, [bdSeq(7n)]);
    hear("DBIRTH d", 1, [x(1)]);
  };
  beforeEach(() => {
    node = sparkplugNode("g", "n");
  });

  test("nothing is known before a birth, and one is asked for", () => {
    hear("DDATA d", 4, [x(1)]);
    assert.notEqual(sparkplugDoubt(node, "d"), "");
    assert.ok(wantsRebirth(node));
    born();
    assert.equal(sparkplugDoubt(node, "d"), "");
    assert.ok(!wantsRebirth(node));
    assert.deepEqual(shown(), { value: 1, status: "Good", timestampMs: 5 });
  });

  test("data moves what is current, history does not, and what has no quality is good", () => {
    born();
    hear("DDATA d", 2, [
      x(2, {
        properties: [quality(0), { key: "StatusName", value: { field: "string", value: "BadNoCommunication" } }],
      }),
    ]);
    assert.deepEqual([shown()?.value, shown()?.status], [2, "BadNoCommunication"]);
    hear("DDATA d", 3, [x(3, { properties: [quality(500)] })]);
    assert.equal(shown()?.status, "Uncertain");
    hear("DDATA d", 4, [x(4)]);
    hear("DDATA d", 5, [x(9, { isHistorical: true })]);
    assert.deepEqual([shown()?.value, shown()?.status], [4, "Good"]);
  });

  test("a number that is missing is a doubt until the next birth of the node", () => {
    born();
    hear("DDATA d", 3, [x(2)]);
    assert.equal(sparkplugDoubt(node, "d"), "data was missed since the birth");
    hear("DDATA d", 4, [x(2)]);
    assert.ok(wantsRebirth(node));
    born();
    assert.equal(sparkplugDoubt(node, "d"), "");
  });

  test("numbers go on from 255 to 0", () => {
    born();
    for (let seq = 2; seq < 256; seq++) hear("DDATA d", seq, [x(seq)]);
    hear("DDATA d", 0, [x(0)]);
    assert.equal(sparkplugDoubt(node, "d"), "");
  });

  test("a death counts for the birth of its number only", () => {
    born();
    hear("NDEATH", undefined, [bdSeq(6n)]);
    assert.equal(sparkplugDoubt(node, "d"), "");
    hear("NDEATH", undefined, [bdSeq(7n)]);
    assert.equal(sparkplugDoubt(node, "d"), "the gateway is offline");
    assert.ok(!wantsRebirth(node));
  });

  test("a death that a bridge kept does not keep from asking: the birth after it may be lost", () => {
    born();
    node = sparkplugMissed(node, "the bridge was down");
    hear("NDEATH", undefined, [bdSeq(7n)]);
    assert.ok(wantsRebirth(node));
    hear("NBIRTH", 0, [bdSeq(8n)]);
    assert.equal(sparkplugDoubt(node, "d"), "the device is dead");
    hear("DBIRTH d", 1, [x(1)]);
    assert.equal(sparkplugDoubt(node, "d"), "");
  });

  test("a device dies alone, and data of what was not born is a doubt", () => {
    born();
    hear("DBIRTH e", 2, [x(1)]);
    hear("DDEATH d", 3, []);
    assert.equal(sparkplugDoubt(node, "d"), "the device is dead");
    assert.equal(sparkplugDoubt(node, "e"), "");
    hear("DDATA d", 4, [x(1)]);
    assert.notEqual(sparkplugDoubt(node, "e"), "");
  });

  test("the birth of the node takes its devices with it, until they are born again", () => {
    born();
    hear("NBIRTH", 0, [bdSeq(7n)]);
    assert.equal(sparkplugDoubt(node, "d"), "the device is dead");
  });

  test("names may be told at birth only", () => {
    hear("NBIRTH", 0, [bdSeq(7n)]);
    hear("DBIRTH d", 1, [x(1, { alias: 42 })]);
    hear("DDATA d", 2, [{ alias: 42, timestamp: 6, value: { field: "int", value: 2 } }]);
    assert.equal(shown()?.value, 2);
  });

  test("other nodes and their commands are none of ours", () => {
    born();
    const before = node;
    const payload = encodePayload({ metrics: [bdSeq(7n)] });
    for (const topic of ["spBv1.0/g/NDEATH/other", "spBv1.0/h/NDEATH/n", "spBv1.0/g/NCMD/n", "x/g/NDEATH/n"]) {
      node = hearSparkplug(node, { topic, payload, retained: false });
    }
    assert.equal(node, before);
  });
});
