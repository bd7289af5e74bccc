/** What can be wrong with a line, a table: the name for machines, and for people what it means and what to do. */
import type { Ailment } from "./finding.ts";

type Entry = Omit<Ailment, "name">;

const TABLE = {
  "line-silent": {
    verdict: "FAULT",
    found: "no device of this line answers",
    means: "the devices do not hear the gateway, or it does not hear them: no power, cable open, A and B swapped",
    todo: "check the devices' power, then the cable; exchange A and B at the gateway; `sallyport scan` tries all settings",
  },
  "ab-swapped": {
    verdict: "FAULT",
    found: "A and B are swapped",
    means: "the line rests the wrong way round: after each request zeros come in place of a reply",
    todo: "exchange the two wires at the gateway's connector (makers do not agree which one is A)",
  },
  "wrong-parity": {
    verdict: "FAULT",
    found: "the parity is wrong",
    means: "the device answers, but not at the parity of gateway.yaml",
    todo: "set `serial` of the line to what answered, or the device's menu to what stands in gateway.yaml",
  },
  "wrong-speed": {
    verdict: "FAULT",
    found: "the speed is wrong",
    means: "the device answers, but not at the baud rate of gateway.yaml",
    todo: "set `serial` of the line to what answered, or the device's menu to what stands in gateway.yaml",
  },
  "device-silent": {
    verdict: "FAULT",
    found: "this device does not answer, others of the line do",
    means: "the line is good: the device is off, disconnected, or has another address than gateway.yaml says",
    todo: "check its power, its wires and the address in its menu (Address, ID or Slave); `sallyport scan` finds it",
  },
  "duplicate-unit-id": {
    verdict: "FAULT",
    found: "two devices answer to this address",
    means: "replies collide or come twice, while the other devices' are whole",
    todo: "switch devices off one by one until it is clean, and give the double one another address",
  },
  "direction-late": {
    verdict: "FAULT",
    found: "the first bytes of replies are missing",
    means: "the gateway's driver holds the line too long after sending: the direction is switched too late",
    todo: "set `rs485` of the line (auto, rts, none) as the adapter needs; use an adapter that switches by itself",
  },
  "termination-missing": {
    verdict: "FAULT",
    found: "bits of replies are wrong, and the line is quiet between them",
    means: "signals are reflected at the cable's ends: termination is missing, doubled, or the cable branches",
    todo: "120 ohm at both ends and nowhere else, no star; check the screws; try a lower baud rate",
  },
  noise: {
    verdict: "FAULT",
    found: "bits of replies are wrong, and there are stray bytes while nobody sends",
    means: "something disturbs the line from outside, or a ground is missing",
    todo: "keep the cable away from motors, connect shield and ground on one side; then check the termination",
  },
  "bias-missing": {
    verdict: "WARNING",
    found: "whole replies come with stray bytes at their edges",
    means: "the line floats while nobody drives it: it has no bias (fail-safe) resistors",
    todo: "switch on the bias at one place of the line, in general at the gateway or its adapter",
  },
  echo: {
    verdict: "WARNING",
    found: "the adapter hears itself",
    means: "each request comes back before its reply; the gateway sorts it out, but it costs time",
    todo: "switch the echo off at the adapter (its receiver stays on while it sends)",
  },
  "other-master": {
    verdict: "WARNING",
    found: "somebody else asks on this line",
    means: "Modbus RTU has one master: two that speak at once spoil each other's frames",
    todo: "find the other one (PLC, display, another gateway) and give one of them the line",
  },
  "slow-device": {
    verdict: "WARNING",
    found: "replies come after responseTimeout",
    means: "the device is slower than the gateway waits; a late reply is never used",
    todo: "raise `responseTimeout` of the line above what was seen",
  },
  gaps: {
    verdict: "WARNING",
    found: "some requests get no answer at all",
    means: "a loose contact, or a device that is busy or restarts at times",
    todo: "tighten the screws; look at the device; `timeouts` in `sallyport watch` shows whether it goes on",
  },
  "register-refused": {
    verdict: "WARNING",
    found: "the device refuses what is asked of it",
    means: "wiring and settings are good: the address, table or quantity in gateway.yaml is not this device's",
    todo: "compare the register with the manual; `sallyport check` prints each address both ways",
  },
  "line-garbled": {
    verdict: "FAULT",
    found: "something comes back, but nothing of it is Modbus",
    means: "wrong speed or parity, A and B swapped, or the direction is switched wrongly",
    todo: "compare the settings with the devices' menus, exchange A and B; while the service runs, doctor --test tells more",
  },
  "foreign-unit": {
    verdict: "WARNING",
    found: "another unit answers",
    means: "a device or a converter answers with an address that was not asked",
    todo: "check the addresses in the devices' menus, and the settings of a converter on the way",
  },
  overloaded: {
    verdict: "WARNING",
    found: "more is asked of this line than it can carry",
    means: "values are read less often than gateway.yaml says",
    todo: "a slower scanRate, a higher baud rate, or a second line; `sallyport check` tells what fits",
  },
} as const satisfies Readonly<Record<string, Entry>>;

export type LineAilment = keyof typeof TABLE;

export function lineAilment(name: LineAilment): Ailment {
  return { name, ...TABLE[name] };
}
