import { checkBroker } from "../src/commands/doctor/check-broker.ts";
import type { Finding } from "../src/commands/doctor/finding.ts";
import { failed, passed, type Step, skipped } from "./step.ts";

export const brokerReached: Step = {
  name: "broker",
  title: "each broker of the site is reached over TLS and takes the login",
  wiring: "",
  async run({ config, clock }) {
    if (config === undefined) return skipped("no gateway.yaml: name it, or put it into /etc/sallyport");
    const findings: Finding[] = [];
    for (const uplink of config.uplinks) {
      findings.push(...(await checkBroker({ uplink, report: undefined, mayVisit: true, clock })));
    }
    const faults = findings.filter(({ verdict }) => verdict === "FAULT");
    if (faults.length > 0) return failed(faults.map(({ subject, found }) => `${subject}: ${found}`).join("; "));
    return passed(config.uplinks.map(({ name, servers }) => `${name} at ${servers.join(", ")}`).join("; "));
  },
};
