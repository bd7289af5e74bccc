import assert from "node:assert/strict";
import { test } from "node:test";
import type { UplinkReport } from "../pipeline.ts";
import { deviceReport, lineReport, outboxReport, uplinkReport } from "../testing/reports.ts";
import { happened, type Look, NOTHING_SEEN, type Seen } from "./happenings.ts";

const OUTBOX = outboxReport();
const UPLINK = uplinkReport({ state: "connecting", server: "mqtts://a:8883" });
const DEVICE = deviceReport("pump-1");
const LINE = lineReport("/dev/ttyUSB0", [DEVICE]);

const LOOK: Look = { uplinks: [UPLINK], lines: [LINE], outbox: OUTBOX, clockState: "ntp", clockOffsetMs: 5_000 };

/** What is told of these looks one after the other, a list a look; before them stands one that is in order. */
function told(...looks: readonly Partial<Look>[]): string[][] {
  let [seen]: readonly [Seen, unknown] = happened(NOTHING_SEEN, LOOK);
  return looks.map((look) => {
    const [next, events] = happened(seen, { ...LOOK, ...look });
    seen = next;
    return events.map(({ kind, text }) => `${kind}: ${text}`);
  });
}

const uplink = (more: Partial<UplinkReport>) => ({ uplinks: [{ ...UPLINK, ...more }] });

test("of a gateway in order the first look tells its clock only, and the next nothing", () => {
  assert.deepEqual(happened(NOTHING_SEEN, LOOK)[1], [{ kind: "clock", text: "ntp" }]);
  assert.deepEqual(told({}), [[]]);
});

test("an uplink is told up and down with the reason, and a reason that stays is told once", () => {
  const refused = "failed: the login was refused";
  const states = ["connected", "connecting", refused, "connecting", refused, "failed: no route", "connected"];
  assert.deepEqual(told(...states.map((state) => uplink({ state }))), [
    ["uplink: cloud: connected to mqtts://a:8883"],
    ["uplink: cloud: connecting"],
    [`uplink: cloud: ${refused}`],
    [],
    [],
    ["uplink: cloud: failed: no route"],
    ["uplink: cloud: connected to mqtts://a:8883"],
  ]);
});

test("a device that is lost and comes back, and a port that goes, are told", () => {
  const lost = { lines: [{ ...LINE, devices: [{ ...DEVICE, lost: true }] }] };
  assert.deepEqual(told(lost, lost, {}, { lines: [{ ...LINE, fault: "the port is gone" }] }, {}), [
    ["device: pump-1 on RS485-1 does not answer any more"],
    [],
    ["device: pump-1 on RS485-1 answers again"],
    ["line: RS485-1: the port is gone"],
    ["line: RS485-1: open again"],
  ]);
});

test("P9: a step of the clock is told in both directions, and slewing is not", () => {
  assert.deepEqual(told({ clockOffsetMs: 5_900 }, { clockOffsetMs: 9_000 }, { clockOffsetMs: -91_000 }), [
    [],
    ["clock: stepped forward by 3.1 s"],
    ["clock: stepped back by 100.0 s"],
  ]);
  assert.deepEqual(told({ clockState: "holdover" }), [["clock: holdover, before ntp"]]);
});

test("P4: losses, what is amiss with the files, and other certificates are told", () => {
  const looks = [
    uplink({ dropped: 12 }),
    uplink({ dropped: 12, certificates: "gateway.pem 0a until 2027-01-01" }),
    { ...uplink({ dropped: 20, certificates: "gateway.pem 0b until 2028-01-01" }) },
    { outbox: { ...OUTBOX, health: "full", healthReason: "no room", incident: "a block is damaged" } as const },
  ];
  assert.deepEqual(told(...looks), [
    ["loss: cloud was told of 12 samples that it does not get"],
    ["certificates: cloud: gateway.pem 0a until 2027-01-01"],
    ["certificates: cloud: gateway.pem 0b until 2028-01-01", "loss: cloud was told of 8 samples that it does not get"],
    ["outbox: full: no room", "outbox: a block is damaged"],
  ]);
});
