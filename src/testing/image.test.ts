import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const ROOT = dirname(fileURLToPath(new URL("..", import.meta.url)));
const SCRIPT = `${ROOT}/scripts/image.sh`;
const IMAGE = `${ROOT}/scripts/image`;

function image(...args: string[]): { status: number | null; stderr: string } {
  const { status, stderr } = spawnSync("bash", [SCRIPT, ...args], { encoding: "utf8" });
  return { status, stderr };
}

function words(text: string): readonly string[] {
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("scripts/image.sh", () => {
  for (const [what, args, status, says] of [
    ["no board", [], 64, /--board is needed/],
    ["a board that is not there", ["--board", "raspberry-pi-9"], 64, /no board "raspberry-pi-9"; there are: .*virtual/],
    ["an option that is not there", ["--bord", "virtual"], 64, /no option --bord/],
    ["a board that Debian's kernel does not drive", ["--board", "raspberry-pi-5"], 65, /give an image of it by --base/],
    [
      "a base that is not there",
      ["--board", "raspberry-pi-5", "--base", "/nowhere.img"],
      65,
      /no image \/nowhere\.img/,
    ],
    ["a base for what is no Raspberry Pi", ["--board", "virtual", "--base", SCRIPT], 65, /is no Raspberry Pi/],
  ] as const) {
    test(`refuses ${what} before it fetches anything`, () => {
      const refusal = image(...args);
      assert.equal(refusal.status, status, refusal.stderr);
      assert.match(refusal.stderr, says);
    });
  }

  test("P1: no package of the image is a server, and none brings programs to a board", () => {
    const lists = readdirSync(IMAGE).filter((name) => name.startsWith("packages"));
    const packages = lists.flatMap((name) => words(readFileSync(`${IMAGE}/${name}`, "utf8")));
    assert.ok(packages.length > 10);
    const unwanted =
      /^(openssh-server|dropbear|avahi.*|dbus.*|apt|npm|nodejs|nginx.*|apache.*|rpcbind|cups.*|mosquitto)$/;
    assert.deepEqual(
      packages.filter((name) => unwanted.test(name)),
      [],
    );
  });

  test("P8: a FAT that is worn out, or write-protected, keeps no gateway from running with the site it has", () => {
    const unit = `${IMAGE}/root/etc/systemd/system/sallyport-first-boot.service.d/card.conf`;
    const mounts = readFileSync(unit, "utf8").match(/^Exec\w+=.*\/mount .*$/gm) ?? [];
    assert.equal(mounts.length, 3);
    for (const line of mounts) assert.match(line, /^Exec\w+=-/);
  });

  test("P1: until first boot has read the site the firewall lets nothing through", () => {
    const rules = readFileSync(`${IMAGE}/root/etc/nftables.conf`, "utf8");
    assert.equal(rules.match(/policy drop/g)?.length, 3);
    assert.doesNotMatch(rules, /accept/);
  });

  test("has each overlay that a board of Debian's kernel asks for", () => {
    const ours = readdirSync(`${IMAGE}/overlays`).map((name) => name.replace(/\.dts$/, ""));
    for (const board of readdirSync(`${ROOT}/board`)) {
      const text = readFileSync(`${ROOT}/board/${board}/board.yaml`, "utf8");
      if (!text.includes("kernel: debian")) continue;
      const overlays = /overlays: \[(.*)\]/.exec(text)?.[1]?.match(/"[^"]+"|[^",\s]+/g) ?? [];
      for (const overlay of overlays) assert.ok(ours.includes(overlay.replaceAll('"', "")), `${board}: ${overlay}`);
    }
  });
});
