import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { threadStorage } from "./storage-client.ts";

const CLIENT = new URL("./storage-client.ts", import.meta.url).href;
const DYING_THREAD = "data:text/javascript,setTimeout(() => process.exit(0), 50)";

test("P4: a storage thread that ends by itself ends the process, so that it is started again and stores", async () => {
  const script = `
    import { threadStorage } from ${JSON.stringify(CLIENT)};
    threadStorage(new URL(${JSON.stringify(DYING_THREAD)}));
    setTimeout(() => {}, 20_000);
  `;
  const args = ["--import", "tsx", "--input-type=module", "--eval", script];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const [code] = await once(child, "exit");
  assert.notEqual(code, 0);
  assert.match(said, /bug in sallyport: the storage thread has ended/);
});

test("a storage that is ended on purpose ends nothing else", async () => {
  await threadStorage().end();
});
