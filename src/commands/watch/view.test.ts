import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { NOW_MS, picture, status } from "../../testing/screens/watched-site.ts";
import { draw, FIRST_VIEW, onKey, rowsOf, type View, withinTags } from "./view.ts";

const SIZE = { columns: 80, rows: 24 };

const pressed = (keys: readonly string[]) => keys.reduce<View>(onKey, FIRST_VIEW);
const ids = (view: View) => rowsOf(view, status(0, 0, 0)).map(({ id }) => id);

describe("watch", () => {
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
    assert.ok(
      lines.some((line) => line === "! line RS485-1: LOST: pump, 58 % busy"),
      "one picture tells no rate",
    );
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

  test("at 40 columns it still says what is old, what is not ok and who is lost", () => {
    const size = { columns: 40, rows: 14 };
    const last = { ...picture(status(0, 0, 0)), isFresh: false, nowMs: NOW_MS + 12_000 };
    const lines = draw(FIRST_VIEW, last, size);
    assert.match(lines[0] ?? "", /^NOT RUNNING for 12 s /);
    assert.match(draw(pressed(["p"]), picture(status(0, 0, 0)), size)[0] ?? "", /^running {2}PAUSED/);
    assert.ok(lines.includes("!pump/speed  (1490.5) rpm no answer  2 h"), lines.join("\n"));
    assert.ok(lines.some((line) => line.startsWith("! line RS485-1: LOST: pump")));
    assert.equal(lines.at(-1), "[f]ilter [s]ort [t]rouble [p]ause [q]uit");
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

  test("keys pressed too often move no further than to the last tag", () => {
    const far = pressed(["d", "d", "j"]);
    const now = picture(status(0, 0, 0));
    assert.equal(far.top, 21);
    assert.equal(withinTags(far, now, { rows: 10 }).top, 2, "two of the four tags have room");
    assert.equal(withinTags(far, now, SIZE).top, 0);
    assert.equal(withinTags(far, { ...now, status: undefined }, SIZE).top, 0);
  });

  test("a small value is not shown as nothing, and a great one as a number", () => {
    const shown = (value: number) => {
      const content = status(0, 0, 0);
      const [meter] = content.devices;
      const tags = meter?.tags.slice(0, 1).map((tag) => ({ ...tag, value })) ?? [];
      const now = picture({ ...content, devices: [{ name: "meter", tags }] });
      return draw(FIRST_VIEW, now, SIZE)
        .find((line) => line.includes("meter/energy"))
        ?.split(/ +/)[2];
    };
    assert.deepEqual([0.000_012_34, -0.000_012_34, 0.25, 0, 1_234_567, 1.5e300, 0.001_25].map(shown), [
      "1.234e-5",
      "-1.234e-5",
      "0.25",
      "0",
      "1234567",
      "1.500e+300",
      "0.0013",
    ]);
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
