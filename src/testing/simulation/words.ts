/** Plans in words, for the story. */
import type { Fault, Plan, Trouble } from "./plan.ts";
import { clockTime } from "./story.ts";

export function describeFault({ trouble, forMs }: Fault): string {
  const lasts = forMs > 0 ? ` for ${Math.round(forMs) / 1_000} s` : "";
  return `${describeTrouble(trouble)}${lasts}`;
}

function describeTrouble(trouble: Trouble): string {
  const { kind, ...more } = trouble;
  const details = Object.entries(more).map(
    ([key, value]) => `${key} ${typeof value === "object" ? text(value) : value}`,
  );
  return details.length === 0 ? kind : `${kind} (${details.join(", ")})`;
}

export function describePlan({ seed, site, brokers, faults, calmFromMs }: Plan): readonly string[] {
  return [
    `seed ${seed}: ${calmFromMs / 1_000} s with ${faults.length} faults`,
    ...site.lines.map((line) => `line    ${text({ ...line, devices: line.devices.length })}`),
    ...site.lines.flatMap((line) => line.devices.map((device) => `device  ${line.name} ${text(device)}`)),
    ...site.inputs.map((input) => `input   ${text(input)}`),
    ...site.uplinks.map((uplink) => `uplink  ${text(uplink)}`),
    ...brokers.map((broker, i) => `broker  ${i} ${text(broker)}`),
    `outbox  ${text(site.outbox)}`,
    ...(site.board === undefined ? [] : [`board   ${text(site.board)}`]),
    ...faults.map((fault) => `fault   ${fault.id} at ${clockTime(fault.atMs)} ${describeFault(fault)}`),
  ];
}

function text(part: object): string {
  return JSON.stringify(part, (_, value: unknown) => (value === Number.POSITIVE_INFINITY ? "unlimited" : value));
}
