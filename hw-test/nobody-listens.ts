import type { Machine } from "../src/commands/doctor/machine.ts";
import { failed, passed, type Step } from "./step.ts";

const LISTENING = "0A";
const LOOPBACK_6 = "00000000000000000000000001000000";

export const nobodyListens: Step = {
  name: "listeners",
  title: "nothing on this machine accepts a connection from outside",
  wiring: "",
  async run({ machine }) {
    if (machine.text("/proc/net/tcp") === "") return failed("/proc/net/tcp cannot be read");
    const ports = ["tcp", "tcp6"].flatMap((table) => listeningPorts(machine, table));
    const all = [...new Set(ports)].sort((a, b) => a - b);
    return all.length === 0
      ? passed("no TCP port is open but for this machine itself")
      : failed(`TCP ${all.join(", ")}: whatever it is does not belong on a gateway`);
  },
};

function listeningPorts(machine: Machine, table: string): readonly number[] {
  return machine
    .text(`/proc/net/${table}`)
    .split("\n")
    .slice(1)
    .map((row) => row.trim().split(/\s+/))
    .filter(([, , , state]) => state === LISTENING)
    .map(([, local = ""]) => local.split(":"))
    .filter(([address = ""]) => !/7F$/.test(address) && address !== LOOPBACK_6)
    .map(([, port = "0"]) => Number.parseInt(port, 16));
}
