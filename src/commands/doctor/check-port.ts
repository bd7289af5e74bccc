/** The serial port of a line: is it there, may it be used, who else holds it, and can it do what is asked of it. */
import type { LineConfig } from "../../config/config.ts";
import { serialText } from "../../config/values.ts";
import { type Ailment, ailing, type Finding, ok } from "./finding.ts";
import { holdersOf, type Machine } from "./machine.ts";

/** Above it every request waits for the adapter. */
const LATENCY_MS_MAX = 4;
const NUMBERED_USB = /^\/dev\/tty(USB|ACM)\d+$/;
const BY_ID = "/dev/serial/by-id";

export interface PortCheck {
  readonly findings: readonly Finding[];
  /** A short test may open it. */
  readonly isFree: boolean;
}

/**
 * @param gateways processes that are the gateway itself, which may hold its own ports
 * @param isLent the gateway has given it to a tool, which may hold it, too
 */
export function checkPort(machine: Machine, line: LineConfig, gateways: readonly number[], isLent: boolean): PortCheck {
  const { name, path } = line;
  const file = machine.real(path);
  if (file === undefined) return { isFree: false, findings: [ailing("port", name, missing(machine, path))] };
  // A pseudo terminal is a program's, not a wire's: that program holds it rightly.
  const holders = file.startsWith("/dev/pts/") ? [] : holdersOf(machine, file);
  const others = isLent ? [] : holders.filter((pid) => !gateways.includes(pid));
  const findings = [
    ...checkHolders(machine, name, file, others),
    ...checkRights(machine, name, path),
    ...checkMiniUart(machine, line, file),
    ...checkLatency(machine, name, file),
    ...checkName(machine, name, path),
  ];
  const isFree = holders.length === 0 && machine.mayUse(path);
  if (findings.length > 0) return { isFree, findings };
  const user = isLent ? "lent to a tool" : holders.length > 0 ? "held by the gateway" : "free";
  const target = file === path ? path : `${path} (${file})`;
  return { isFree, findings: [ok("port", name, `${target} is there, ${user}`)] };
}

function missing(machine: Machine, path: string): Ailment {
  const isBluetooth = /ttyAMA\d+$/.test(path) && machine.names("/sys/class/bluetooth").length > 0;
  if (isBluetooth) return bluetooth(path);
  const there = [
    ...machine.names(BY_ID).map((name) => `${BY_ID}/${name}`),
    ...machine.names("/sys/class/tty").flatMap((tty) => {
      return /^tty(AMA|USB|ACM|mxc|SC)\d+$/.test(tty) ? [`/dev/${tty}`] : [];
    }),
  ];
  const instead = there.length === 0 ? "this machine shows no other serial port" : `there are ${there.join(", ")}`;
  return {
    name: "port-missing",
    verdict: "FAULT",
    found: `${path} is not there`,
    means: "the adapter is not plugged in, has another name, or its driver or overlay is not loaded",
    todo: `plug it in, or mend \`path\` in gateway.yaml: ${instead}`,
  };
}

function bluetooth(path: string): Ailment {
  return {
    name: "port-bluetooth",
    verdict: "FAULT",
    found: `Bluetooth has the UART of ${path}`,
    means: "by default a Raspberry Pi 3 or 4 gives its full UART to Bluetooth, and the header the mini-UART",
    todo: "dtoverlay=disable-bt in /boot/firmware/config.txt, systemctl disable hciuart, and restart",
  };
}

