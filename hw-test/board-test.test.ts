import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { runCommandLine } from "../src/commands/cli.ts";
import { createMachine } from "../src/commands/doctor/machine.ts";
import { hostClock } from "../src/core/clock.ts";
import type { PinAddress, PinDriver, PinEvents } from "../src/sources/gpio/pin-driver.ts";
import type { SerialLine } from "../src/sources/modbus/serial-line.ts";
import { runCommand } from "../src/testing/command-run.ts";
import { VirtualClock } from "../src/testing/virtual-clock.ts";
import { STEPS, serialNumber, testBoard } from "./board-test.ts";
import { flashSpeed } from "./flash-speed.ts";
import { heatUnderLoad } from "./heat-under-load.ts";
import { lightSeen } from "./light-seen.ts";
import { nobodyListens } from "./nobody-listens.ts";
import { pinsJumper } from "./pins-jumper.ts";
import { hasPassed, type ProtocolEntry, protocolText } from "./protocol.ts";
import { serialLoop } from "./serial-loop.ts";
import { type Bench, passed, type Step } from "./step.ts";
import { pendingOutcome } from "./watchdog-bites.ts";

let root: string;

before(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-hw-"));
});

after(() => rmSync(root, { recursive: true }));

function machine(files: Readonly<Record<string, string>>) {
  const folder = mkdtempSync(join(root, "machine-"));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return createMachine(folder);
}

function bench(more: Partial<Bench> = {}): Bench {
  return {
    clock: new VirtualClock(),
    machine: machine({}),
    signal: new AbortController().signal,
    folder: root,
    bites: false,
    openLine: () => assert.fail("no line"),
    ...more,
  };
}

/** Two ports with a wire between them that does something to what passes. */
function joined(wire: (bytes: Uint8Array) => Uint8Array): Bench["openLine"] {
  const ports: SerialLine[] = [];
  return () => {
    const port: SerialLine = {
      onData: () => undefined,
      onLost: () => undefined,
      open: async () => void ports.push(port),
      async write(bytes) {
        for (const other of ports) if (other !== port) other.onData(wire(bytes));
      },
      discardInput: async () => undefined,
      pause: () => undefined,
      resume: () => undefined,
      close: async () => void ports.splice(ports.indexOf(port), 1),
    };
    return port;
  };
}

describe("lines that are joined", () => {
  const lines = ["/dev/a", "/dev/b"] as const;

  test("pass where every byte arrives, both ways", async () => {
    const { verdict, found } = await serialLoop.run(bench({ lines, openLine: joined((bytes) => bytes) }));
    assert.equal(verdict, "PASSED", found);
  });

  test("fail where a byte is another, or none arrives", async () => {
    const spoiled = await serialLoop.run(bench({ lines, openLine: joined((bytes) => bytes.map((b) => b & 0x7f)) }));
    assert.deepEqual([spoiled.verdict, /byte 128 arrived as another/.test(spoiled.found)], ["FAILED", true]);
    const clock = new VirtualClock();
    const waiting = serialLoop.run(bench({ clock, lines, openLine: joined(() => new Uint8Array()) }));
    await clock.advance(10_000);
    assert.match((await waiting).found, /0 of 256 bytes arrived; check the wires/);
  });

  test("are skipped aloud without a rig, with a drawing of one", async () => {
    assert.equal((await serialLoop.run(bench())).verdict, "SKIPPED");
    assert.match(serialLoop.wiring, /A \(D\+\) o-+o A \(D\+\)/);
  });
});

