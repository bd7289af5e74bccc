import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { umask } from "node:process";
import { test } from "node:test";
import { type Clock, hostClock } from "../core/clock.ts";
import { ANSWER_END, REQUEST_FOLDER } from "../diagnostics/request-desk.ts";
import { askGateway } from "./ask-gateway.ts";

test("the gateway's user can read what root asks, whatever root's umask", async (t) => {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-ask-"));
  t.after(() => rmSync(dir, { recursive: true }));
  const before = umask(0o077);
  t.after(() => umask(before));
  const folder = join(dir, REQUEST_FOLDER);
  let mode = 0;
  // The first wait comes when the request is there.
  const clock: Clock = {
    ...hostClock,
    after(ms, call) {
      mode = statSync(join(folder, "one.json")).mode & 0o777;
      writeFileSync(join(folder, `one${ANSWER_END}`), JSON.stringify({ done: true, text: "done" }));
      return hostClock.after(ms, call);
    },
  };
  const answer = await askGateway(dir, { ask: "forget", uplink: "old" }, "one", clock);
  assert.equal(answer?.done, true);
  assert.equal(mode, 0o644);
});
