import assert from "node:assert/strict";
import { test } from "node:test";
import type { RegisterTag } from "../../config/config.ts";
import { deviceConfig, lineConfig, registerTag } from "../../testing/modbus-config.ts";
import { checkCommands } from "./check-commands.ts";

function found(more: Partial<RegisterTag>): readonly string[] {
  const tags = ["a", "b"].map((name) => registerTag("pump", name, { table: "coil", address: 1 }, more));
  const lines = [lineConfig("/dev/line", [deviceConfig("pump", 1, tags)])];
  const { verdict, found: text } = checkCommands({ lines, commands: { authorizedKeys: [] } });
  return [verdict, text];
}

test("P10: doctor warns of tags that anybody at the broker can write", () => {
  assert.deepEqual(found({ writable: true }), ["OK", "2 tags can be written from afar, by 0 keys"]);
  assert.deepEqual(found({ writable: true, unsigned: true }), [
    "WARNING",
    "whoever may publish to the broker can write pump/a and pump/b",
  ]);
});
