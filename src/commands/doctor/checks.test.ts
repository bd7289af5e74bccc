import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import type { InputConfig } from "../../config/config.ts";
import { DEFAULTS } from "../../config/defaults.ts";
import type { DeviceReport, LineReport } from "../../pipeline.ts";
import { lineConfig } from "../../testing/modbus-config.ts";
import { outboxReport } from "../../testing/reports.ts";
import { checkBoard } from "./check-board.ts";
import { checkClock } from "./check-clock.ts";
import { checkInput } from "./check-input.ts";
import { checkListeners, checkRoute } from "./check-network.ts";
import { checkPort } from "./check-port.ts";
import { checkStorage } from "./check-storage.ts";
import type { Finding } from "./finding.ts";
import { judgeCounters } from "./judge-counters.ts";
import { createMachine, gatewayProcesses, type Machine } from "./machine.ts";

/** Files by path; a value that begins with `→` is a link, relative within the machine. */
type Files = Readonly<Record<string, string>>;

const HEALTHY: Files = {
  "/proc/device-tree/model": "Raspberry Pi 4 Model B Rev 1.5\0",
  "/proc/sys/kernel/osrelease": "6.12.0\n",
  "/proc/uptime": "200000.5 1.0\n",
  "/proc/meminfo": "MemTotal:  1000000 kB\nMemAvailable:  500000 kB\n",
  "/proc/mounts": "/dev/mmcblk0p2 / ext4 rw,noatime 0 0\n",
  "/proc/cmdline": "console=tty1 root=/dev/mmcblk0p2\n",
  "/proc/net/route": "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t0100A8C0\t0003\n",
  "/proc/net/tcp":
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n" +
    "   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 700 1 0 100 0 0 10 0\n",
  "/proc/77/cmdline": "node\0/usr/bin/sallyport\0run\0--config\0x\0",
  "/proc/77/fd/3": "→/dev/ttyUSB0",
  "/proc/77/comm": "node\n",
  "/sys/class/thermal/thermal_zone0/temp": "48000\n",
  "/sys/class/tty/ttyUSB0/device/latency_timer": "1\n",
  "/sys/class/gpio/gpiochip512/label": "pinctrl-bcm2711\n",
  "/sys/class/gpio/gpiochip512/base": "512\n",
  "/sys/class/gpio/gpiochip512/ngpio": "58\n",
  "/dev/ttyUSB0": "",
  "/var/lib/sallyport/outbox.db": "",
};

const OUTBOX = "/var/lib/sallyport/outbox.db";
const LINE = lineConfig("/dev/ttyUSB0", []);
const NOW_MS = Date.UTC(2026, 11, 1);

