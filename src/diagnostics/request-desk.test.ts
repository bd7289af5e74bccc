import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Clock, hostClock } from "../core/clock.ts";
import { createLog } from "../core/log.ts";
import { type GatewayRequest, REQUEST_FOLDER, RequestDesk } from "./request-desk.ts";

/** One look at the folder, then the end. */
async function look(
  t: TestContext,
  files: Readonly<Record<string, string>>,
  prepare: (dir: string) => void = () => undefined,
): Promise<{ dir: string; asked: GatewayRequest[] }> {
  const root = mkdtempSync(join(tmpdir(), "sallyport-desk-"));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  const dir = join(root, REQUEST_FOLDER);
  mkdirSync(dir);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  for (const name of Object.keys(files).filter((file) => file.startsWith("old"))) utimesSync(join(dir, name), 0, 0);
  prepare(dir);
  const asked: GatewayRequest[] = [];
  const clock: Clock = { wallMs: hostClock.wallMs, monotonicMs: () => 0, after: () => ({ cancel: () => undefined }) };
  const handle = async (request: GatewayRequest) => {
    asked.push(request);
    return { done: true, text: "so be it" };
  };
  const log = createLog({ write: () => undefined, level: "info", format: "text" });
  const desk = new RequestDesk({ dir: root, handle, clock, log });
  desk.start();
  await desk.stop();
  return { dir, asked };
}

test("a request is taken away and answered", async (t) => {
  const { dir, asked } = await look(t, { "a-1.json": '{"ask":"forget","uplink":"old"}' });
  assert.deepEqual(asked, [{ ask: "forget", uplink: "old" }]);
  assert.deepEqual(readdirSync(dir), ["a-1.answer.json"]);
  assert.deepEqual(JSON.parse(readFileSync(join(dir, "a-1.answer.json"), "utf8")), { done: true, text: "so be it" });
});

test("what is no request is answered as such, or left alone, and never carried out", async (t) => {
  const { dir, asked } = await look(t, {
    "a.json": "{",
    "b.json": '{"ask":"reboot","uplink":"old"}',
    "c.json": JSON.stringify({ ask: "forget", uplink: "x".repeat(5_000) }),
    "d.json.tmp": '{"ask":"forget","uplink":"old"}',
    "../e.json": '{"ask":"forget","uplink":"old"}',
  });
  assert.deepEqual(asked, []);
  assert.deepEqual(readdirSync(dir).sort(), ["a.answer.json", "b.answer.json", "c.answer.json", "d.json.tmp"]);
  assert.match(readFileSync(join(dir, "a.answer.json"), "utf8"), /does not know this request/);
});

test("P7: an answer that nobody fetches is removed, and one turn serves a limited number", async (t) => {
  const many = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`r${i}.json`, '{"ask":"forget","uplink":"u"}']),
  );
  const { dir, asked } = await look(t, { "old.answer.json": "{}", "young.answer.json": "{}", ...many });
  assert.ok(asked.length > 0 && asked.length <= 16);
  assert.ok(!readdirSync(dir).includes("old.answer.json"));
  assert.ok(readdirSync(dir).includes("young.answer.json"));
});

test("P7: neither a pipe, a folder nor a heap of other files keeps a request from being served, or the stop", async (t) => {
  const junk = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}.txt`, "junk"]));
  const { asked } = await look(t, { ...junk, "z.json": '{"ask":"forget","uplink":"old"}' }, (dir) => {
    mkdirSync(join(dir, "a.json"));
    execFileSync("mkfifo", [join(dir, "b.json"), join(dir, "c.answer.json")]);
    symlinkSync("/dev/zero", join(dir, "d.json"));
  });
  assert.deepEqual(asked, [{ ask: "forget", uplink: "old" }]);
});

test("P8: the gateway makes the folder for requests itself: root, who asks, would keep it from it", async (t) => {
  const { dir } = await look(t, {}, (folder) => rmSync(folder, { recursive: true }));
  assert.deepEqual(readdirSync(dir), []);
});
