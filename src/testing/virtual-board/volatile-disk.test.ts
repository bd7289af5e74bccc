import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Random } from "../../core/random.ts";
import { seededRandom } from "../../core/random.ts";
import { VolatileDisk } from "./volatile-disk.ts";

const BLOCK = 4096;
const BLOCKS = 64;

let folder: string;
let count = 0;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-disk-"));
});
after(() => rmSync(folder, { recursive: true }));

async function onDisk(use: (disk: VolatileDisk) => void, options: { random?: Random } = {}): Promise<Buffer> {
  const file = join(folder, `disk-${++count}`);
  writeFileSync(file, Buffer.alloc(BLOCK * BLOCKS));
  const disk = await VolatileDisk.open({
    file,
    socket: `${file}.socket`,
    random: options.random ?? seededRandom(1),
  });
  use(disk);
  await disk.close();
  return readFileSync(file);
}

const ALL_DIE: Random = { next: () => 0.99 };
const filled = (length: number, value: number) => Buffer.alloc(length, value);

describe("a disk that a power cut empties", () => {
  test("what was flushed outlives a cut, what came after it does not", async () => {
    const left = await onDisk(
      (disk) => {
        disk.write(BLOCK, filled(BLOCK, 1));
        disk.flush();
        disk.write(2 * BLOCK, filled(BLOCK, 2));
        assert.deepEqual(disk.cut(), { waiting: 1, lost: 1 });
      },
      { random: ALL_DIE },
    );
    assert.deepEqual([left[BLOCK], left[2 * BLOCK]], [1, 0]);
  });

  test("of many blocks some survive, in no order", async () => {
    const left = await onDisk((disk) => {
      for (let block = 0; block < BLOCKS; block++) disk.write(block * BLOCK, filled(BLOCK, 1));
      const { waiting, lost } = disk.cut();
      assert.equal(waiting, BLOCKS);
      assert.ok(lost > 0 && lost < BLOCKS, `${lost} lost`);
    });
    const kept = Array.from({ length: BLOCKS }, (_, block) => left[block * BLOCK] === 1);
    assert.notEqual(
      kept.lastIndexOf(true),
      kept.filter(Boolean).length - 1,
      "they are no beginning of what was written",
    );
  });

  test("what is read is what was written, flushed or not, also across blocks", async () => {
    await onDisk((disk) => {
      disk.write(BLOCK - 3, filled(6, 7));
      disk.flush();
      disk.write(BLOCK, filled(1, 9));
      assert.deepEqual([...disk.read(BLOCK - 4, 8)], [0, 7, 7, 7, 9, 7, 7, 0]);
    });
  });

  test("one that only says that it flushed loses everything since it began to lie", async () => {
    const left = await onDisk((disk) => {
      disk.write(0, filled(BLOCK, 1));
      disk.flush();
      disk.lie();
      disk.write(BLOCK, filled(BLOCK, 1));
      disk.flush();
      assert.equal(disk.cut().lost, 1);
    });
    assert.deepEqual([left[0], left[BLOCK]], [1, 0]);
  });

  test("the power fails at the order that was said: it and those after it are not done", async () => {
    const left = await onDisk((disk) => {
      void disk.failsAt(3);
      disk.write(0, filled(BLOCK, 1));
      disk.flush();
      assert.equal(disk.hasPower, true);
      disk.write(BLOCK, filled(BLOCK, 1));
      disk.flush();
      assert.equal(disk.hasPower, false);
      assert.deepEqual(disk.cut(), { waiting: 0, lost: 0 });
    });
    assert.deepEqual([left[0], left[BLOCK]], [1, 0]);
  });
});
