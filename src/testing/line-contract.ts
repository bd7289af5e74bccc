import assert from "node:assert/strict";
import { test } from "node:test";
import { hostClock } from "../core/clock.ts";
import type { SerialLine } from "../sources/modbus/serial-line.ts";
import { Condition } from "./condition.ts";

/** A line, closed at first, and the hands that work its far end. */
export interface LineRig {
  readonly line: SerialLine;
  /** Sets the one listener to what comes out at the far end. */
  hear(listener: (bytes: Uint8Array) => void): void;
  /** Sends bytes towards the gateway. */
  arrive(bytes: Uint8Array): void;
  unplug(): Promise<void>;
  plugIn(): Promise<void>;
  end(): Promise<void>;
}

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const LONGEST_FRAME = ALL_BYTES;
const PIECE_BYTES = 16;
const ENDLESS_BYTES = 4_000_000;

/** What was seen of a line, to wait on. */
class Watch {
  heard = Buffer.alloc(0);
  written = Buffer.alloc(0);
  lost: string[] = [];
  readonly #condition = new Condition(hostClock);

  constructor(rig: LineRig) {
    rig.line.onData = (bytes) => {
      this.heard = Buffer.concat([this.heard, bytes]);
      this.#condition.changed();
    };
    rig.hear((bytes) => {
      this.written = Buffer.concat([this.written, bytes]);
      this.#condition.changed();
    });
    rig.line.onLost = (reason) => {
      this.lost.push(reason);
      this.#condition.changed();
    };
  }

  until(what: string, holds: () => boolean): Promise<void> {
    return this.#condition.until(
      what,
      holds,
      undefined,
      () => `(heard ${this.heard.toString("hex")}, written ${this.written.toString("hex")}, lost ${this.lost})`,
    );
  }

  async exchange(rig: LineRig): Promise<void> {
    this.heard = Buffer.alloc(0);
    this.written = Buffer.alloc(0);
    await rig.line.write(LONGEST_FRAME);
    await this.until("the frame is out", () => this.written.length >= LONGEST_FRAME.length);
    rig.arrive(LONGEST_FRAME);
    await this.until("the frame is in", () => this.heard.length >= LONGEST_FRAME.length);
    assert.deepEqual(this.written, LONGEST_FRAME);
    assert.deepEqual(this.heard, LONGEST_FRAME);
  }
}

