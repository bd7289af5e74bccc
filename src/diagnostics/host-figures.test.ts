import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createHostFigures } from "./host-figures.ts";

test("the figures of this process are plausible", () => {
  const figures = createHostFigures();
  const rssBytes = figures.rssBytes();
  assert.ok(rssBytes !== undefined && rssBytes > 10e6 && rssBytes < 10e9);
  assert.ok(figures.loopDelayMs() >= 0);
});

test("the temperature is the zone's, in degrees; a board without one, or with a broken one, has none", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "sallyport-thermal-"));
  t.after(() => rm(folder, { recursive: true }));
  const zone = join(folder, "temp");
  const { temperatureC } = createHostFigures(zone);
  assert.equal(temperatureC(), undefined);
  await writeFile(zone, "48312\n");
  assert.equal(temperatureC(), 48.312);
  await writeFile(zone, "-5500\n");
  assert.equal(temperatureC(), -5.5);
  await writeFile(zone, "");
  assert.equal(temperatureC(), undefined);
});
