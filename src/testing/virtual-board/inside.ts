/** What is looked at in a running board: its pins from outside, everything else at its console. */
import type { Life } from "./life.ts";
import { LIST_SOCKETS, unexpectedSockets } from "./machine-sockets.ts";
import { CONSOLE_PASSWORD, DOOR } from "./outside.ts";

/** Returns what is wrong. */
export async function lookInside(life: Life, tell: (line: string) => void): Promise<readonly string[]> {
  for (const isHigh of [true, false]) {
    await life.machine.setPin(DOOR.line, isHigh);
    tell(`pin ${isHigh ? "high" : "low"} to the broker: ${Math.round(await life.shows(DOOR.tag, isHigh))} ms`);
  }
  const { machine } = life;
  await machine.logIn(CONSOLE_PASSWORD);
  const sockets = unexpectedSockets(await machine.run(LIST_SOCKETS));
  const failed = (await machine.run("systemctl --failed --plain --no-legend")).trim();
  const watchdog = (await machine.run("systemctl show --property WatchdogLastPingTimestamp --value")).trim();
  const writable = (await machine.run("touch /etc/try /usr/try 2>/dev/null; ls /etc/try /usr/try 2>/dev/null")).trim();
  const kept = await machine.run("ls /var/lib/sallyport");
  tell(`memory of the service: ${await residentMb(life)} MB`);
  return [
    ...sockets.map((socket) => `a socket that nobody gave a reason for: ${socket}`),
    ...(failed === "" ? [] : [`failed: ${failed}`]),
    ...(watchdog === "" ? ["the watchdog is not armed"] : []),
    ...(kept.includes("state.db") ? [] : ["nothing is kept on the card: no state.db"]),
    ...(writable === "" ? [] : [`could be written: ${writable}`]),
  ];
}

async function residentMb({ machine }: Life): Promise<number> {
  const status = await machine.run("cat /proc/$(pgrep --oldest --uid sallyport)/status");
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024);
}
