import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type FileHandle, open, readlink } from "node:fs/promises";
import { test } from "node:test";
import { hostClock } from "../core/clock.ts";
import { Condition } from "./condition.ts";
import { openPtyPair, type PtyKind, type PtyPair } from "./pty.ts";

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

async function exchange(pair: PtyPair, port: FileHandle): Promise<void> {
  let heard = Buffer.alloc(0);
  const condition = new Condition(hostClock);
  const onData = (bytes: Buffer) => {
    heard = Buffer.concat([heard, bytes]);
    condition.changed();
  };
  pair.master.on("data", onData);
  await port.write(ALL_BYTES);
  await condition.until("the master has heard all bytes", () => heard.length >= ALL_BYTES.length);
  pair.master.off("data", onData);
  assert.deepEqual(heard, ALL_BYTES);

  pair.master.write(ALL_BYTES);
  const answered = Buffer.alloc(ALL_BYTES.length);
  for (let got = 0; got < answered.length; ) {
    got += (await port.read(answered, got, answered.length - got, null)).bytesRead;
  }
  assert.deepEqual(answered, ALL_BYTES);
}

for (const kind of ["socat", "script"] satisfies PtyKind[]) {
  test(`a terminal pair by ${kind} passes every byte both ways, opened again and again`, async () => {
    const pair = await openPtyPair({ kind });
    try {
      assert.equal(pair.kind, kind);
      for (let times = 0; times < 2; times++) {
        const port = await open(pair.path, "r+");
        await exchange(pair, port);
        await port.close();
      }
    } finally {
      await pair.close();
    }
    assert.ok(!existsSync(pair.path));
  });

  test(`a terminal pair by ${kind} vanishes and comes back under another name behind the same link`, async () => {
    const pair = await openPtyPair({ kind });
    try {
      const before = pair.terminal();
      const port = await open(pair.path, "r+");
      await exchange(pair, port);
      await pair.vanish();
      assert.equal(pair.terminal(), undefined);
      await assert.rejects(port.write(ALL_BYTES), /EIO/);
      await assert.rejects(open(pair.path, "r+"), /ENOENT/);
      await port.close();
      await pair.comeBack();
      assert.notEqual(pair.terminal(), before);
      assert.equal(await readlink(pair.path), pair.terminal());
      const again = await open(pair.path, "r+");
      await exchange(pair, again);
      await again.close();
    } finally {
      await pair.close();
      await pair.close();
    }
  });
}
