/** What each line can carry, as a table for people. */
import { durationText } from "../config/values.ts";
import { type GroupBudget, type LineBudget, type LossBudget, secondsText } from "../sources/modbus/budget.ts";
import { DEVICE_LATENCY_MS } from "../sources/modbus/wire-time.ts";
import { listing, wrapped } from "./listing.ts";

/** So many lost devices are told of one by one, and then all of them. */
const LOST_SHOWN_MAX = 2;

const HEAD = ["device", "asked", "tags", "requests", "wire", "of line", "gets"];
const LOST_HEAD = ["lost", "of line", "the others", "probed every", "until they count as lost"];

export function busBudgetText(budgets: readonly LineBudget[], columns: number): string {
  const assumed = `Wire time of each period, if a device begins to answer within ${DEVICE_LATENCY_MS} ms:`;
  return `bus budget\n${wrapped(assumed, columns, 2)}${budgets.map((budget) => lineText(budget, columns)).join("")}`;
}

function lineText(budget: LineBudget, columns: number): string {
  const title = `  ${budget.line} at ${budget.baudRate} baud: ${percentText(budget.utilisation)} of it is asked for\n`;
  const rows = [HEAD, ...budget.groups.map((group) => groupRow(group, budget))];
  const table = listing(rows, { columns, indent: 4, yielding: [0] });
  const { lost } = budget;
  const shown = lost.filter((_, i) => i < LOST_SHOWN_MAX || i === lost.length - 1);
  const losses = [LOST_HEAD, ...shown.map((loss) => lossRow(loss, lost.length))];
  return title + table + listing(losses, { columns, indent: 4, yielding: [4] });
}

function groupRow(
  { device, scanRateMs, tags, requests, wireMs, utilisation, realMs }: GroupBudget,
  { stretch }: LineBudget,
) {
  const own =
    requests === 0 ? ["with faster", "", ""] : [`${requests}`, `${tenths(wireMs)}ms`, percentText(utilisation)];
  const gets = stretch === 1 ? durationText(realMs) : `${secondsText(realMs)} !`;
  return [device, durationText(scanRateMs), `${tags}`, ...own, gets];
}

function lossRow({ devices, utilisation, stretch, probePeriodMs, dying }: LossBudget, count: number): string[] {
  const dyingText = `${percentText(dying.utilisation)} for ${secondsText(dying.lastsMs)}`;
  const others = stretch === 1 ? "as asked" : `periods × ${stretch.toFixed(2)}`;
  return [`${devices.length} of ${count}`, percentText(utilisation), others, secondsText(probePeriodMs), dyingText];
}

function percentText(percent: number): string {
  return `${percent < 10 ? tenths(percent) : Math.round(percent)} %`;
}

function tenths(value: number): number {
  return Math.round(value * 10) / 10;
}
