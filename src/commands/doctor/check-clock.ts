/** Whether the time is known, and by whom: a wrong clock makes every certificate look wrong. */
import type { TimeSigns } from "../../clock/time-signs.ts";
import { ailing, type Finding, ok } from "./finding.ts";

/** A real-time clock that the host has left behind is not where its time comes from. */
const RTC_AGREES_WITHIN_MS = 60_000;

export interface ClockEvidence {
  readonly hostMs: number;
  readonly signs: Pick<TimeSigns, "isSynchronised" | "rtcMs" | "notBeforeMs">;
  /** `clock.source` of gateway.yaml. */
  readonly source: "auto" | "host";
  /** Some time service is at work, synchronised or not. */
  readonly hasTimeService: boolean;
}

export function checkClock({ hostMs, signs, source, hasTimeService }: ClockEvidence): Finding {
  const says = new Date(hostMs).toISOString().slice(0, 16).replace("T", " ");
  const notBeforeMs = signs.notBeforeMs();
  if (hostMs < notBeforeMs) {
    const ailment = {
      name: "clock-wrong",
      verdict: "FAULT",
      found: `the clock says ${says} UTC, which cannot be`,
      means:
        "no certificate is valid at that time, so no broker can be reached; a time server that is only reachable over TLS cannot help either",
      todo: "let NTP (UDP port 123) out to a time server, or set it once: date -s '2026-01-31 12:00'; a clock battery keeps it",
    } as const;
    return ailing(
      "clock",
      "",
      ailment,
      `this program or card is of ${new Date(notBeforeMs).toISOString().slice(0, 10)}`,
    );
  }
  if (signs.isSynchronised()) return ok("clock", "", `${says} UTC; the time service vouches for it`);
  if (source === "host") return ok("clock", "", `${says} UTC; gateway.yaml trusts this machine's time`);
  const rtcMs = signs.rtcMs();
  if (rtcMs !== undefined && rtcMs > notBeforeMs && Math.abs(rtcMs - hostMs) <= RTC_AGREES_WITHIN_MS) {
    return ok("clock", "", `${says} UTC; the real-time clock agrees`);
  }
  const ailment = {
    name: "clock-unsynced",
    verdict: "WARNING",
    found: `the clock says ${says} UTC, and nobody vouches for it`,
    means: "values are marked as unsynced, and are uncertain after clock.waitAtMost",
    todo: hasTimeService
      ? "check that its server is reachable (UDP port 123): timedatectl timesync-status, or chronyc sources"
      : "switch a time service on: systemctl enable --now systemd-timesyncd; on a server: clock: { source: host }",
  } as const;
  return ailing(
    "clock",
    "",
    ailment,
    hasTimeService ? "a time service runs, but is not synchronised" : "no time service",
  );
}
