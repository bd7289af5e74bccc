import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { withScreens } from "./readme-screens.ts";
import { screens } from "./screens.ts";

const README = new URL("../../../README.md", import.meta.url);

test("the README shows what the commands show; `npm run screens` brings it up to date", async () => {
  const readme = readFileSync(README, "utf8");
  const now = await screens();
  assert.equal(withScreens(readme, now), readme);
  for (const [name, screen] of now) {
    for (const line of screen.split("\n")) assert.ok(line.length <= 80, `${name}: ${line}`);
  }
});

test("a screen that is out of date is replaced, one that nobody makes or shows is told", () => {
  const text = "Text.\n```cat-screen\nold\n```\nMore.\n";
  assert.equal(
    withScreens(text, new Map([["cat", "new $& 1\n"]])),
    text.replace("old", () => "new $& 1"),
  );
  assert.throws(() => withScreens(text, new Map()), /nothing makes the screen cat/);
  const screens = new Map([
    ["cat", "old"],
    ["dog", ""],
  ]);
  assert.throws(() => withScreens(text, screens), /does not show dog/);
});
