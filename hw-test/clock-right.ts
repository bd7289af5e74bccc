import { createTimeSigns } from "../src/clock/time-signs.ts";
import { checkClock } from "../src/commands/doctor/check-clock.ts";
import { failed, passed, type Step } from "./step.ts";

export const clockRight: Step = {
  name: "clock",
  title: "the time is right, and somebody vouches for it",
  wiring: "",
  async run({ clock, config }) {
    const finding = checkClock({
      hostMs: clock.wallMs(),
      signs: createTimeSigns({ flashed: config?.file ?? "/etc/machine-id" }),
      source: config?.clock.source ?? "auto",
      hasTimeService: true,
    });
    return finding.verdict === "OK" ? passed(finding.found) : failed(`${finding.found}; ${finding.todo ?? ""}`);
  },
};
