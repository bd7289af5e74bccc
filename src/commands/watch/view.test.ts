import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { STATUSES, type Status } from "../../core/quality.ts";
import type { StatusContent, TagStatus } from "../../diagnostics/status-file.ts";
import type { DeviceReport, UplinkReport } from "../../pipeline.ts";
import { Rates } from "./rates.ts";
import { draw, FIRST_VIEW, onKey, type Picture, rowsOf, type View } from "./view.ts";

const NOW_MS = Date.UTC(2026, 10, 22, 12, 4, 33);
const SIZE = { columns: 80, rows: 24 };

function tag(name: string, value: TagStatus["value"], units: string, status: Status = "Good", ageS = 1): TagStatus {
  return { name, value, units, status, words: STATUSES[status].words, timestamp: NOW_MS - ageS * 1_000 };
}

function counters(name: string, requests: number, replies: number, lost = false): DeviceReport {
  const errors = { timeouts: 0, crcErrors: 0, framingErrors: 0, foreignFrames: 0, lateFrames: 0, exceptions: 0 };
  const times = { responseTimeMs: 1, responseTimeP50Ms: 1, responseTimeP99Ms: 1 };
  return { name, requests, replies, ...errors, ...times, lost };
}

function uplink(depth: number, replayed: number): UplinkReport {
  const rest = { oldestMs: undefined, live: 0, dropped: 0, certificateDays: undefined, session: 1 };
  return { name: "cloud", state: "connected", server: "mqtts://b:8883", depth, replayed, ...rest };
}

function status(seconds: number, requests: number, replies: number, depth = 0, replayed = 0): StatusContent {
  const devices = [counters("meter", requests, replies), counters("pump", 0, 0, true)];
  const line = { name: "RS485-1", path: "/dev/x", fault: "", utilisation: 58, missedPeriods: 0 };
  return {
    version: 1,
    timestamp: NOW_MS + seconds * 1_000,
    epoch: 3,
    devices: [
      {
        name: "meter",
        tags: [tag("energy", 12_345.678_91, "kWh"), tag("voltage", 230, "V", "UncertainLastUsableValue", 40)],
      },
      { name: "pump", tags: [tag("speed", 1_490.5, "rpm", "BadNoCommunication", 7_300), tag("on", true, "")] },
      { name: "gateway", tags: [tag("process/rssBytes", 5, "B")] },
    ],
    lines: [{ ...line, foreignFrames: 0, noiseBytes: 0, devices }],
    uplinks: [uplink(depth, replayed)],
    outbox: {
      takenIn: 0,
      newest: 0,
      released: 0,
      committed: 0,
      memorySamples: 0,
      fileBytes: 0,
      writtenBytes: 0,
      dropped: 0,
      health: "ok",
      healthReason: "",
      incident: "",
    },
  };
}

function picture(...pictures: readonly StatusContent[]): Picture {
  const rates = new Rates();
  for (const each of pictures) rates.note(each);
  return { status: pictures.at(-1), isFresh: true, nowMs: NOW_MS, rates };
}

const pressed = (keys: readonly string[]) => keys.reduce<View>(onKey, FIRST_VIEW);
const ids = (view: View) => rowsOf(view, status(0, 0, 0)).map(({ id }) => id);

