import assert from "node:assert/strict";
import { readFile, truncate, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { CARD_BYTES, CardRig, DATA_AT, MIB, tool } from "./card-rig.ts";

/** What the gateway has made of its data partition. */
const GROWN_MIB = 4;

let rig: CardRig;

before(async () => {
  rig = await CardRig.make();
});

after(() => rig.remove());

/** The card of a gateway that ran: its data partition has grown, and holds an outbox and its key. */
async function oldCard(): Promise<string> {
  const old = await rig.card("old");
  const flashed = await rig.flash([...rig.given(old), "--yes"]);
  assert.equal(flashed.code, 0, flashed.said);
  await tool("bash", "-c", `echo ', ${GROWN_MIB}MiB' | sfdisk --quiet --force -N 3 "$1"`, "-", old);
  await rig.card("grown", GROWN_MIB * MIB);
  await tool("mke2fs", "-q", "-t", "ext4", rig.at("grown"));
  await tool(
    "dd",
    `if=${rig.at("grown")}`,
    `of=${old}`,
    "bs=1M",
    `seek=${DATA_AT / MIB}`,
    "conv=notrunc",
    "status=none",
  );
  await writeFile(rig.at("outbox"), "what no broker has\n");
  await tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", rig.at("own.key"));
  for (const command of [
    "mkdir /sallyport",
    "mkdir /sallyport/tls",
    `write ${rig.at("outbox")} /sallyport/outbox.db`,
    `write ${rig.at("own.key")} /sallyport/tls/gateway.key`,
  ]) {
    await rig.putData(old, command);
  }
  return old;
}

test("P8: a new card takes over outbox, state, keys and serial of the old one, which is only read", async () => {
  const old = await oldCard();
  const serial = await rig.onFat(old, "/site/serial");
  const before = await tool("sha256sum", old);
  const device = await rig.card("new");
  const replace = ["--yes", "--replace", old];
  const { code, said } = await rig.flash([...rig.given(device), ...replace]);
  assert.equal(code, 0, said);
  assert.equal(await rig.dump(device, DATA_AT, "/sallyport/outbox.db"), "what no broker has\n");
  assert.match(await rig.dump(device, DATA_AT, "/sallyport/tls/gateway.key"), /BEGIN PRIVATE KEY/);
  assert.equal(await rig.onFat(device, "/site/serial"), serial);
  assert.match(said, new RegExp(`serial +${serial.trim()}\n.*fingerprint +[0-9a-f]{64}\n`));
  assert.match(said, /never run the old card again/);
  const table = (await tool("sfdisk", "--dump", device)).stdout;
  assert.match(table, new RegExp(`3 : start= *${DATA_AT / 512}, size= *${(GROWN_MIB * MIB) / 512},`));
  await tool("e2fsck", "-f", "-n", `${device}?offset=${DATA_AT}`);
  assert.equal((await tool("sha256sum", old)).stdout, before.stdout);

  const refusals: readonly (readonly [readonly string[], RegExp])[] = [
    [[...rig.given(device), ...replace], /holds the outbox of a gateway/],
    [[...rig.given(await rig.card("small", CARD_BYTES - 2 * MIB)), ...replace], /with the old data it needs 9 MB/],
    [[...rig.given(old), ...replace, "--erase-outbox"], /is the card that is to be erased/],
    [[...rig.given(await rig.card("other")), "--yes", "--replace", rig.at("none")], /there is no card or image/],
    [[...rig.given(rig.at("other")), "--yes", "--replace", await rig.usedCard("empty")], /holds no gateway's data/],
    [[...rig.given(rig.at("other")), ...replace, "--key-on-board"], /the key of the old card is kept/],
  ];
  for (const [args, complaint] of refusals) {
    const refused = await rig.flash(args);
    assert.notEqual(refused.code, 0);
    assert.match(refused.said, complaint);
  }
  const fresh = await rig.card("fresh");
  await truncate(old, DATA_AT + MIB);
  const cut = await rig.flash([...rig.given(fresh), ...replace]);
  assert.match(cut.said, /ends before its data partition does/);
  assert.equal(
    (await readFile(fresh)).every((byte) => byte === 0),
    true,
    "the new card is untouched",
  );
  await truncate(old, 0);
  assert.equal(await rig.dump(device, DATA_AT, "/sallyport/outbox.db"), "what no broker has\n");
});