describe("pins that are joined", () => {
  const pins: readonly [PinAddress, PinAddress] = [
    { chip: "c", line: 1 },
    { chip: "c", line: 2 },
  ];

  /** Pins on one wire: whoever pulls decides the level of all. @param broken the edges of this pin are never told */
  function wired(isJoined: boolean, broken?: number): PinDriver {
    const levels = new Map<number, boolean>();
    const open = new Map<number, PinEvents>();
    return {
      async open({ line, bias }, events) {
        open.set(line, events);
        if (bias !== "disabled") {
          for (const other of isJoined ? [1, 2] : [line]) {
            const level = bias === "pull-up";
            if (levels.get(other) === level) continue;
            levels.set(other, level);
            if (other !== broken) open.get(other)?.edge(level, 0);
          }
        }
        return { read: async () => levels.get(line) === true, close: async () => void open.delete(line) };
      },
    };
  }

  const outcome = async (pinDriver: PinDriver) => {
    const clock = new VirtualClock();
    const running = pinsJumper.run(bench({ clock, pins, pinDriver }));
    for (let turn = 0; turn < 10; turn++) await clock.advance(1_000);
    return running;
  };

  test("pass where each follows the other, without ever being driven", async () => {
    const { verdict, found } = await outcome(wired(true));
    assert.equal(verdict, "PASSED", found);
  });

  test("fail without the jumper, or where no edge is told", async () => {
    assert.match((await outcome(wired(false))).found, /line 1 does not follow line 2|line 2 does not follow line 1/);
    assert.match((await outcome(wired(true, 1))).found, /line 1 told no edge/);
  });
});

test("P1: an open port fails the board, one of the machine with itself does not", async () => {
  const row = (local: string, state: string) => `   0: ${local} 00000000:0000 ${state} 0 0 0 0 0 0\n`;
  const seen = (rows: string) => nobodyListens.run(bench({ machine: machine({ "proc/net/tcp": `head\n${rows}` }) }));
  assert.equal((await seen(row("0100007F:0035", "0A") + row("0A0A0A0A:1F90", "01"))).verdict, "PASSED");
  const open = await seen(row("00000000:0016", "0A"));
  assert.deepEqual([open.verdict, /TCP 22/.test(open.found)], ["FAILED", true]);
  assert.equal((await nobodyListens.run(bench())).verdict, "FAILED", "nothing was looked at");
});

test("the watchdog has bitten where another kernel runs soon after the crash, and is not believed else", () => {
  const CRASH_MS = Date.UTC(2026, 10, 22);
  const after = (boot: string, upS: number, passedMs: number, tag: string) => {
    const folder = `state-${tag}`;
    const files = {
      [`${folder}/hw-test-watchdog.json`]: JSON.stringify({ boot: "one", atMs: CRASH_MS }),
      "proc/sys/kernel/random/boot_id": `${boot}\n`,
      "proc/uptime": `${upS}.5 1.0\n`,
    };
    return pendingOutcome({ machine: machine(files), folder, clock: new VirtualClock(CRASH_MS + passedMs) });
  };
  assert.equal(after("two", 20, 60_000, "a")?.verdict, "PASSED");
  assert.match(after("one", 500, 60_000, "b")?.found ?? "", /was to crash, and did not/);
  assert.match(after("two", 20, 3_600_000, "c")?.found ?? "", /switched off and on by hand/);
  assert.equal(pendingOutcome({ machine: machine({}), folder: "x", clock: new VirtualClock() }), undefined);
});

