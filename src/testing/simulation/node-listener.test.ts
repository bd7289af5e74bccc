import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePayload, type Metric, type Property } from "../../uplinks/sparkplug/payload.ts";
import { NodeListener, nodeTopic } from "./node-listener.ts";

const T = Date.UTC(2026, 0, 1);
const [INT64, UINT16, BOOLEAN] = [4, 6, 11];

function text(key: string, value: string): Property {
  return { key, value: { field: "string", value } };
}

function number(key: string, value: number): Property {
  return { key, value: { field: "int", value } };
}

const GOOD = [number("Quality", 192), text("StatusName", "Good")];
const BAD = [number("Quality", 0), text("StatusName", "BadNoCommunication")];
const OF_AN_EPOCH = { isHistorical: true, properties: [number("Epoch", 7)] };
const NODE_METRICS: readonly Metric[] = [
  { name: "bdSeq", timestamp: T, datatype: INT64, value: { field: "long", value: 3n } },
  { name: "clock/epoch", timestamp: T, datatype: INT64, value: { field: "long", value: 7n } },
  { name: "Node Control/Rebirth", timestamp: T, datatype: BOOLEAN, value: { field: "boolean", value: false } },
];
const SPEED: Metric = { name: "speed", timestamp: T, value: { field: "int", value: 5 } };

class Hall {
  readonly #listener = new NodeListener();
  #seq = 0;

  hear(type: string, metrics: readonly Metric[], more: { device?: string; seq?: number | undefined } = {}) {
    const topic = nodeTopic(`spBv1.0/plant/${type}/n${more.device === undefined ? "" : `/${more.device}`}`);
    if (topic === undefined) throw new Error(`${type} is no type`);
    const seq = "seq" in more ? more.seq : type === "NBIRTH" ? 0 : this.#seq + 1;
    this.#seq = seq ?? this.#seq;
    const payload = encodePayload({ timestamp: T, metrics, ...(seq !== undefined && { seq }) });
    return this.#listener.hear(topic, { payload });
  }

  /** Node and pump are born, speed with 5. */
  static withPump(properties: readonly Property[] = GOOD): Hall {
    const hall = new Hall();
    const births = [
      hall.hear("NBIRTH", NODE_METRICS),
      hall.hear("DBIRTH", [{ ...SPEED, datatype: UINT16, properties }], { device: "pump" }),
    ];
    assert.deepEqual(
      births.flatMap(({ flaws, seqFlaw }) => [...flaws, seqFlaw]),
      ["", ""],
    );
    return hall;
  }

  /** Of a message of data of the pump. */
  flaws(...metrics: readonly Metric[]): readonly string[] {
    return this.hear("DDATA", metrics, { device: "pump" }).flaws;
  }
}

test("what a right node says is understood: values, their epochs, the past, losses", () => {
  const hall = Hall.withPump();
  const lost = [number("Quality", 0), text("StatusName", "BadDataLost"), number("Epoch", 6), number("LostFrom", 1)];
  const gap = { ...SPEED, isHistorical: true, isNull: true, properties: [...lost, number("LostTo", 9)] };
  const { value: _, ...valueless } = gap;
  const { values, losses, flaws } = hall.hear("DDATA", [SPEED, { ...SPEED, ...OF_AN_EPOCH }, valueless], {
    device: "pump",
  });
  assert.deepEqual(flaws, []);
  assert.deepEqual(
    values.map(({ id, value, epoch, isHistorical }) => [id, value, epoch, isHistorical]),
    [
      ["pump/speed", 5, 7, false],
      ["pump/speed", 5, 7, true],
    ],
  );
  assert.deepEqual(
    losses.map(({ epoch, from, to, count }) => [epoch, from, to, count]),
    [[6, 1, 9, null]],
  );
});

test("each thing that a node must never say is told", () => {
  assert.match(Hall.withPump().flaws({ ...SPEED, name: "flow" })[0] ?? "", /flow, which is not born/);
  assert.match(Hall.withPump().flaws(SPEED, { ...SPEED, timestamp: T - 1 })[0] ?? "", /behind a later value/);
  assert.match(Hall.withPump().flaws({ ...SPEED, isHistorical: true })[0] ?? "", /of no epoch/);
  assert.match(Hall.withPump(BAD).flaws(SPEED)[0] ?? "", /not told as Good/);
  const wrong = [number("Quality", 192), text("StatusName", "BadNoCommunication")];
  assert.match(Hall.withPump().flaws({ ...SPEED, properties: wrong })[0] ?? "", /Quality 192 is told as Bad/);
  const lost = [number("Quality", 0), text("StatusName", "BadDataLost"), number("Epoch", 7)];
  assert.match(Hall.withPump().flaws({ ...SPEED, properties: lost })[0] ?? "", /no null of the past/);
  assert.match(new Hall().hear("NBIRTH", []).flaws.join(), /bdSeq.*epoch.*Rebirth/);
  assert.match(new Hall().hear("NDATA", []).flaws[0] ?? "", /before the birth/);
  assert.match(Hall.withPump().hear("DDEATH", [], { device: "fan" }).flaws[0] ?? "", /fan, which is not born/);
  assert.equal(Hall.withPump().hear("DDATA", [SPEED], { device: "pump", seq: 3 }).seqFlaw, "DDATA has number 3, not 2");
});

test("P3: a death ends its own session only, and a birth after it is a new one", () => {
  const hall = Hall.withPump();
  const death = (bdSeq: bigint) => [{ ...NODE_METRICS[0], value: { field: "long", value: bdSeq } } as const];
  hall.hear("NDEATH", death(2n), { seq: undefined });
  assert.deepEqual(hall.flaws(SPEED), []);
  assert.equal(hall.hear("NBIRTH", NODE_METRICS).isNewSession, false);
  hall.hear("NDEATH", death(3n), { seq: undefined });
  assert.match(hall.flaws(SPEED)[0] ?? "", /before the birth/);
  assert.equal(hall.hear("NBIRTH", NODE_METRICS).isNewSession, true);
});
