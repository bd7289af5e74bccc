/** What the service's unit forbids, and how to find out: the unit with a probe in the gateway's place, and two controls. */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const UNIT = fileURLToPath(new URL("../../../systemd/sallyport.service", import.meta.url));

/** Of a probe: "done", or the code of the error, by what it tried. */
export type Told = Readonly<Record<string, string>>;

export interface WallProbes {
  /** The very unit. */
  readonly held: Told;
  /** No setting of it. */
  readonly free: Told;
  /** Only the settings that this system may not have. */
  readonly lone: Told;
}

export interface Finding {
  readonly verdict: "ok" | "WRONG" | "-";
  readonly text: string;
}

/** What the service may do nevertheless. */
const MAY: readonly string[] = ["writes to its state directory", "speaks over TCP"];
const SAYS: Told = { capabilities: "0000000000000000", "no new privileges": "1", "system calls filtered": "2" };
/** Root may these two whatever the unit says: the file is its own, and so are the processes. */
const ROOTS_OWN: readonly string[] = ["reads a broker's password where it lies", "sees other users' processes"];
const LONE = "SocketBindDeny=any\nDevicePolicy=closed\nProtectKernelTunables=yes\n";

/**
 * Units for /run/systemd/system, by their names.
 *
 * @param probe where probe.mjs lies
 * @param user in the service's place: as root a lock that only ownership makes does not hide one that the unit makes
 */
export async function probeUnits(probe: string, user: string): Promise<Readonly<Record<string, string>>> {
  const program = `/usr/bin/node ${probe}`;
  const text = await readFile(UNIT, "utf8");
  const held = text
    .replace(/^ExecStart=.*$/m, `ExecStart=${program}`)
    .replace(/^Type=.*$/m, "Type=oneshot")
    .replace(/^Restart=.*$/m, "Restart=no")
    .replace(/^WatchdogSec=.*$/m, "")
    .replace(/^(User|Group)=.*$/gm, `$1=${user}`);
  const plain = `[Service]\nType=oneshot\nUser=${user}\nRuntimeDirectory=sallyport\nExecStart=${program}\n`;
  return {
    [`probe-held-${user}.service`]: held,
    [`probe-free-${user}.service`]: plain,
    [`probe-lone-${user}.service`]: plain + LONE,
  };
}

/** In the journal of one of these units. */
export function toldIn(journal: string): Told {
  const told = [...journal.matchAll(/^PROBE (.*)$/gm)].at(-1)?.[1];
  if (told === undefined) throw new Error(`the probe told nothing: ${journal}`);
  return JSON.parse(told);
}

export function judgeWalls(user: string, { held, free, lone }: WallProbes): readonly Finding[] {
  const judge = ([what, answer]: [string, string]): Finding => {
    const said = SAYS[what];
    if (said !== undefined) return { verdict: answer === said ? "ok" : "WRONG", text: `${user}: ${what}: ${answer}` };
    if (MAY.includes(what)) return { verdict: answer === "done" ? "ok" : "WRONG", text: `${user} ${what}: ${answer}` };
    if (user === "root" && ROOTS_OWN.includes(what))
      return { verdict: "-", text: `${user} ${what}, whatever a unit says` };
    const text = `${user} never ${what}: ${answer}`;
    if (answer === "done" && lone[what] === "done" && LONE_ONES.includes(what)) {
      return { verdict: "-", text: `${user} ${what}: this system does not hold to the setting alone either` };
    }
    if (answer !== "done" && free[what] !== "done")
      return { verdict: "-", text: `${text}; nor could it without the unit, so this shows nothing` };
    return { verdict: answer === "done" ? "WRONG" : "ok", text };
  };
  return Object.entries(held).map(judge);
}

const LONE_ONES: readonly string[] = ["takes a UDP port", "opens a device that is not on its list", "writes to /sys"];
