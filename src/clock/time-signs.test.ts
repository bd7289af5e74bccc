import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { type TestContext, test } from "node:test";
import { createTimeSigns } from "./time-signs.ts";

/** A machine as a folder. */
function machine(t: TestContext, files: Readonly<Record<string, string>>) {
  const root = mkdtempSync(join(tmpdir(), "sallyport-signs-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return { root, signs: createTimeSigns({ root, flashed: join(root, "gateway.yaml") }) };
}

test("P9: a machine that shows nothing is told as one that shows nothing", (t) => {
  const { signs } = machine(t, {});
  assert.deepEqual([signs.bootId(), signs.isSynchronised(), signs.rtcMs()], [undefined, false, undefined]);
  assert.ok(signs.notBeforeMs() >= Date.UTC(2026, 10, 22), "the program's own date");
});

test("P9: both time services' signs count, and a boot has its name", (t) => {
  for (const sign of ["run/systemd/timesync/synchronized", "run/chrony-wait/synchronized"]) {
    assert.equal(machine(t, { [sign]: "" }).signs.isSynchronised(), true);
  }
  const id = "3db95717-f50d-4118-90a2-0108aa92ec72";
  assert.equal(machine(t, { "proc/sys/kernel/random/boot_id": `${id}\n` }).signs.bootId(), id);
});

test("P9: a real-time clock counts where the kernel set its clock by it, and it answers", (t) => {
  const rtc = (hctosys: string, seconds: string) =>
    machine(t, { "sys/class/rtc/rtc0/hctosys": hctosys, "sys/class/rtc/rtc0/since_epoch": seconds }).signs.rtcMs();
  assert.equal(rtc("1\n", "1795305600\n"), 1_795_305_600_000);
  assert.equal(rtc("0\n", "1795305600\n"), undefined);
  assert.equal(rtc("1\n", ""), undefined, "it has lost its power");
});

test("P9: it is later than the card was written", (t) => {
  const { root, signs } = machine(t, { "gateway.yaml": "" });
  const flashedS = Date.UTC(2031, 0, 1) / 1_000;
  utimesSync(join(root, "gateway.yaml"), flashedS, flashedS);
  assert.equal(signs.notBeforeMs(), flashedS * 1_000);
});