function checkHolders(machine: Machine, line: string, file: string, pids: readonly number[]): Finding[] {
  const tty = file.replace("/dev/", "");
  const console = machine
    .text("/proc/cmdline")
    .split(/\s+/)
    .find((word) => word.startsWith(`console=${tty}`) || (tty === "ttyAMA0" && word.startsWith("console=serial0")));
  if (console !== undefined) {
    const ailment = {
      name: "port-console",
      verdict: "FAULT",
      found: `the kernel writes its messages to ${file}`,
      means: "its text and the login prompt go onto the bus between the gateway's requests",
      todo: `take ${console} out of the kernel's command line (/boot/firmware/cmdline.txt) and restart`,
    } as const;
    return [ailing("port", line, ailment, "/proc/cmdline")];
  }
  return pids.map((pid) => {
    const program = machine.text(`/proc/${pid}/comm`) || "a program";
    if (/^(hci|bt)attach/.test(program)) return ailing("port", line, bluetooth(file), `process ${pid}, ${program}`);
    const isLogin = /getty|login/.test(program);
    const ailment = {
      name: isLogin ? "port-getty" : "port-held",
      verdict: "FAULT",
      found: `${program} holds ${file}`,
      means: "two programs on one port steal each other's bytes",
      todo: isLogin ? `systemctl disable --now serial-getty@${tty}` : `end it, or give the gateway another port`,
    } as const;
    return ailing("port", line, ailment, `process ${pid}`);
  });
}

function checkRights(machine: Machine, line: string, path: string): Finding[] {
  if (machine.mayUse(path)) return [];
  const ailment = {
    name: "port-denied",
    verdict: "WARNING",
    found: `this user may not open ${path}`,
    means: "the wiring cannot be tested; the service itself runs as another user",
    todo: "run doctor as root, or add the user to the group dialout",
  } as const;
  return [ailing("port", line, ailment)];
}

/** The mini-UART of a Raspberry Pi knows no parity, and its speed hangs on the core's clock. */
function checkMiniUart(machine: Machine, { name, serial }: LineConfig, file: string): Finding[] {
  const compatible = machine.text(`/sys/class/tty/${file.replace("/dev/", "")}/device/of_node/compatible`);
  if (!compatible.includes("bcm2835-aux-uart")) return [];
  const parity = serial.parity !== "none";
  const ailment = {
    name: "mini-uart",
    verdict: parity ? "FAULT" : "WARNING",
    found: parity ? `${file} has no parity, and ${serialText(serial)} asks for it` : `${file} is the mini-UART`,
    means: "this UART of the board knows no parity, and its speed changes with the core's clock",
    todo: "give the line the full UART: dtoverlay=disable-bt in config.txt, then path: /dev/ttyAMA0",
  } as const;
  return [ailing("port", name, ailment, compatible)];
}

function checkLatency(machine: Machine, line: string, file: string): Finding[] {
  const tty = file.replace("/dev/", "");
  const text = machine.text(`/sys/class/tty/${tty}/device/latency_timer`);
  if (text === "" || Number(text) <= LATENCY_MS_MAX) return [];
  const ailment = {
    name: "adapter-latency",
    verdict: "WARNING",
    found: `the adapter keeps each reply for up to ${text} ms`,
    means: "the line carries fewer requests than it could",
    todo: `echo 1 > /sys/class/tty/${tty}/device/latency_timer, and a udev rule that does it at each plugging in`,
  } as const;
  return [ailing("port", line, ailment)];
}

/** Numbers are given in the order of plugging in: with two adapters they change places. */
function checkName(machine: Machine, line: string, path: string): Finding[] {
  if (!NUMBERED_USB.test(path)) return [];
  const adapters = machine.names("/sys/class/tty").filter((tty) => NUMBERED_USB.test(`/dev/${tty}`));
  if (adapters.length < 2) return [];
  const stable = machine.names(BY_ID).find((name) => machine.real(`${BY_ID}/${name}`) === path);
  const ailment = {
    name: "port-name",
    verdict: "WARNING",
    found: `${path} is a number that can change`,
    means: "after a restart another adapter may have it, and this line is asked on another cable",
    todo: stable === undefined ? `use a name below ${BY_ID} or /dev/serial/by-path` : `write path: ${BY_ID}/${stable}`,
  } as const;
  return [ailing("port", line, ailment, adapters.join(", "))];
}
