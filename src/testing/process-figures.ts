/** What the kernel says of a process, and what the unit gives it. */
import { readFile } from "node:fs/promises";

const CPU_TICKS_PER_S = 100;
const BYTES_PER_KB = 1_024;
const UNIT = new URL("../../systemd/sallyport.service", import.meta.url);

/** User and system time of a process so far, in seconds. */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8");
  // After the name, which may hold anything, the fields count from the third; 14 and 15 are the times (proc(5)).
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / CPU_TICKS_PER_S;
}

/** Its resident memory, in bytes: now, and the most that it ever was. */
export async function residentBytesOf(pid: number): Promise<{ readonly now: number; readonly peak: number }> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  const of = (name: string) => Number(new RegExp(`^${name}:\\s*(\\d+) kB$`, "m").exec(status)?.[1]) * BYTES_PER_KB;
  return { now: of("VmRSS"), peak: of("VmHWM") };
}

/** The environment in which the service runs on a board: it bounds V8's heap. */
export async function unitEnvironment(): Promise<Record<string, string>> {
  const settings = (await readFile(UNIT, "utf8")).matchAll(/^Environment="?(\w+)=([^"\n]*)"?$/gm);
  return Object.fromEntries([...settings].map(([, name = "", value = ""]) => [name, value]));
}