describe("watch", () => {
  test("the README shows what watch shows", () => {
    const screen = draw(FIRST_VIEW, picture(status(-10, 0, 0, 5_000, 0), status(0, 200, 198, 3_000, 2_000)), SIZE).join(
      "\n",
    );
    const readme = readFileSync(new URL("../../../README.md", import.meta.url), "utf8");
    assert.ok(readme.includes(screen), `README.md does not have:\n${screen}`);
  });

  test("says in words what is not ok, marks it, and puts its last value into brackets", () => {
    const lines = draw(FIRST_VIEW, picture(status(0, 0, 0)), SIZE);
    assert.equal(
      lines.find((line) => line.includes("pump/speed")),
      "!pump/speed                          (1490.5) rpm    no answer               2 h",
    );
    assert.match(
      lines.find((line) => line.includes("meter/energy")) ?? "",
      /^ meter\/energy +12345.6789 kWh +ok +1 s$/,
    );
    assert.ok(lines.some((line) => line === "! line RS485-1: 58 % busy, 0.0 requests/s, LOST: pump"));
  });

  test("a line that a tool uses is told as lent, without the mark of a fault", () => {
    const now = status(0, 0, 0);
    const lines = now.lines.map((line) => ({ ...line, fault: "lent to a tool", lent: true as const }));
    const shown = draw(FIRST_VIEW, picture({ ...now, lines }), SIZE).find((line) => line.includes("line RS485-1"));
    assert.equal(shown, "  line RS485-1: lent to a tool, not read meanwhile");
  });

  test("fits every size from 40 × 10 on, whatever the keys chose", () => {
    for (const size of [SIZE, { columns: 40, rows: 12 }, { columns: 132, rows: 43 }, { columns: 0, rows: 0 }]) {
      for (const view of [FIRST_VIEW, pressed(["f", "p", "u"]), pressed(["t", "g", "p", "s"])]) {
        const lines = draw(view, picture(status(0, 0, 0)), size);
        const columns = Math.max(40, size.columns);
        assert.ok(lines.length <= Math.max(12, size.rows), `${lines.length}`);
        for (const line of lines) assert.ok(line.length <= columns, line);
      }
    }
  });

  test("keys filter, sort, pause, move and end", () => {
    assert.deepEqual(ids(FIRST_VIEW), ["meter/energy", "meter/voltage", "pump/speed", "pump/on"]);
    assert.deepEqual(ids(pressed(["f", "P", "u", "m", "x", "\x7f", "\r", "t"])), ["pump/speed"]);
    assert.deepEqual(ids(pressed(["/", ..."no answer", "\r"])), ["pump/speed"]);
    assert.deepEqual(ids(pressed(["s"])).slice(0, 2), ["pump/speed", "meter/voltage"]);
    assert.equal(ids(pressed(["s", "s"]))[1], "meter/voltage");
    assert.ok(ids(pressed(["g"])).includes("gateway/process/rssBytes"));
    assert.equal(pressed([" "]).isPaused, true);
    assert.equal(pressed(["\x1b", "[", "B", "j", "\x1b", "[", "A"]).top, 1);
    assert.equal(pressed(["f", "q"]).isOver, false);
    assert.equal(pressed(["q"]).isOver, true);
  });

  test("tells rates, errors and when all will have gone, from pictures one after the other", () => {
    const { rates } = picture(status(0, 100, 100, 5_000, 0), status(10, 300, 250, 3_000, 2_000));
    assert.deepEqual(rates.line("RS485-1"), { requestsPerS: 20, failedPercent: 25 });
    assert.deepEqual(rates.uplink("cloud"), { replayedPerS: 200, drainS: 15 });
    assert.equal(picture(status(0, 0, 0, 10), status(10, 0, 0, 20)).rates.uplink("cloud").drainS, undefined);
    assert.equal(picture(status(10, 0, 0, 10), status(0, 0, 0, 5)).rates.uplink("cloud").drainS, undefined);
  });

  test("counts anew after a restart, whose counters begin at nothing", () => {
    const restarted = [status(1, 10, 10), status(2, 30, 30)].map((each) => ({ ...each, epoch: 4 }));
    const { rates } = picture(status(0, 1_000, 1_000), ...restarted);
    assert.deepEqual(rates.line("RS485-1"), { requestsPerS: 20, failedPercent: 0 });
  });

  test("a gateway that has ended leaves its last picture, said to be that", () => {
    const last = { ...picture(status(0, 0, 0)), isFresh: false, nowMs: NOW_MS + 12_000 };
    assert.match(draw(FIRST_VIEW, last, SIZE)[0] ?? "", /NOT RUNNING for 12 s/);
    assert.match(draw(FIRST_VIEW, { ...last, status: undefined }, SIZE)[0] ?? "", /no gateway is seen/);
  });
});
