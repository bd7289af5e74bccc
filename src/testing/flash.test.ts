import assert from "node:assert/strict";
import { chmod, chown, copyFile, cp, mkdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { CardRig, DATA_AT, type FlashOptions, IMAGE_BYTES, MIB, ROOT_AT, tool, USER_ID } from "./card-rig.ts";

const NO_ROOT = "this user may not make loop devices; run it as root";

let rig: CardRig;
const at = (name: string) => rig.at(name);
const card = (name: string, bytes?: number) => rig.card(name, bytes);
const flash = (args: readonly string[], options?: FlashOptions) => rig.flash(args, options);
const given = (device: string) => rig.given(device);
const dump = (device: string, offset: number, path: string) => rig.dump(device, offset, path);
const onFat = (device: string, path: string) => rig.onFat(device, path);

before(async () => {
  rig = await CardRig.make();
});

after(() => rig.remove());

/** As a loop device; undefined where this user may not. */
async function attach(path: string): Promise<string | undefined> {
  return await tool("losetup", "--find", "--show", path).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
}

describe("flash.sh", () => {
  test("writes image, site, time and key, and shows a label", async () => {
    const device = await card("good");
    const sign = `openssl x509 -req -signkey '${at("maker.key")}' -days 1 2>/dev/null`;
    const { code, said } = await flash([...given(device), "--sign-command", sign], { answer: "good\n" });
    assert.equal(code, 65, said);
    assert.match(said, /the certificate is not for this key/);
    assert.equal(
      (await readFile(device)).every((byte) => byte === 0),
      true,
      "the card is untouched",
    );

    const done = await flash(given(device), { answer: "good\n" });
    assert.equal(done.code, 0, done.said);
    assert.match(
      done.said,
      /name +pump-house-3\n.*serial +[0-9a-f]{8}\n.*fingerprint +[0-9a-f]{64}\n.*console +geheimnis\n/,
    );
    assert.equal(await onFat(device, "/site/tls/ca.pem"), "a CA\n");
    assert.match(await onFat(device, "/site/flashed"), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\n$/);
    assert.match(await onFat(device, "/site/gateway.csr"), /BEGIN CERTIFICATE REQUEST/);
    assert.match(await dump(device, DATA_AT, "/sallyport/tls/gateway.key"), /BEGIN PRIVATE KEY/);
    const stat = await tool("debugfs", "-R", "stat /sallyport/tls/gateway.key", `${device}?offset=${DATA_AT}`);
    assert.match(stat.stdout, new RegExp(`Mode: +0600.*User: +${USER_ID} +Group: +${USER_ID}`, "s"));
    await tool("e2fsck", "-f", "-n", `${device}?offset=${DATA_AT}`);
  });

  test("takes the certificate that the sign command gives, or leaves the key to the board", async () => {
    const device = await card("signed");
    await tool(
      "openssl",
      "req",
      "-x509",
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-nodes",
      "-subj",
      "/CN=ca",
      "-keyout",
      at("ca.key"),
      "-out",
      at("ca.pem"),
    );
    const sign = `openssl x509 -req -CA '${at("ca.pem")}' -CAkey '${at("ca.key")}' -CAcreateserial -days 1 2>/dev/null`;
    const signed = await flash([...given(device), "--yes", "--sign-command", sign]);
    assert.equal(signed.code, 0, signed.said);
    assert.match(await dump(device, DATA_AT, "/sallyport/tls/gateway.pem"), /BEGIN CERTIFICATE-/);
    await assert.rejects(onFat(device, "/site/gateway.csr"));

    const onBoard = await flash([...given(device), "--yes", "--key-on-board"]);
    assert.equal(onBoard.code, 0, onBoard.said);
    assert.match(onBoard.said, /fingerprint +made on the board/);
    assert.equal(await onFat(device, "/site/key-on-board"), "pump-house-3\n");
    assert.equal(await dump(device, DATA_AT, "/sallyport/tls/gateway.key"), "");
  });

  test("a key that the site brings goes into the data partition, never onto the FAT", async (t) => {
    const device = await card("own-key");
    const key = join(at("site"), "tls", "gateway.key");
    t.after(() => rm(key));
    await copyFile(at("maker.key"), key);
    const { code, said } = await flash([...given(device), "--yes"]);
    assert.equal(code, 0, said);
    assert.equal(await dump(device, DATA_AT, "/sallyport/tls/gateway.key"), await readFile(key, "utf8"));
    await assert.rejects(onFat(device, "/site/tls/gateway.key"));
    assert.equal(await onFat(device, "/site/tls/ca.pem"), "a CA\n");
    await writeFile(key, "no key\n");
    assert.match((await flash([...given(device), "--yes"])).said, /gateway\.key is no private key/);
  });

  test("takes a site as an editor on Windows leaves it, links, and names with spaces and umlauts", async () => {
    const device = await card("windows");
    const site = at("windows-site");
    await cp(at("site"), site, { recursive: true });
    const lines = ["\uFEFFhostname: 'pump-9'", "version: 1", "console:", "  passwordFile: 'my console.txt' # mine", ""];
    await writeFile(join(site, "site.yaml"), lines.join("\r\n"));
    await writeFile(join(site, "my console.txt"), '\uFEFFa "b" $c\r\n');
    await writeFile(join(site, "tls", "Küche CA.pem"), "another CA\n");
    await symlink(join(at("site"), "tls", "ca.pem"), join(site, "tls", "linked.pem"));
    const args = ["--image", at("image"), "--unsigned", "--site", site, "--device", device, "--yes"];
    const { code, said } = await flash(args);
    assert.equal(code, 0, said);
    assert.match(said, /name +pump-9\n.*console +a "b" \$c\n/s);
    assert.equal(await onFat(device, "/site/tls/Küche CA.pem"), "another CA\n");
    assert.equal(await onFat(device, "/site/tls/linked.pem"), "a CA\n");
  });

  test("P8: a card with an outbox is refused, unless it may be lost", async () => {
    const device = await rig.usedCard("used");
    const folders = ["/var", "/var/lib", "/var/lib/sallyport"].map((folder) => `mkdir ${folder}`).join("\n");
    await writeFile(at("install"), `${folders}\nwrite ${at("maker.pub")} /var/lib/sallyport/queue.db\n`);
    await rig.putData(device, "mkdir /sallyport");
    await rig.putData(device, `write ${at("maker.pub")} /sallyport/outbox.db`);
    const refused = await flash([...given(device), "--yes"]);
    assert.equal(refused.code, 77);
    assert.match(refused.said, /holds the outbox of a gateway/);
    assert.notEqual(await dump(device, DATA_AT, "/sallyport/outbox.db"), "");
    const told = await flash([...given(device), "--yes", "--erase-outbox"]);
    assert.equal(told.code, 0, told.said);
    await tool("debugfs", "-w", "-f", at("install"), `${device}?offset=${ROOT_AT}`);
    assert.match((await flash([...given(device), "--yes"])).said, /holds the outbox of a gateway/, "on another system");
    assert.equal((await flash([...given(device), "--yes", "--erase-outbox"])).code, 0);
    const cut = await rig.usedCard("cut");
    await rig.putData(cut, "feature needs_recovery");
    assert.match((await flash([...given(cut), "--yes"])).said, /was cut off while it was written/);
    assert.equal((await flash([...given(cut), "--yes", "--erase-outbox"])).code, 0);
    // The data partition is there, and nobody can read it.
    await tool(
      "dd",
      "if=/dev/urandom",
      `of=${device}`,
      "bs=1",
      "count=56",
      `seek=${DATA_AT + 1_024}`,
      "conv=notrunc",
      "status=none",
    );
    const unreadable = await flash([...given(device), "--yes"]);
    assert.equal(unreadable.code, 77);
    assert.match(unreadable.said, /cannot be read/);
  });

  test("an image that nobody signed, or that is another one, is refused", async () => {
    const device = await card("unsigned");
    const args = (image: string, ...more: string[]) => [
      "--image",
      at(image),
      "--site",
      at("site"),
      "--device",
      device,
      "--yes",
      ...more,
    ];
    assert.match((await flash(args("image"))).said, /give --public-key/);
    await copyFile(at("image"), at("other"));
    assert.match((await flash(args("other", "--public-key", at("maker.pub")))).said, /missing or not by/);
    for (const part of [".sha256", ".sha256.sig"]) await copyFile(at(`image${part}`), at(`other${part}`));
    await tool(
      "dd",
      "if=/dev/urandom",
      `of=${at("other")}`,
      "bs=1",
      "count=8",
      `seek=${ROOT_AT}`,
      "conv=notrunc",
      "status=none",
    );
    assert.match((await flash(args("other", "--public-key", at("maker.pub")))).said, /is not what was signed/);
    assert.match((await flash(args("maker.pub", "--unsigned"))).said, /has no three partitions/);
    assert.equal((await flash(args("image", "--unsigned"))).code, 0);
  });

  test("a site with mistakes, one without its files, and a wrong answer cost nothing", async () => {
    const device = await card("untouched");
    assert.equal((await flash([...given(device), "--yes"], { check: "false" })).code, 65);
    const bare = ["--image", at("image"), "--unsigned", "--device", device, "--yes"];
    assert.match((await flash([...bare, "--site", at("root")])).said, /has no site\.yaml/);
    assert.match((await flash([...bare, "--site", at("site"), "--image", at("none")])).said, /there is no image/);
    await mkdir(at("odd"));
    for (const name of ["site.yaml", "gateway.yaml"]) await writeFile(join(at("odd"), name), "version: 1\n");
    assert.match((await flash([...bare, "--site", at("odd")])).said, /site\.yaml has no hostname/);
    await writeFile(join(at("odd"), "film"), Buffer.alloc(5 * MIB, 1));
    assert.match((await flash([...bare, "--site", at("odd")])).said, /is larger than 4096 kB/);
    const answered = await flash(given(device), { answer: "yes\n" });
    assert.equal(answered.code, 77);
    assert.match(answered.said, /untouched was not typed/);
    assert.equal((await flash([...given(device), "--frobnicate"])).code, 64);
    assert.equal((await flash(["--image", at("image")])).code, 64);
    assert.equal((await flash([...given(device), "--yes", "--key-on-board", "--sign-command", "cat"])).code, 64);
    assert.equal(
      (await readFile(device)).every((byte) => byte === 0),
      true,
    );
  });

  test("what is too small, no disk, or the image itself is refused", async () => {
    assert.match(
      (await flash([...given(await card("small", IMAGE_BYTES - MIB)), "--yes"])).said,
      /holds 6 MB, and the image needs 7 MB/,
    );
    assert.match((await flash([...given("/dev/null"), "--yes"])).said, /neither a disk nor a file/);
    assert.match((await flash([...given(at("image")), "--yes"])).said, /is the image/);
  });

  test("a card that gives back something else than was written is told as bad", async () => {
    const device = await card("bad");
    await mkdir(at("stub"));
    const spoil = `printf x | /bin/dd of='${device}' bs=1 seek=${ROOT_AT} conv=notrunc status=none`;
    await writeFile(join(at("stub"), "dd"), `#!/bin/sh\n/bin/dd "$@" && ${spoil}\n`, { mode: 0o755 });
    const wrap = ["bash", "-c", `PATH=${at("stub")}:$PATH && "$@"`, "-"];
    const { code, said } = await flash([...given(device), "--yes"], { wrap });
    assert.equal(code, 74, said);
    assert.match(said, /what was read back differs/);
  });

  test("an empty card reader is refused", async (t) => {
    const device = await attach(await card("nothing", 0));
    if (device === undefined) return t.skip(NO_ROOT);
    t.after(() => tool("losetup", "--detach", device));
    assert.match(
      (await flash([...given(device), "--yes", "--fixed-disk", basename(device)])).said,
      /there is no card in/,
    );
  });

  test("a disk that is mounted, the system's, in use or not removable is refused", async (t) => {
    const file = await card("disk");
    const device = await attach(file);
    if (device === undefined) return t.skip(NO_ROOT);
    t.after(async () => {
      await tool("partx", "--delete", device).catch(() => undefined);
      await tool("losetup", "--detach", device);
    });
    const named = [...given(device), "--yes", "--fixed-disk", basename(device)];
    assert.match((await flash([...given(file), "--yes"])).said, /in use as a loop device/);
    assert.match(
      (await flash([...given(device), "--yes"])).said,
      /no removable medium; if it is meant, say --fixed-disk loop\d+/,
    );
    assert.match((await flash([...given(device), "--yes", "--fixed-disk", "sda"])).said, /no removable medium/);

    await tool("mke2fs", "-q", "-F", "-t", "ext4", device);
    // In a mount namespace of its own: nothing of this machine changes.
    const mountedAt = (place: string) => ["unshare", "--mount", "bash", "-c", `mount ${device} ${place} && "$@"`, "-"];
    assert.match((await flash(named, { wrap: mountedAt(at("root")) })).said, /is mounted at .*root; unmount it/);
    assert.match((await flash(named, { wrap: mountedAt("/boot") })).said, /part of this machine's system, at \/boot/);
    const done = await flash(named);
    assert.equal(done.code, 0, done.said);
    assert.equal(await onFat(device, "/site/tls/ca.pem"), "a CA\n");
    assert.doesNotMatch(done.said, /geometry/, "mtools' complaint of a disk without heads");

    const hasNodes = await tool("partx", "--add", device).then(
      () => true,
      () => false,
    );
    if (!hasNodes) return t.diagnostic("partitions of a disk NOT TRIED: this kernel makes no nodes for them");
    assert.match((await flash([...given(`${device}p3`), "--yes"])).said, /is a partition; name the whole disk/);
    const part = ["unshare", "--mount", "bash", "-c", `mount ${device}p3 ${at("root")} && "$@"`, "-"];
    assert.match((await flash(named, { wrap: part })).said, /p3 is mounted at/);
  });

  describe("of a fleet", () => {
    const column = (name: string) => `\${${name}}`;
    const TEMPLATE = `version: 1\nhostname: ${column("name")}\nnetwork: { address: ${column("address")}/24 }\n`;
    const fleet = (device: string, ...more: string[]) => [
      ...["--fleet", at("fleet.csv"), "--template", at("template"), "--image", at("image"), "--unsigned"],
      ...["--device", device, "--yes", ...more],
    ];

    before(async () => {
      await mkdir(at("template"));
      await writeFile(join(at("template"), "site.yaml"), TEMPLATE);
      await writeFile(join(at("template"), "gateway.yaml"), "version: 1\n");
    });

    test("each row gets its card, and a stopped fleet goes on where it was", async () => {
      const device = await card("fleet-card");
      await writeFile(at("fleet.csv"), "name,address\r\npump-1,10.0.0.1\r\npump-2,10.0.0.2\r\n");
      const first = await flash(fleet(device), { answer: "\n" });
      assert.equal(first.code, 64, first.said);
      assert.match(first.said, /stopped before pump-2/);
      assert.match(await onFat(device, "/site/site.yaml"), /hostname: pump-1\nnetwork: \{ address: 10\.0\.0\.1\/24 \}/);
      assert.match(
        await readFile(at("fleet.csv"), "utf8"),
        /^name,address,result\npump-1,10\.0\.0\.1,written 20\S+Z\npump-2,10\.0\.0\.2,\n$/,
      );

      const second = await flash(fleet(device), { answer: "\n" });
      assert.equal(second.code, 0, second.said);
      assert.match(second.said, /pump-1 was written/);
      assert.match(await onFat(device, "/site/site.yaml"), /hostname: pump-2/);
      assert.equal((await flash(fleet(device, "--only", "pump-1"), { answer: "\n" })).code, 0);
      assert.match(await onFat(device, "/site/site.yaml"), /hostname: pump-1/);
      assert.match(await readFile(join(at("template"), "site.yaml"), "utf8"), /\$\{name\}/);
    });

    test("a table as a spreadsheet saves it is taken, and stays its owner's", async () => {
      const device = await card("fleet-owned");
      const address = column("address");
      await writeFile(at("fleet.csv"), "\uFEFFname,address\r\nhall 1,10.0.0.1\r\nhall,10.0.0.2\r\n,\r\n");
      await chmod(at("fleet.csv"), 0o664);
      const owner = process.getuid?.() === 0 ? Number(USER_ID) : process.getuid?.();
      await chown(at("fleet.csv"), owner ?? 0, -1);
      await writeFile(join(at("template"), "site.yaml"), `version: 1\nhostname: pump\nnetwork: ${address}\n`);
      const { code, said } = await flash(fleet(device, "--only", "hall"), { answer: "\n" });
      await writeFile(join(at("template"), "site.yaml"), TEMPLATE);
      assert.equal(code, 0, said);
      assert.match(
        await readFile(at("fleet.csv"), "utf8"),
        /^name,address,result\nhall 1,10.0.0.1,\nhall,10.0.0.2,written .*Z\n$/,
      );
      const { uid, mode } = await stat(at("fleet.csv"));
      assert.deepEqual([uid, mode & 0o777], [owner, 0o664]);
    });

    test("a card that is refused is told in the table, and nothing follows", async () => {
      await writeFile(at("fleet.csv"), "name,address\npump-1,10.0.0.1\npump-2,10.0.0.2\n");
      const { code, said } = await flash(fleet("/dev/null"), { answer: "\n\n" });
      assert.equal(code, 77);
      assert.match(said, /pump-1 was not written; start again to go on/);
      assert.match(
        await readFile(at("fleet.csv"), "utf8"),
        /^pump-1,10\.0\.0\.1,failed with 77\npump-2,10\.0\.0\.2,\n/m,
      );
    });

    test("every row is checked before the first card is touched", async () => {
      const device = await card("fleet-untouched");
      for (const [table, complaint] of [
        ["name,address\na,1\na,2\n", /the name a is there twice/],
        ["name;address\na;1\n", /has semicolons: save it with commas/],
        ["name,address\na,1\nb\n", /row 2 has 2 cells, and there are 3 columns/],
        ["name,address\na,1\nb,\n", /row 2, address: "" is empty/],
        ['name,address\na,1\nb,"2"\n', /row 2, address: ""2"" is empty, or has other/],
        ["name,adress\na,1\n", /a: there is no such column for site\.yaml/],
        ["nam,address\na,1\n", /has no column name/],
        ["name,address\n", /has no rows/],
      ] as const) {
        await writeFile(at("fleet.csv"), table);
        const { code, said } = await flash(fleet(device), { answer: "\n\n" });
        assert.equal(code, 65, said);
        assert.match(said, complaint);
      }
      await writeFile(at("fleet.csv"), "name,address\na,1\nb,2\n");
      assert.match(
        (await flash(fleet(device), { answer: "\n", check: "false" })).said,
        /the row a gives a site with mistakes.*the row b/s,
      );
      assert.match((await flash(fleet(device, "--only", "c"))).said, /no row is called c/);
      assert.equal(
        (await readFile(device)).every((byte) => byte === 0),
        true,
      );
    });
  });
});