function machine(t: TestContext, more: Files = {}): Machine {
  const root = mkdtempSync(join(tmpdir(), "sallyport-machine-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  for (const [path, text] of Object.entries({ ...HEALTHY, ...more })) {
    const file = join(root, path);
    mkdirSync(dirname(file), { recursive: true });
    if (text.startsWith("→")) symlinkSync(text.slice(1), file);
    else writeFileSync(file, text);
  }
  return createMachine(root);
}

function input(line: number): InputConfig {
  const { scanRateMs, staleMinMs, maxIntervalMs, priority, debounceMs } = DEFAULTS;
  const tag = { id: "inputs/door", device: "inputs", name: "door", type: "bool", priority, deadband: 0 } as const;
  const pin = { chip: "pinctrl-bcm2711", line };
  const times = { scanRateMs, staleMs: staleMinMs, maxIntervalMs, debounceMs };
  return { ...tag, ...times, pin, writable: false, enabled: true, activeLow: false };
}

const SIGNS = { isSynchronised: () => false, rtcMs: () => undefined, notBeforeMs: () => NOW_MS - 1_000 };
const CLOCK = { hostMs: NOW_MS, signs: SIGNS, source: "auto", hasTimeService: true } as const;

const HEALTH = outboxReport();

const port = (m: Machine) => checkPort(m, LINE, [77], false).findings;

const CASES: readonly (readonly [string, Files, (m: Machine) => readonly Finding[]])[] = [
  ["undervoltage", { "/sys/devices/platform/soc/soc:firmware/get_throttled": "50005\n" }, checkBoard],
  ["too-hot", { "/sys/class/thermal/thermal_zone0/temp": "84000\n" }, checkBoard],
  ["memory-low", { "/proc/meminfo": "MemTotal:  1000000 kB\nMemAvailable:  40000 kB\n" }, checkBoard],
  ["port-console", { "/proc/cmdline": "console=ttyUSB0,115200 root=/dev/x\n" }, port],
  ["port-getty", { "/proc/80/fd/0": "→/dev/ttyUSB0", "/proc/80/comm": "agetty\n" }, port],
  ["port-bluetooth", { "/proc/80/fd/0": "→/dev/ttyUSB0", "/proc/80/comm": "hciattach\n" }, port],
  [
    "port-bluetooth",
    { "/sys/class/bluetooth/hci0/type": "" },
    (m) => checkPort(m, lineConfig("/dev/ttyAMA0", []), [], false).findings,
  ],
  ["port-held", { "/proc/80/fd/0": "→/dev/ttyUSB0", "/proc/80/comm": "minicom\n" }, port],
  ["mini-uart", { "/sys/class/tty/ttyUSB0/device/of_node/compatible": "brcm,bcm2835-aux-uart\0" }, port],
  ["adapter-latency", { "/sys/class/tty/ttyUSB0/device/latency_timer": "16\n" }, port],
  ["port-name", { "/sys/class/tty/ttyUSB1/dev": "188:1\n" }, port],
  [
    "card-read-only",
    { "/proc/mounts": "/dev/mmcblk0p2 / ext4 ro,noatime 0 0\n" },
    (m) => checkStorage(m, OUTBOX, HEALTH),
  ],
  ["card-errors", { "/sys/fs/ext4/mmcblk0p2/errors_count": "3\n" }, (m) => checkStorage(m, OUTBOX, HEALTH)],
  ["card-worn", { "/sys/class/block/mmcblk0/device/life_time": "0x02 0x0a\n" }, (m) => checkStorage(m, OUTBOX, HEALTH)],
  ["outbox-damaged", { [`${OUTBOX}.damaged-1`]: "" }, (m) => checkStorage(m, OUTBOX, HEALTH)],
  ["outbox-full", {}, (m) => checkStorage(m, OUTBOX, { ...HEALTH, health: "full", healthReason: "no space" })],
  [
    "pin-output",
    { "/sys/kernel/debug/gpio": " gpio-529 (GPIO17 |led ) out hi\n" },
    (m) => [checkInput(m, input(17), undefined)],
  ],
  ["pin-missing", {}, (m) => [checkInput(m, input(58), undefined)]],
  ["no-route", { "/proc/net/route": "Iface\tDestination\tGateway\tFlags\n" }, (m) => [checkRoute(m)]],
  ["listener", { "/proc/77/fd/9": "→socket:[700]" }, (m) => [checkListeners(m, [77])]],
  ["clock-wrong", {}, () => [checkClock({ ...CLOCK, hostMs: 0 })]],
  ["clock-unsynced", {}, () => [checkClock(CLOCK)]],
];

describe("doctor at the machine", () => {
  test("says nothing of a healthy one", (t) => {
    const healthy = machine(t);
    const findings = [
      ...checkBoard(healthy),
      ...port(healthy),
      ...checkStorage(healthy, OUTBOX, HEALTH),
      checkInput(healthy, input(17), undefined),
      checkRoute(healthy),
      checkListeners(healthy, [77]),
      checkClock({ ...CLOCK, signs: { ...SIGNS, isSynchronised: () => true } }),
      checkClock({ ...CLOCK, source: "host" }),
      checkClock({ ...CLOCK, signs: { ...SIGNS, rtcMs: () => NOW_MS } }),
    ];
    assert.deepEqual(
      findings.filter(({ verdict }) => verdict !== "OK"),
      [],
    );
    assert.match(findings[0]?.found ?? "", /^Raspberry Pi 4 Model B Rev 1.5, kernel 6.12.0, up for 2 days, 48 °C$/);
  });

  test("knows the gateway among the processes, and which file it was told", (t) => {
    const found = gatewayProcesses(
      machine(t, {
        "/proc/78/cmdline": "node\0--import\0tsx\0src/main.ts\0run\0--config=gateway.yaml\0",
        "/proc/78/cwd": "→/srv/plant",
        "/proc/79/cmdline": "vi\0run\0--config\0x\0",
        "/proc/80/cmdline": "node\0/usr/bin/sallyport\0doctor\0",
      }),
    );
    assert.deepEqual(found, [
      { pid: 77, config: "/x" },
      { pid: 78, config: "/srv/plant/gateway.yaml" },
    ]);
  });

  for (const [name, files, check] of CASES) {
    test(`calls it ${name}, and says what to do`, (t) => {
      const findings = check(machine(t, files)).filter(({ verdict }) => verdict !== "OK");
      assert.deepEqual(
        findings.map((finding) => finding.name),
        [name],
      );
      assert.ok(findings.every(({ means, todo }) => means !== undefined && todo !== undefined));
    });
  }

  test("whoever holds a port that the gateway has lent holds it rightly", (t) => {
    const held = machine(t, { "/proc/80/fd/0": "→/dev/ttyUSB0", "/proc/80/comm": "node\n" });
    const [finding] = checkPort(held, LINE, [77], true).findings;
    assert.deepEqual([finding?.verdict, finding?.found], ["OK", "/dev/ttyUSB0 is there, lent to a tool"]);
  });
});

function counters(name: string, more: Partial<DeviceReport> = {}): DeviceReport {
  const times = { responseTimeMs: 20, responseTimeP50Ms: 20, responseTimeP99Ms: 30 };
  const errors = { timeouts: 0, crcErrors: 0, framingErrors: 0, foreignFrames: 0, lateFrames: 0, exceptions: 0 };
  return { name, requests: 1_000, replies: 1_000, ...errors, ...times, lost: false, ...more };
}

function report(devices: readonly DeviceReport[], more: Partial<LineReport> = {}): LineReport {
  const whole = { fault: "", utilisation: 40, missedPeriods: 0, foreignFrames: 0, noiseBytes: 0 };
  return { name: "RS485-1", path: "/dev/ttyUSB0", ...whole, devices, ...more };
}

const DEAD = { replies: 0, lost: true } as const;
const SOUND = counters("meter-1");

const PATTERNS: readonly (readonly [name: string, subject: string, LineReport])[] = [
  ["port-fault", "RS485-1", report([SOUND], { fault: "/dev/ttyUSB0 is not there" })],
  [
    "line-silent",
    "RS485-1",
    report([counters("a", { ...DEAD, timeouts: 1_000 }), counters("b", { ...DEAD, timeouts: 1_000 })]),
  ],
  ["line-garbled", "RS485-1", report([counters("a", { ...DEAD, framingErrors: 900, timeouts: 100 })])],
  ["device-silent", "RS485-1 b", report([SOUND, counters("b", { ...DEAD, timeouts: 1_000 })])],
  ["duplicate-unit-id", "RS485-1 b", report([SOUND, counters("b", { crcErrors: 300, replies: 700 })])],
  ["termination-missing", "RS485-1", report([counters("a", { crcErrors: 30 }), counters("b", { crcErrors: 60 })])],
  [
    "noise",
    "RS485-1",
    report([counters("a", { crcErrors: 30 }), counters("b", { crcErrors: 60 })], { noiseBytes: 500 }),
  ],
  ["slow-device", "RS485-1 a", report([counters("a", { lateFrames: 12, timeouts: 12 })])],
  ["register-refused", "RS485-1 a", report([counters("a", { exceptions: 990 })])],
  ["other-master", "RS485-1", report([SOUND], { foreignFrames: 400 })],
  ["overloaded", "RS485-1", report([SOUND], { utilisation: 99, missedPeriods: 70 })],
];

describe("doctor at the counters of the running service", () => {
  test("says nothing of a healthy line, nor of one that has just begun", () => {
    for (const line of [
      report([SOUND, counters("b")]),
      report([counters("a", { requests: 3, timeouts: 3, ...DEAD })]),
    ]) {
      assert.deepEqual(
        judgeCounters(line).map(({ verdict }) => verdict),
        ["OK"],
      );
    }
  });

  test("a line that is lent to a tool is no fault, and is told as lent", () => {
    const [finding, ...more] = judgeCounters(report([counters("a", DEAD)], { fault: "lent to a tool", lent: true }));
    assert.equal(finding?.verdict, "OK");
    assert.match(finding?.found ?? "", /^lent to a tool: not read meanwhile/);
    assert.deepEqual(more, []);
  });

  for (const [name, subject, line] of PATTERNS) {
    test(`calls it ${name}`, () => {
      assert.deepEqual(
        judgeCounters(line).map((finding) => [finding.name, finding.subject]),
        [[name, subject]],
      );
    });
  }
});