/** What every SerialLine must do, whatever is behind it. */
export function lineContract(name: string, makeRig: () => Promise<LineRig>): void {
  const promise = (what: string, prove: (rig: LineRig, watch: Watch) => Promise<void>) =>
    test(`${name}: ${what}`, async () => {
      const rig = await makeRig();
      try {
        await prove(rig, new Watch(rig));
      } finally {
        await rig.line.close();
        await rig.end();
      }
    });

  promise("every byte passes both ways, also after it was closed and opened again", async (rig, watch) => {
    for (let times = 0; times < 2; times++) {
      await rig.line.open();
      await watch.exchange(rig);
      await rig.line.close();
    }
    assert.deepEqual(watch.lost, []);
  });

  promise("writes arrive in the order in which they were made", async (rig, watch) => {
    await rig.line.open();
    const pieces = Array.from({ length: ALL_BYTES.length / PIECE_BYTES }, (_, i) =>
      ALL_BYTES.subarray(i * PIECE_BYTES, (i + 1) * PIECE_BYTES),
    );
    for (const piece of pieces) await rig.line.write(piece);
    await watch.until("all pieces are out", () => watch.written.length >= ALL_BYTES.length);
    assert.deepEqual(watch.written, ALL_BYTES);
  });

  promise("the bytes written may change as soon as write has resolved", async (rig, watch) => {
    await rig.line.open();
    const frame = Uint8Array.of(1, 2, 3);
    await rig.line.write(frame);
    frame.fill(9);
    await watch.until("the frame is out", () => watch.written.length >= frame.length);
    assert.deepEqual([...watch.written], [1, 2, 3]);
  });

  promise("after input was thrown away only what comes later is heard", async (rig, watch) => {
    await rig.line.open();
    rig.arrive(Uint8Array.of(1));
    await watch.until("a byte is heard", () => watch.heard.length === 1);
    await rig.line.discardInput();
    rig.arrive(Uint8Array.of(2));
    await watch.until("the next one is heard", () => watch.heard.length === 2);
    assert.deepEqual([...watch.heard], [1, 2]);
  });

  promise("what arrives in a pause is heard after it, in order", async (rig, watch) => {
    await rig.line.open();
    rig.line.pause();
    for (let at = 0; at < ALL_BYTES.length; at += PIECE_BYTES) rig.arrive(ALL_BYTES.subarray(at, at + PIECE_BYTES));
    await rig.line.write(LONGEST_FRAME);
    rig.line.resume();
    rig.line.resume();
    await watch.until("all is heard", () => watch.heard.length >= ALL_BYTES.length);
    assert.deepEqual(watch.heard, ALL_BYTES);
    rig.line.pause();
    await rig.line.close();
    await rig.line.open();
    await watch.exchange(rig);
  });

  promise("a closed line writes nothing, hears nothing, and closing it again does nothing", async (rig, watch) => {
    await assert.rejects(rig.line.write(LONGEST_FRAME));
    await rig.line.close();
    await rig.line.open();
    await rig.line.close();
    await rig.line.close();
    await assert.rejects(rig.line.write(LONGEST_FRAME));
    await rig.line.open();
    await watch.exchange(rig);
    assert.deepEqual(watch.lost, []);
  });

  promise("a port that vanishes is told of once, in words, and comes back by opening it again", async (rig, watch) => {
    await rig.line.open();
    await watch.exchange(rig);
    await rig.unplug();
    await watch.until("the loss is told", () => watch.lost.length > 0);
    await assert.rejects(rig.line.write(LONGEST_FRAME), (thrown) => thrown instanceof Error && thrown.message !== "");
    await assert.rejects(rig.line.open(), (thrown) => thrown instanceof Error && thrown.message !== "");
    await rig.plugIn();
    await rig.line.open();
    await watch.exchange(rig);
    assert.equal(watch.lost.length, 1);
    assert.notEqual(watch.lost[0], "");
  });

  promise("a port that vanishes while it is closed is not told of", async (rig, watch) => {
    await rig.line.open();
    await rig.line.close();
    await rig.unplug();
    await rig.plugIn();
    await rig.line.open();
    await watch.exchange(rig);
    assert.deepEqual(watch.lost, []);
  });

  promise("a write during which the port vanishes settles", async (rig, watch) => {
    await rig.line.open();
    const write = rig.line.write(LONGEST_FRAME).then(
      () => "written",
      () => "rejected",
    );
    await rig.unplug();
    await watch.until("the loss is told", () => watch.lost.length > 0);
    assert.ok(["written", "rejected"].includes(await write));
  });

  promise("an open line is not opened again, and a closed one has no input to throw away", async (rig, watch) => {
    await assert.rejects(rig.line.discardInput());
    await rig.line.open();
    await assert.rejects(rig.line.open(), (thrown) => thrown instanceof Error && thrown.message !== "");
    await watch.exchange(rig);
  });

  promise(
    "P7: a write that never ends keeps no port from being closed, opened again and written to",
    async (rig, watch) => {
      await rig.line.open();
      // More than every buffer on the way to a far end that does not read. It may fail, or never settle.
      rig.line.write(new Uint8Array(ENDLESS_BYTES)).catch(() => undefined);
      await rig.line.close();
      await rig.line.open();
      const before = watch.written.length;
      const written = rig.line.write(Uint8Array.of(1, 2, 3));
      await watch.until("what is written next is out", () => watch.written.length > before);
      await written;
      assert.deepEqual(watch.lost, []);
    },
  );
}
