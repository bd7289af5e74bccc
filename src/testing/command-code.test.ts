import assert from "node:assert/strict";
import { Session } from "node:inspector";
import { test } from "node:test";
import { CommandSite } from "./command-site.ts";

/** Of every module of ours that this process has loaded. */
function loadedFiles(): readonly string[] {
  const session = new Session();
  const urls: string[] = [];
  session.connect();
  session.on("Debugger.scriptParsed", ({ params }) => urls.push(params.url));
  session.post("Debugger.enable");
  session.disconnect();
  return urls.filter((url) => url.includes("/src/"));
}

test("P10: without a section commands the code of commands is not even loaded", async () => {
  const isDesk = (url: string) => url.endsWith("/uplinks/commands/command-desk.ts");
  const site = new CommandSite({ keys: [] });
  await site.start();
  assert.ok(loadedFiles().some((url) => url.endsWith("/src/gateway.ts")));
  assert.deepEqual(loadedFiles().filter(isDesk), []);
  assert.deepEqual([await site.send(site.envelope()), site.written], [[], []], "nobody hears");
  await site.end();
  const commanded = new CommandSite();
  await commanded.start();
  assert.equal(loadedFiles().filter(isDesk).length, 1);
  await commanded.end();
});
