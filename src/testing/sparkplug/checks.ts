import type { Check } from "./check.ts";
import { COMMAND_CHECKS } from "./checks-commands.ts";
import { HOST_CHECKS } from "./checks-host.ts";
import { METRIC_CHECKS } from "./checks-metrics.ts";
import { ORDER_CHECKS } from "./checks-order.ts";
import { SESSION_CHECKS } from "./checks-session.ts";
import { TOPIC_CHECKS } from "./checks-topics.ts";

/** By name, as the tables of assertions name them. */
export const CHECKS: ReadonlyMap<string, Check> = new Map(
  [TOPIC_CHECKS, ORDER_CHECKS, SESSION_CHECKS, METRIC_CHECKS, HOST_CHECKS, COMMAND_CHECKS].flatMap((checks) =>
    Object.entries(checks),
  ),
);