describe("the whole test", () => {
  const step = (name: string, run: Step["run"]): Step => ({
    name,
    title: `title of ${name}`,
    wiring: "join them\n",
    run,
  });

  test("tells what to wire before each step, and stops when told", async () => {
    const ending = new AbortController();
    let said = "";
    const entries = await testBoard({
      steps: [
        step("one", async () => {
          ending.abort();
          return passed("good");
        }),
        step("two", async () => assert.fail("was told to stop")),
      ],
      bench: bench({ signal: ending.signal }),
      tell: (text) => {
        said += text;
      },
      keep: () => undefined,
    });
    assert.deepEqual(
      entries.map(({ verdict }) => verdict),
      ["PASSED", "SKIPPED"],
    );
    assert.match(said, /1 of 2 {2}one: title of one\n\n {4}join them\n\nPASSED {2}good\n/);
  });

  test("a step that is stopped has found nothing, and asks nothing", async () => {
    const ending = new AbortController();
    const clock = new VirtualClock();
    const hot = machine({ "sys/class/thermal/thermal_zone0/temp": "41000\n" });
    const heat = heatUnderLoad.run(bench({ machine: hot, signal: ending.signal, clock }));
    const ask = () => new Promise<boolean>(() => undefined);
    const light = lightSeen.run(bench({ light: "none", ask, signal: ending.signal, clock }));
    ending.abort();
    await clock.advance(1_000);
    assert.deepEqual([(await heat).found, (await light).found], ["stopped by hand", "stopped by hand"]);
  });

  test("has passed where all has: what was skipped was not shown to work", () => {
    const entry = (verdict: ProtocolEntry["verdict"]) => ({ step: "line", verdict, found: "x" });
    const of = (...entries: ProtocolEntry[]) => ({
      date: "2026-11-22 08:00",
      serial: "0a1b2c3d",
      board: "Pi",
      entries,
    });
    assert.equal(hasPassed(of(entry("PASSED"))), true);
    for (const bad of [of(), of(entry("PASSED"), entry("SKIPPED")), of(entry("FAILED"))]) {
      assert.equal(hasPassed(bad), false);
    }
    assert.deepEqual(protocolText(of(entry("PASSED"), entry("SKIPPED"))).split("\n"), [
      "2026-11-22 08:00 UTC  serial number 0a1b2c3d  Pi",
      "  PASSED   line       x",
      "  SKIPPED  line       x",
      "  RESULT: NOT PASSED (1 passed, 0 failed, 1 skipped)",
      "",
      "",
    ]);
  });

  test("the serial number is that of the card's label, else the chip's", () => {
    const files = { "proc/device-tree/serial-number": "10000000abcdef\0" };
    assert.equal(serialNumber(machine(files)), "10000000abcdef");
    assert.equal(serialNumber(machine({ ...files, "boot/firmware/site/serial": "0a1b2c3d\n" })), "0a1b2c3d");
  });

  test("the card's figures are told, whatever this one's are", async () => {
    const folder = join(root, "not", "yet");
    const { found } = await flashSpeed.run(bench({ clock: hostClock, machine: createMachine(), folder }));
    assert.match(found, /100 syncs: median [\d.]+ ms, worst [\d.]+ ms; 32 MB written at [\d.]+ MB\/s|MB are free in/);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.endsWith(".tmp")),
      [],
    );
  });

  test("`hw-test` passes two real ports that are joined, and keeps the protocol", async (t) => {
    const [a, b] = [join(root, "a"), join(root, "b")];
    const wire = spawn("socat", ["-d", "-d", `pty,raw,echo=0,link=${a}`, `pty,raw,echo=0,link=${b}`]);
    t.after(() => wire.kill());
    await new Promise<void>((resolve) => {
      wire.stderr.on("data", (text: Buffer) => text.includes("starting data transfer") && resolve());
    });
    const steps = ["--only", "line"];
    const { code, out, err } = await runCommand(runCommandLine, [
      ...["hw-test", "--data", root, "--lines", `${a},${b}`],
      ...steps,
    ]);
    assert.equal(code, 0, out + err);
    assert.match(readFileSync(join(root, "hw-test.txt"), "utf8"), /PASSED +line .*\n +RESULT: PASSED/);
    const skipping = ["hw-test", "--data", root, "--json", "--only", "pins"];
    const again = await runCommand(runCommandLine, skipping);
    assert.deepEqual([again.code, JSON.parse(again.out).entries[0].verdict], [1, "SKIPPED"]);
    assert.equal(readFileSync(join(root, "hw-test.txt"), "utf8").match(/RESULT/g)?.length, 2, "it is added to");
    for (const wrong of [
      ["--only", "sun"],
      ["--lines", "a,a"],
      ["--pins", "a,a"],
      ["--lines", "a,b", "--known-line", "a"],
    ]) {
      assert.equal((await runCommand(runCommandLine, ["hw-test", ...wrong])).code, 64, wrong.join(" "));
    }
    const misnamed = await runCommand(runCommandLine, ["hw-test", join(root, "none.yaml"), "--only", "pins"]);
    assert.deepEqual([misnamed.code, /there is no file .*none\.yaml/.test(misnamed.err)], [78, true]);
    assert.ok(STEPS.at(-1)?.name === "watchdog");
  });
});
