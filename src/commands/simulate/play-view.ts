/** What `simulate` shows of the lines that it plays: a table at a terminal, a line an event for machines. */
import { serialText } from "../../config/values.ts";
import { hostClock } from "../../core/clock.ts";
import type { CommandIo } from "../io.ts";
import type { Stage } from "./stage.ts";

const CLEAR_LINE = "\x1b[K";

export interface PlayView {
  begin(): void;
  /** At most once a second, and once at the end. */
  update(isLast: boolean): void;
}

/** On a terminal the table stays in its place; elsewhere it is written once, at the end. */
export function textView(stages: readonly Stage[], io: CommandIo): PlayView {
  let shownLines = 0;
  const title = (name: string) => (stages.length > 1 ? `${name}\n` : "");
  const tables = () =>
    stages.map(({ line, book }) => title(line.name) + book.table(io.columns, hostClock.monotonicMs())).join("");
  return {
    begin() {
      for (const { line, wire, place } of stages) {
        const units = line.devices.map((device) => `${device.name} (unit ${device.unitId})`).join(", ");
        io.out(`playing line ${line.name}, ${serialText(line.serial)}: ${units}\n`);
        io.out(wire.isTerminal ? `open this as the serial port: ${place}\n` : `on ${place}\n`);
      }
      if (io.isTerminal) this.update(false);
    },
    update(isLast) {
      if (!io.isTerminal && !isLast) return;
      const lines = tables()
        .split("\n")
        .slice(0, Math.max(1, io.rows - 1));
      if (!io.isTerminal) {
        io.out(lines.join("\n"));
        return;
      }
      const up = shownLines > 0 ? `\x1b[${shownLines}A\r` : "";
      io.out(up + lines.map((text) => `${text}${CLEAR_LINE}`).join("\n"));
      shownLines = lines.length - 1;
    },
  };
}

export function jsonView(stages: readonly Stage[], io: CommandIo): PlayView {
  const tell = (content: object) => io.out(`${JSON.stringify(content)}\n`);
  const told = new Map<Stage, number>();
  return {
    begin() {
      for (const { line, wire } of stages) {
        const units = line.devices.map(({ unitId, name: device, tags }) => ({ unitId, device, tags: tags.length }));
        tell({ event: "playing", line: line.name, serial: serialText(line.serial), path: wire.path, units });
      }
    },
    update(isLast) {
      for (const stage of stages) {
        const { line, book } = stage;
        if (!isLast && book.revision() === (told.get(stage) ?? 0)) continue;
        told.set(stage, book.revision());
        const nowMs = hostClock.monotonicMs();
        const units = book.units().map(({ lastAtMs, ...unit }) => ({
          ...unit,
          lastAskedAgoMs: unit.lastAsked === null ? null : Math.round(nowMs - lastAtMs),
        }));
        const doubt = book.doubt();
        tell({ event: isLast ? "ended" : "asked", line: line.name, units, ...(doubt !== "" && { doubt }) });
      }
    },
  };
}
