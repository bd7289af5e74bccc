import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createLog } from "../core/log.ts";
import { deviceReport, lineReport, uplinkReport } from "../testing/reports.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { createIndicator } from "./indicator.ts";
import { createLight } from "./light.ts";
import { LIGHT_STATES, type LightReasons, lightPattern, lightState } from "./light-pattern.ts";

const UPLINK = uplinkReport({ certificateDays: 400 });
const DEVICE = deviceReport("meter-1");
const LINE = lineReport("/dev/ttyS0", [DEVICE]);
const WELL: LightReasons = { clock: "ntp", uplinks: [UPLINK], lines: [LINE] };

test("the light says one thing at a time: the clock before the brokers, the brokers before the devices", () => {
  const down = { ...WELL, uplinks: [UPLINK, { ...UPLINK, state: "connecting" }] };
  const lost = { ...WELL, lines: [{ ...LINE, devices: [DEVICE, { ...DEVICE, lost: true }] }] };
  assert.equal(lightState(WELL), "good");
  assert.equal(lightState(lost), "device lost");
  assert.equal(lightState({ ...WELL, lines: [{ ...LINE, fault: "gone" }] }), "device lost");
  assert.equal(lightState(down), "storing");
  assert.equal(lightState({ ...lost, ...down, lines: lost.lines }), "storing");
  assert.equal(lightState({ ...WELL, uplinks: [{ ...UPLINK, state: "waiting-for-host" }] }), "storing");
  assert.equal(lightState({ ...down, clock: "unsynced" }), "clock or certificate");
  assert.equal(lightState({ ...WELL, uplinks: [{ ...UPLINK, certificateDays: 6 }] }), "clock or certificate");
  assert.equal(lightState({ ...WELL, uplinks: [{ ...UPLINK, certificateDays: undefined }] }), "good");
});

test("each state has a pattern of its own, which somebody can count", () => {
  const patterns = LIGHT_STATES.map((state) => lightPattern(state).join());
  assert.equal(new Set(patterns).size, LIGHT_STATES.length);
  assert.deepEqual(lightPattern("good"), []);
  const flashes = (["storing", "device lost", "clock or certificate"] as const).map((s) => lightPattern(s).length / 2);
  assert.deepEqual(flashes, [1, 2, 3]);
  assert.deepEqual(lightPattern("configuration error"), [500, 500]);
});

/** A folder of the form of /sys/class/leds, and what was written to it. */
function tree(t: { after(work: () => void): void }, name = "ACT") {
  const root = mkdtempSync(join(tmpdir(), "sallyport-light-"));
  t.after(() => rmSync(root, { recursive: true }));
  mkdirSync(join(root, "ACT"));
  for (const file of ["trigger", "brightness"]) writeFileSync(join(root, "ACT", file), "");
  const said: string[] = [];
  const log = createLog({ write: (line) => said.push(line), level: "info", format: "text" });
  const file = (which: string) => readFileSync(join(root, "ACT", which), "utf8");
  return { light: createLight({ name, log, root }), file, said };
}

test("the light is taken from the kernel, shows one pattern after the other, and is dark when nobody works", async (t) => {
  const { light, file } = tree(t);
  const clock = new VirtualClock();
  let reasons = { ...WELL, clock: "unsynced" as LightReasons["clock"] };
  const indicator = createIndicator({ light, reasons: () => reasons, clock });
  indicator.start();
  assert.equal(file("trigger"), "none");
  const seen = async (ms: number) => {
    const shown: string[] = [];
    for (let passed = 0; passed < ms; passed += 100) {
      shown.push(file("brightness"));
      await clock.advance(100);
    }
    return shown.join("");
  };
  assert.equal(await seen(2_400), "110011001100000000000000");
  reasons = WELL;
  // The pattern that has begun is shown to its end.
  assert.match(await seen(4_800), /^110011001100000000000000(1+)$/);
  await indicator.stop();
  assert.equal(file("brightness"), "0");
});

test("a wrong configuration is left to the kernel to blink, which goes on without us", (t) => {
  const { light, file } = tree(t);
  light.blink();
  assert.equal(file("trigger"), "timer");
});

test("a light that cannot be lit is told once, and holds nothing up", (t) => {
  const { light, said } = tree(t, "no-such-light");
  light.set(true);
  light.set(false);
  light.blink();
  assert.equal(said.length, 1);
  assert.match(said[0] ?? "", /the light no-such-light cannot be lit/);
});
