import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { parseSource } from "../../config/document.ts";
import { gatewayJsonSchema } from "../../config/json-schema.ts";
import { loadConfig } from "../../config/load.ts";
import { runCommand } from "../../testing/command-run.ts";
import { schemaBreaches } from "../../testing/json-schema-check.ts";
import { runInTerminal } from "../../testing/terminal-run.ts";
import { runCommandLine } from "../cli.ts";

function place(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "sallyport-init-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return join(dir, "gateway.yaml");
}

const init = (file: string, ...args: string[]) => runCommand(runCommandLine, ["init", file, ...args]);

describe("sallyport init", () => {
  test("writes from flags what check accepts, with comments", async (t) => {
    const file = place(t);
    const { code, out } = await init(
      file,
      ...["--group", "plant-7", "--name", "pump-house-3", "--server", "mqtts://broker.example.com:8883"],
      ...["--line", "/dev/ttyUSB0", "--serial", "9600 8N1"],
      ...["--device", "meter-1=1:eastron-sdm630", "--device", "pump-1=2", "--schema"],
    );
    assert.equal(code, 0, out);
    const { gateway, lines } = loadConfig(file);
    assert.deepEqual(gateway, { group: "plant-7", name: "pump-house-3" });
    const [line] = lines;
    assert.deepEqual(
      line?.devices.map(({ name, unitId, tags }) => [name, unitId, tags.length > 0]),
      [
        ["meter-1", 1, true],
        ["pump-1", 2, true],
      ],
    );
    assert.deepEqual(line?.serial, { baudRate: 9_600, dataBits: 8, parity: "none", stopBits: 1 });
    const { value } = parseSource(file, readFileSync(file, "utf8"));
    assert.deepEqual(schemaBreaches(value, gatewayJsonSchema()), []);
    assert.match(readFileSync(file, "utf8"), /^# yaml-language-server: \$schema=gateway\.schema\.json\n/);
    assert.match(readFileSync(join(file, "../gateway.schema.json"), "utf8"), /"\$schema"/);
  });

  test("without flags and terminal takes what is usual, and never overwrites", async (t) => {
    const file = place(t);
    assert.equal((await init(file)).code, 0);
    assert.equal(loadConfig(file).gateway.name, "gateway-1");
    writeFileSync(file, "mine\n");
    const again = await init(file);
    assert.equal(again.code, 64);
    assert.match(again.err, /is there already; .*--force/);
    assert.equal(readFileSync(file, "utf8"), "mine\n");
    assert.equal((await init(file, "--force")).code, 0);
  });

  test("files that are not there yet stand as comments, and are told", async (t) => {
    const file = place(t);
    const { out } = await init(file, "--ca", "ca.pem", "--user", "pump");
    assert.match(out, /put ca\.pem beside it[\s\S]*put cloud\.password beside it/);
    assert.deepEqual(loadConfig(file).uplinks[0]?.tls, {});
    assert.match(readFileSync(file, "utf8"), /# tls: \{ ca: "ca\.pem" \}[\s\S]*# login: \{ username: "pump"/);
  });

  test("refuses what the file could not be right with, and writes nothing", async (t) => {
    const file = place(t);
    for (const [args, message] of [
      [["--server", "mqtt://b:1883"], /uplinks\.cloud\.servers\[0\]: .*in the clear/],
      [["--group", "a b"], /gateway\.group/],
      [["--line", "/dev/x", "--device", "m=1:eastron-sdm360"], /did you mean eastron-sdm630\?/],
      [["--line", "/dev/x", "--device", "m=300"], /unitId: 300 is out of range/],
      [["--device", "m=1"], /--device needs --line/],
      [["--serial", "9600"], /serial setting|9600/],
    ] as const) {
      const { code, err } = await init(file, ...args);
      assert.equal(code, 64, err);
      assert.match(err, message);
      assert.throws(() => readFileSync(file));
    }
  });

  test("asks at a terminal, and asks again where an answer is wrong", async (t) => {
    const file = place(t);
    const run = runInTerminal(["init", file, "--line", "/dev/ttyUSB0", "--serial", "9600 8N1"], {});
    t.after(() => run.kill());
    await run.until(/Plant \[plant\]: /);
    run.press("plant 7\r");
    await run.until(/use letters, digits/);
    run.press("plant-8\x7f\x1b[A\x1b[3~7\r\r");
    await run.until(/Broker \[/);
    run.press("mqtts://b.example.com\r\r\r");
    await run.until(/A device, /);
    run.press("meter-1=5:abb-b23\r");
    await run.until(/abb-b23[\s\S]*A device, /);
    run.press("\r");
    assert.equal(await run.ended(), 0);
    const { gateway, uplinks, lines } = loadConfig(file);
    assert.deepEqual(gateway, { group: "plant-7", name: "gateway-1" });
    assert.deepEqual(uplinks[0]?.servers, ["mqtts://b.example.com"]);
    assert.equal(lines[0]?.devices[0]?.unitId, 5);
  });

  test("Ctrl-D ends the questions, and nothing is written", async (t) => {
    const file = place(t);
    const run = runInTerminal(["init", file], {});
    t.after(() => run.kill());
    await run.until(/Plant \[plant\]: /);
    run.press("\x04");
    assert.equal(await run.ended(), 64);
    assert.match(run.text(), /nothing was written/);
    assert.throws(() => readFileSync(file));
  });
});
