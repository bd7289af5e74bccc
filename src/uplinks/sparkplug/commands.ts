/** What a host asks of this node by NCMD and DCMD. */
import { REBIRTH } from "./metrics.ts";
import { decodePayload, type Metric } from "./payload.ts";
import { MalformedPayload } from "./protobuf.ts";

export interface HostCommand {
  readonly rebirth: boolean;
  /** Why the rest of it is not carried out, in words; empty where there is no rest. */
  readonly refusal: string;
}

/** What is refused by name; more of them are only counted. */
const NAMED_MAX = 5;
const NAME_MAX_CHARS = 100;

/** @param device absent for a command to the node */
export function readCommand(payload: Uint8Array, device?: string): HostCommand {
  const to = device === undefined ? "NCMD" : `DCMD to ${device.slice(0, NAME_MAX_CHARS)}`;
  let metrics: readonly Metric[];
  try {
    metrics = decodePayload(payload).metrics;
  } catch (error) {
    if (!(error instanceof MalformedPayload)) throw error;
    return { rebirth: false, refusal: `${to} is no Sparkplug payload: ${error.message}` };
  }
  const isRebirth = ({ name }: Metric) => device === undefined && name === REBIRTH.name;
  const others = metrics.filter((metric) => !isRebirth(metric));
  const rebirths = metrics.filter(isRebirth).map(({ value }) => value);
  const refusals = [
    ...(others.length === 0 ? [] : [`${to} ${namesOf(others)}: this gateway takes no commands`]),
    ...(rebirths.every((value) => value?.field === "boolean") ? [] : [`${to} ${REBIRTH.name}: it is a Boolean`]),
  ];
  const rebirth = rebirths.some((value) => value?.field === "boolean" && value.value);
  return { rebirth, refusal: refusals.join("; ") };
}

function namesOf(metrics: readonly Metric[]): string {
  const names = metrics.slice(0, NAMED_MAX).map(({ name, alias }) => {
    return name === undefined ? `alias ${alias ?? "?"}` : name.slice(0, NAME_MAX_CHARS);
  });
  const more = metrics.length - names.length;
  return more === 0 ? names.join(", ") : `${names.join(", ")} and ${more} more`;
}
