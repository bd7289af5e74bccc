import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { boardMistakes, boardNames, loadBoard } from "../config/board.ts";

const BOARDS = fileURLToPath(new URL("../../board", import.meta.url));

test("each folder is a board, and nothing else is", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-boards-"));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(join(BOARDS, "virtual"), join(folder, "virtual"), { recursive: true });
  mkdirSync(join(folder, "begun"));
  writeFileSync(join(folder, "notes.txt"), "");
  assert.deepEqual(boardNames(folder), ["begun", "virtual"]);
  assert.match(boardMistakes(folder, "begun").join(), /there is no .*begun\/board\.yaml/);
  assert.deepEqual(boardMistakes(folder, "virtual"), []);
});

for (const name of boardNames()) {
  test(`board/${name} is in form, and says where its facts come from`, () => {
    assert.deepEqual(boardMistakes(BOARDS, name), []);
    assert.equal(loadBoard(name).name, name);
  });
}

test("a board is held to its form: sources, a console apart from the lines, nothing twice", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-boards-"));
  t.after(() => rmSync(folder, { recursive: true }));
  cpSync(BOARDS, folder, { recursive: true });
  const name = "raspberry-pi-4";
  const file = join(folder, name, "board.yaml");
  const good = readFileSync(file, "utf8");
  for (const [from, to, complaint] of [
    ["firmware: [raspberry-pi]", "firmware: [grub]", /^firmware\.0: /],
    ["  leds: https", "  led: https", /^no source for leds$/],
    ["console: /dev/tty1", "console: /dev/ttyAMA0", /^\/dev\/ttyAMA0 is there twice/],
    ["line: 6 }", "line: 5 }", /^pinctrl-bcm2711 5 is two pins$/],
    ["  GPIO6:", "  gpio5:", /^the label gpio5 is there twice$/],
    ["name: raspberry-pi-4", "name: raspberry", /^its name is raspberry/],
    ["[disable-bt]", '["disable-bt;reboot"]', /^lines\.UART0\.overlays\.0: /],
    ["temperature: /sys", "temperature: /etc", /^temperature: /],
    ["  radio: https", "  radios: https", /^no source for radio$/],
    ["firmware: brcm", "firmware: ../brcm", /^radio\.firmware: /],
    ["kernel: debian", "kernel: debian\nkernel: vendor", /board\.yaml:\d+:\d+.*kernel/],
    ["kernel: debian", "kernel: debian\n\tlines: 1", /board\.yaml:\d+:\d+.*[Tt]abs/],
    ["path: /dev/ttyAMA0", "path: /dev/../ttyAMA0", /^lines\.UART0\.path: /],
    ["chip: pinctrl-bcm2711, line: 5 ", "chip: gpiochip0, line: 5 ", /^pins\.GPIO5\.chip: /],
    ["temperature: /sys", "temperature: /sys/..", /^temperature: /],
    ["sources:", "sources:\n  sinks: https://example.com", /^a source for sinks, of which nothing is said$/],
  ] as const) {
    assert.ok(good.includes(from), from);
    writeFileSync(file, good.replace(from, to));
    const mistakes = boardMistakes(folder, name);
    assert.ok(
      mistakes.some((mistake) => complaint.test(mistake)),
      `${complaint}: ${mistakes}`,
    );
  }
});
