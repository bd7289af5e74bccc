import assert from "node:assert/strict";
import { chmod, copyFile, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CardRig, DATA_AT, type Outcome, ROOT_AT, tool } from "./card-rig.ts";

const NO_ROOT = "this user may not make loop devices, or mount; run it as root";

let rig: CardRig;
const at = (name: string) => rig.at(name);

before(async () => {
  rig = await CardRig.make();
});

after(() => rig.remove());

function refused({ code, said }: Outcome, exit: number, complaint: RegExp): void {
  assert.match(said, complaint);
  assert.equal(code, exit, said);
}

/** That nothing of a card that was never used was written. */
async function assertUntouched(device: string): Promise<void> {
  assert.equal(
    (await readFile(device)).every((byte) => byte === 0),
    true,
  );
}

describe("flash.sh refuses", () => {
  test("options that contradict each other, or lack a value", async () => {
    const device = await rig.card("options");
    const given = [...rig.given(device), "--yes"];
    refused(
      await rig.flash([...given, "--replace", device, "--sign-command", "cat"]),
      64,
      /key of the old card is kept/,
    );
    refused(await rig.flash([...given, "--fixed-disk"]), 64, /--fixed-disk needs a value/);
    assert.match((await rig.flash(["--help"])).said, /^usage: flash\.sh.*--fleet TABLE.*--template.*--only/s);
    await assertUntouched(device);
  });

  test("to begin where a program is missing, and says what to install", async () => {
    await mkdir(at("few"));
    await symlink("/usr/bin/tr", join(at("few"), "tr"));
    const wrap = ["/bin/bash", "-c", `PATH=${at("few")} exec /bin/bash "\${@:2}"`, "-"];
    const said = await rig.flash(rig.given(await rig.card("poor")), { wrap });
    refused(said, 69, /missing: dd .*mcopy.*sudo apt-get install .*mtools/s);
  });

  test("a sign command that fails, or that has no new key to sign", async () => {
    const device = await rig.card("unsigned");
    const given = [...rig.given(device), "--yes", "--sign-command"];
    refused(await rig.flash([...given, "exit 1"]), 65, /the sign command failed/);
    const key = join(at("site"), "tls", "gateway.key");
    await copyFile(at("maker.key"), key);
    refused(await rig.flash([...given, "cat"]), 65, /has a key already/);
    await rm(key);
    await assertUntouched(device);
  });

  test("a key or a certificate of the site that the new card's would not go with", async () => {
    const device = await rig.card("stale");
    const given = [...rig.given(device), "--yes"];
    const [key, certificate] = ["gateway.key", "gateway.pem"].map((name) => join(at("site"), "tls", name)) as [
      string,
      string,
    ];
    await writeFile(certificate, "of another key\n");
    for (const more of [[], ["--key-on-board"], ["--sign-command", "cat"]]) {
      refused(
        await rig.flash([...given, ...more]),
        65,
        /has a certificate without its key.*take tls\/gateway\.pem out/,
      );
    }
    await rm(certificate);
    await copyFile(at("maker.key"), key);
    refused(await rig.flash([...given, "--key-on-board"]), 65, /has a key already/);
    const subject = ["-new", "-x509", "-days", "1", "-subj", "/CN=pump", "-key", at("maker.key")];
    await tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", key);
    await tool("openssl", "req", ...subject, "-out", certificate);
    refused(await rig.flash(given), 65, /the certificate is not for this key/);
    await rm(certificate);
    await rm(key);
    await assertUntouched(device);
  });

  test("a site with names that a FAT cannot hold, or with what is no file", async (t) => {
    const device = await rig.card("names");
    const given = [...rig.given(device), "--yes"];
    const site = at("site");
    t.after(() => rm(join(site, "more"), { recursive: true }));
    await mkdir(join(site, "more"));
    for (const [name, complaint] of [
      ['a "b".txt', /cannot hold a file of the name .*a "b"\.txt/],
      ["a:b", /cannot hold a file of the name/],
      ["dot.", /cannot hold a file of the name/],
    ] as const) {
      await writeFile(join(site, "more", name), "");
      refused(await rig.flash(given), 65, complaint);
      await rm(join(site, "more", name));
    }
    await writeFile(join(site, "more", "Ca.pem"), "");
    await writeFile(join(site, "more", "ca.PEM"), "");
    refused(await rig.flash(given), 65, /more\/ca\.pem is there twice/);
    await rm(join(site, "more", "ca.PEM"));
    await symlink("/no/such/file", join(site, "more", "broken"));
    refused(await rig.flash(given), 65, /broken is no file that can be copied/);
    await rm(join(site, "more", "broken"));
    await symlink(".", join(site, "more", "round"));
    refused(await rig.flash(given), 65, /leads back to itself/);
    await assertUntouched(device);
  });

  test("an image that was made for another board", async () => {
    const device = await rig.card("other-board");
    await copyFile(at("image"), at("for-a-pi"));
    await writeFile(
      at("board.conf"),
      "[Service]\nExecStart=\nExecStart=/usr/bin/sallyport run --board raspberry-pi-4\n",
    );
    const folders = ["/etc/systemd", "/etc/systemd/system", "/etc/systemd/system/sallyport.service.d"];
    const place = `write ${at("board.conf")} ${folders.at(-1)}/board.conf`;
    await writeFile(at("put"), `${[...folders.map((folder) => `mkdir ${folder}`), place].join("\n")}\n`);
    await tool("debugfs", "-w", "-f", at("put"), `${at("for-a-pi")}?offset=${ROOT_AT}`);
    const args = ["--image", at("for-a-pi"), "--unsigned", "--site", at("site"), "--device", device, "--yes"];
    refused(await rig.flash(args), 65, /is for the board raspberry-pi-4, and .*site\.yaml says none/);
    await assertUntouched(device);
    const site = await readFile(join(at("site"), "site.yaml"), "utf8");
    await writeFile(join(at("site"), "site.yaml"), `${site}board: raspberry-pi-4\n`);
    assert.equal((await rig.flash(args)).code, 0);
    await writeFile(join(at("site"), "site.yaml"), site);
  });

  test("a card that this user may not write", async () => {
    const device = await rig.card("locked");
    await chmod(device, 0o444);
    // Root, too, where it has no more rights than others.
    const wrap = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"];
    const said = await rig.flash([...rig.given(device), "--yes"], process.getuid?.() === 0 ? { wrap } : {});
    refused(said, 77, /may not write .*use sudo/);
  });

  test("a disk that this machine swaps to, that is part of another, or that the kernel keeps for itself", async (t) => {
    const device = await tool("losetup", "--find", "--show", await rig.card("kept")).then(
      ({ stdout }) => stdout.trim(),
      () => undefined,
    );
    if (device === undefined) return t.skip(NO_ROOT);
    t.after(() => tool("losetup", "--detach", device));
    const name = basename(device);
    const given = [...rig.given(device), "--yes", "--fixed-disk", name];
    // In a mount namespace of its own: nothing of this machine changes.
    const over = (place: string, by: string) => [
      "unshare",
      "--mount",
      "bash",
      "-c",
      `mount --bind ${by} ${place} && "$@"`,
      "-",
    ];
    await writeFile(at("swaps"), `Filename\tType\n${device} partition\n`);
    refused(await rig.flash(given, { wrap: over("/proc/swaps", at("swaps")) }), 77, /is this machine's swap/);
    await mkdir(join(at("holders"), "dm-7"), { recursive: true });
    const holders = over(`/sys/class/block/${name}/holders`, at("holders"));
    refused(await rig.flash(given, { wrap: holders }), 77, /part of another disk \(RAID, LVM or encryption\)/);
    // As another program that opened it for itself alone: a file system over several disks, a mount that is not seen here.
    const keep = `use Fcntl; sysopen(my $disk, shift, O_RDWR | O_EXCL) or die; system(@ARGV) >> 8 and exit 77`;
    refused(await rig.flash(given, { wrap: ["perl", "-e", keep, device] }), 77, /this machine uses .*loop/);
    await assertUntouched(device);
  });

  test("of a fleet: tables that are none", async () => {
    const device = await rig.card("fleet-card");
    const given = ["--image", at("image"), "--unsigned", "--device", device, "--yes"];
    const fleet = (...args: string[]) => rig.flash(["--fleet", at("fleet.csv"), ...args, ...given]);
    await writeFile(at("fleet.csv"), "name,two words\na,b\n");
    refused(await fleet("--template", at("site")), 65, /"two words" is no name of a column/);
    refused(await fleet("--template", at("none")), 65, /there is no folder/);
    refused(await fleet("--template", at("site"), "--site", at("site")), 64, /takes the place of --site/);
    refused(await fleet("--template", at("site"), "--replace", device), 64, /--replace is for one card/);
    await writeFile(at("fleet.csv"), `name\n${Array.from({ length: 1001 }, (_, i) => `pump-${i}\n`).join("")}`);
    refused(await fleet("--template", at("site")), 65, /more than 1000 rows/);
    await rm(at("fleet.csv"));
    refused(await fleet("--template", at("site")), 65, /there is no table/);
    await assertUntouched(device);
  });
});

test("flash.sh tells what a GB took", async () => {
  const { code, said } = await rig.flash([...rig.given(await rig.card("timed")), "--yes"]);
  assert.equal(code, 0, said);
  assert.match(said, /writing took \d+\.\d s per GB, reading back \d+\.\d s per GB/);
});

test("P8: --replace takes a card that is a disk as well as an image, and never one that somebody uses", async (t) => {
  const old = await rig.usedCard("old");
  await writeFile(at("outbox"), "what no broker has\n");
  await rig.putData(old, "mkdir /sallyport");
  await rig.putData(old, `write ${at("outbox")} /sallyport/outbox.db`);
  const loop = await tool("losetup", "--find", "--show", "--read-only", old).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (loop === undefined) return t.skip(NO_ROOT);
  t.after(() => tool("losetup", "--detach", loop));
  const swaps = ["unshare", "--mount", "bash", "-c", `mount --bind ${at("swaps-old")} /proc/swaps && "$@"`, "-"];
  await writeFile(at("swaps-old"), `Filename\tType\n${loop} partition\n`);
  const device = await rig.card("heir");
  const args = [...rig.given(device), "--yes", "--replace", loop];
  refused(await rig.flash(args, { wrap: swaps }), 77, /is this machine's swap/);
  const { code, said } = await rig.flash(args);
  assert.equal(code, 0, said);
  assert.equal(await rig.dump(device, DATA_AT, "/sallyport/outbox.db"), "what no broker has\n");
});
