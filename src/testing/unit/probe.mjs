// Tries what the service's unit forbids, and prints as JSON what came of each: "done", or the error's code. Run by that
// very unit in place of the gateway, and by one without its settings as the control.
import { spawnSync } from "node:child_process";
import dgram from "node:dgram";
import { closeSync, existsSync, openSync, readdirSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";

function attempt(work) {
  try {
    return work() ?? "done";
  } catch (error) {
    return error.code ?? String(error);
  }
}

const open = (path, flags) => attempt(() => closeSync(openSync(path, flags)));

function settled(emitter, event) {
  return new Promise((resolve) => {
    emitter.once(event, () => resolve("done")).once("error", (error) => resolve(error.code));
  });
}

async function listens(where) {
  const server = net.createServer();
  const answer = settled(server, "listening");
  server.listen(where);
  const said = await answer;
  server.close();
  return said;
}

async function takesPort() {
  const socket = dgram.createSocket("udp4");
  const answer = settled(socket, "listening");
  socket.bind(0, "127.0.0.1");
  const said = await answer;
  socket.close();
  return said;
}

function kernelSays(key) {
  return new RegExp(`^${key}:\\s*(\\S+)$`, "m").exec(readFileSync("/proc/self/status", "utf8"))?.[1];
}

/** A container has the one, a board the other. */
const device = existsSync("/dev/loop-control") ? "/dev/loop-control" : "/dev/kmsg";
const socket = `/run/sallyport/probe-${process.pid}`;
const told = {
  "listens at a Unix socket": await listens({ path: socket }),
  "listens at a TCP port": await listens({ host: "127.0.0.1", port: 0 }),
  "takes a UDP port": await takesPort(),
  "writes to /sys": open("/sys/module/kernel/parameters/panic", "r+"),
  "writes to /proc/sys": open("/proc/sys/kernel/panic", "r+"),
  "writes to /etc": open("/etc/hostname", "r+"),
  "writes to /usr": open("/usr/lib/os-release", "r+"),
  "reads another user's own file": open("/run/other/secret", "r"),
  "reads a broker's password where it lies": open("/etc/sallyport/passwords/cloud", "r"),
  "reads a home": open("/home/other/note", "r"),
  "sees other users' processes": attempt(() => (readdirSync("/proc").includes("1") ? "done" : "ENOENT")),
  "reads what lies in everybody's /tmp": open("/tmp/outside", "r"),
  "opens a device that is not on its list": open(device, "r+"),
  "makes a namespace": spawnSync("unshare", ["--uts", "true"]).status === 0 ? "done" : "EPERM",
  "writes to its state directory": open("/var/lib/sallyport/probe", "w"),
  "speaks over TCP": attempt(() => void net.connect({ host: "127.0.0.1", port: 9 }).on("error", () => undefined).unref()),
  capabilities: kernelSays("CapEff"),
  "no new privileges": kernelSays("NoNewPrivs"),
  "system calls filtered": kernelSays("Seccomp"),
};
rmSync("/var/lib/sallyport/probe", { force: true });
process.stdout.write(`PROBE ${JSON.stringify(told)}\n`);
