import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { hostClock } from "../../core/clock.ts";
import { STATUS_FILE } from "../../diagnostics/status-file.ts";
import { runCommand } from "../../testing/command-run.ts";
import { runInTerminal } from "../../testing/terminal-run.ts";
import { runCommandLine } from "../cli.ts";

/** A picture counts as fresh for some seconds; a busy machine takes longer to start a command. */
const RENEWED_EVERY_MS = 4_000;

/** A runtime directory with a picture that stays fresh. */
function runtimeDir(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-watch-"));
  let timer = hostClock.after(0, () => undefined);
  const renew = () => {
    writePicture(dir);
    timer = hostClock.after(RENEWED_EVERY_MS, renew);
  };
  renew();
  t.after(() => {
    timer.cancel();
    rmSync(dir, { recursive: true, force: true });
  });
  return dir;
}

function writePicture(dir: string): void {
  const timestamp = hostClock.wallMs() + RENEWED_EVERY_MS;
  const tag = { name: "speed", value: 1_490, units: "rpm", status: "Good", words: "ok", timestamp };
  const content = { version: 1, timestamp, epoch: 1, lines: [], uplinks: [], outbox: { health: "ok" } };
  const devices = [{ name: "pump", tags: [tag, { ...tag, name: "door" }] }];
  const draft = join(dir, "draft");
  writeFileSync(draft, JSON.stringify({ ...content, devices }));
  renameSync(draft, join(dir, STATUS_FILE));
}

const SCREEN_CHARACTERS = 80 * 24;

describe("sallyport watch", () => {
  test("at a terminal it shows, filters at a key, and gives the terminal back", async (t) => {
    const run = runInTerminal(["watch"], { RUNTIME_DIRECTORY: runtimeDir(t) });
    t.after(() => run.kill());
    await run.until(/tags 1-2 of 2[\s\S]*pump\/door/);
    run.press("fspee\r");
    await run.until(/filter "spee"[\s\S]*tags 1-1 of 1/);
    run.press("q");
    assert.equal(await run.ended(), 0);
    assert.ok(run.text().endsWith("\x1b[?25h\x1b[?1049l"));
  });

  test("on a console that tells no size it takes 80 × 24, and sends only what changed", async (t) => {
    const run = runInTerminal(["watch"], { RUNTIME_DIRECTORY: runtimeDir(t) }, { columns: 0, rows: 0 });
    t.after(() => run.kill());
    await run.until(/\[q\] quit/);
    const before = run.text().length;
    run.press("p");
    await run.until(/PAUSED/);
    assert.ok(run.text().length - before < SCREEN_CHARACTERS / 2);
    run.press("q");
    assert.equal(await run.ended(), 0);
  });

  test("without a gateway it says where it looked for one", async () => {
    const { code, err } = await runCommand(runCommandLine, ["watch"]);
    assert.equal(code, 69);
    assert.match(err, /no gateway is seen running on this machine; .*RUNTIME_DIRECTORY/);
  });
});
