import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { commandKeyIn } from "../core/command-key.ts";
import { type CommandRun, runCommand } from "../testing/command-run.ts";
import type { Arrival } from "../uplinks/commands/arrival.ts";
import { parseJsonCommand } from "../uplinks/commands/json-command.ts";
import { Keyring } from "../uplinks/commands/keyring.ts";
import { parseCommandText } from "../uplinks/commands/signed-command.ts";
import { parseDeviceCommand } from "../uplinks/commands/sparkplug-command.ts";
import { runCommandLine } from "./cli.ts";

let dir = "";
const file = (name: string) => join(dir, name);
const run = (...args: string[]): Promise<CommandRun> => runCommand(runCommandLine, args);
const sign = (...args: string[]) => run("command", "--key", file("ops.key"), "--gateway", "plant-7/pump", ...args);

before(async () => {
  dir = mkdtempSync(join(tmpdir(), "sallyport-command-"));
  assert.equal((await run("keygen", file("ops"))).code, 0);
});

after(() => rmSync(dir, { recursive: true, force: true }));

/** What a gateway with the public key makes of it. */
function opened(arrival: Arrival) {
  const key = commandKeyIn(readFileSync(file("ops.pub"), "utf8"));
  assert.ok(typeof key !== "string" && arrival.kind === "signed");
  assert.ok(new Keyring([{ file: "ops.pub", ...key }]).signerOf(arrival.command) !== undefined);
  const content = parseCommandText(arrival.command.text);
  assert.ok(typeof content !== "string");
  assert.equal(arrival.contradiction?.(content), undefined);
  return content;
}

describe("keygen", () => {
  test("P10: the private key is its owner's alone, and nothing is overwritten", async () => {
    assert.equal(statSync(file("ops.key")).mode & 0o777, 0o600);
    const before = readFileSync(file("ops.key"), "utf8");
    const again = await run("keygen", file("ops"));
    assert.deepEqual([again.code, readFileSync(file("ops.key"), "utf8")], [74, before]);
    writeFileSync(file("half.pub"), "");
    assert.equal((await run("keygen", file("half"))).code, 74);
    const made = JSON.parse((await run("keygen", file("other"), "--json")).out);
    assert.deepEqual([/^[0-9a-f]{16}$/.test(made.id), made.keyFile], [true, file("other.key")]);
    assert.ok(!made.id.includes("PRIVATE") && !(await run("keygen", file("third"))).out.includes("PRIVATE"));
  });

  test("without a name it says how", async () => {
    assert.equal((await run("keygen")).code, 64);
  });
});

describe("command", () => {
  test("P10: prints what a gateway with the public key takes", async () => {
    const { code, out, err } = await sign(
      "a/b=1",
      "a/run=true",
      'a/name="x=y:z"',
      "a/total=18446744073709551615",
      "--expires",
      "30s",
    );
    assert.equal(code, 0, err);
    const content = opened(parseJsonCommand(Buffer.from(out), () => undefined));
    assert.deepEqual(content.values, [
      { id: "a/b", v: 1 },
      { id: "a/run", v: true },
      { id: "a/name", v: "x=y:z" },
      { id: "a/total", v: "18446744073709551615" },
    ]);
    assert.deepEqual([content.gateway, content.expiresMs - content.issuedMs], ["plant-7/pump", 30_000]);
    const next = opened(parseJsonCommand(Buffer.from((await sign("a/b=1")).out), () => undefined));
    assert.notEqual(next.nonce, content.nonce);
  });

  test("P10: a DCMD is the same in the words of Sparkplug, as bytes in a file", async () => {
    const { code, out, err } = await sign(
      "a/b:int16=-3",
      "a/c:float32=1.1",
      "--format",
      "sparkplug",
      "--output",
      file("dcmd"),
      "--json",
    );
    assert.equal(code, 0, err);
    assert.equal(JSON.parse(out).topic, "spBv1.0/plant-7/DCMD/pump/a");
    const typeOf = (id: string) => (id === "a/b" ? "int16" : "float32");
    assert.equal(opened(parseDeviceCommand("a", readFileSync(file("dcmd")), typeOf)).values[1]?.v, 1.1);
  });

  test("tells what is wrong with the line, and signs nothing then", async () => {
    for (const [args, wrong] of [
      [["a/b"], /is not TAG=VALUE/],
      [["a/b=on"], /on is no value/],
      [["a/b=1", "a/b=2"], /stands in it twice/],
      [["a/b:int8=1"], /int8 is not one of bool/],
      [["a/b=1", "--format", "sparkplug"], /say the type of the metric/],
      [["a/b:int16=70000", "--format", "sparkplug"], /70000 is no int16/],
      [["a/b:int16=1", "c/d:int16=1", "--format", "sparkplug"], /of one device/],
      [["a/b=1", "--expires", "6m"], /5m at most/],
      [["a/b=1", "--expires", "0s"], /5m at most|not a duration/],
      [[], /say what to write/],
    ] as const) {
      const { code, out, err } = await sign(...args);
      assert.deepEqual([code, out], [64, ""], err);
      assert.match(err, wrong);
    }
    assert.equal((await run("command", "--gateway", "a/b", "a/b=1")).code, 64);
    assert.equal((await run("command", "--key", file("ops.key"), "--gateway", "a", "a/b=1")).code, 64);
    assert.equal((await run("command", "--key", file("ops.pub"), "--gateway", "a/b", "a/b=1")).code, 74);
    assert.equal((await run("command", "--key", file("gone"), "--gateway", "a/b", "a/b=1")).code, 74);
  });
});
