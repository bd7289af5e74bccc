/** The card: room, wear, errors, and what the outbox says of it. */
import { basename, dirname } from "node:path";
import type { OutboxReport } from "../../pipeline.ts";
import { ailing, type Finding, ok } from "./finding.ts";
import type { Machine } from "./machine.ts";

/** The outbox stops growing here: see outbox.reserve. */
const RESERVE_BYTES = 64e6;
const LOW_BYTES = 256e6;
/** eMMC tells tenths of its life: 0x09 is 80 to 90 % used. */
const LIFE_USED_TENTHS_MAX = 9;

/** @param outboxFile absolute @param health of the running service */
export function checkStorage(machine: Machine, outboxFile: string, health: OutboxReport | undefined): Finding[] {
  const folder = existingFolder(machine, dirname(outboxFile));
  const findings = [
    ...checkHealth(health),
    ...checkMount(machine, folder),
    ...checkRoom(machine, folder),
    ...checkErrors(machine),
    ...checkWear(machine),
    ...checkDamaged(machine, outboxFile),
  ];
  if (findings.length > 0) return findings;
  const space = machine.space(folder);
  const room =
    space === undefined ? "room unknown" : `${megabytes(space.freeBytes)} of ${megabytes(space.totalBytes)} free`;
  return [ok("storage", "", `${folder}: ${room}${health === undefined ? "" : "; the outbox is well"}`)];
}

function checkHealth(health: OutboxReport | undefined): Finding[] {
  if (health === undefined || health.health === "ok") return [];
  const ailment = {
    name: `outbox-${health.health}`,
    verdict: health.health === "slow" ? "WARNING" : "FAULT",
    found: `the outbox is ${health.health}: ${health.healthReason}`,
    means: "samples wait in memory only; a power cut now loses what no broker has",
    todo: health.health === "slow" ? "use a better card" : "make room, or replace the card",
  } as const;
  return [ailing("storage", "outbox", ailment)];
}

function checkMount(machine: Machine, folder: string): Finding[] {
  const mounts = machine
    .text("/proc/mounts")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, point = ""]) => folder === point || folder.startsWith(point.endsWith("/") ? point : `${point}/`));
  const mount = mounts.toSorted((a, b) => (b[1] ?? "").length - (a[1] ?? "").length)[0];
  if (mount === undefined || !(mount[3] ?? "").split(",").includes("ro")) return [];
  const ailment = {
    name: "card-read-only",
    verdict: "FAULT",
    found: `${folder} cannot be written`,
    means: "the kernel took the card back from writing, mostly after errors; nothing is stored",
    todo: "look into dmesg for errors of the card, and replace it",
  } as const;
  return [ailing("storage", "", ailment, mount.slice(0, 4).join(" "))];
}

function checkRoom(machine: Machine, folder: string): Finding[] {
  const space = machine.space(folder);
  if (space === undefined || space.freeBytes > LOW_BYTES) return [];
  const full = space.freeBytes <= RESERVE_BYTES;
  const ailment = {
    name: full ? "card-full" : "card-low",
    verdict: full ? "FAULT" : "WARNING",
    found: `${megabytes(space.freeBytes)} are left on the card`,
    means: full
      ? "the outbox does not grow any more: in an outage the oldest goes"
      : "an outage will soon find no room",
    todo: "see what takes it: du -xh / | sort -h | tail; or a larger card",
  } as const;
  return [ailing("storage", folder, ailment, `of ${megabytes(space.totalBytes)}`)];
}

function checkErrors(machine: Machine): Finding[] {
  return machine.names("/sys/fs/ext4").flatMap((partition) => {
    const count = Number(machine.text(`/sys/fs/ext4/${partition}/errors_count`) || 0);
    if (count === 0) return [];
    const ailment = {
      name: "card-errors",
      verdict: "WARNING",
      found: `the file system on ${partition} has counted ${count} errors`,
      means: "the card wears out, or power was cut while it wrote",
      todo: "save what you need, check it with fsck from another computer, replace the card",
    } as const;
    return [ailing("storage", partition, ailment)];
  });
}

function checkWear(machine: Machine): Finding[] {
  return machine.names("/sys/class/block").flatMap((disk) => {
    const life = machine.text(`/sys/class/block/${disk}/device/life_time`);
    const used = Math.max(...life.split(/\s+/).map((tenths) => Number.parseInt(tenths, 16)));
    if (!(used >= LIFE_USED_TENTHS_MAX)) return [];
    const ailment = {
      name: "card-worn",
      verdict: "WARNING",
      found: `${disk} has used up ${(used - 1) * 10} % of its life or more`,
      means: "it will soon take no more writes",
      todo: "replace it in time; outbox.outageCommitInterval: 10s spares it in outages",
    } as const;
    return [ailing("storage", disk, ailment, `life_time ${life}`)];
  });
}

function checkDamaged(machine: Machine, outboxFile: string): Finding[] {
  const name = `${basename(outboxFile)}.damaged-`;
  const files = machine.names(dirname(outboxFile)).filter((file) => file.startsWith(name));
  if (files.length === 0) return [];
  const ailment = {
    name: "outbox-damaged",
    verdict: "WARNING",
    found: `${files.length} damaged outbox files were set aside`,
    means: "what could be read was taken over, the rest was told to the brokers as lost",
    todo: "keep them if the data matter (sallyport export FILE), else remove them; look at the card",
  } as const;
  return [ailing("storage", dirname(outboxFile), ailment, files.join(", "))];
}

/** The state directory may not be there before the first start. */
function existingFolder(machine: Machine, folder: string): string {
  return machine.real(folder) !== undefined || folder === "/" ? folder : existingFolder(machine, dirname(folder));
}

function megabytes(bytes: number): string {
  return bytes >= 1e9 ? `${(bytes / 1e9).toFixed(1)} GB` : `${Math.round(bytes / 1e6)} MB`;
}
