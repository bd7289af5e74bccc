/** Bytes one behind the other, in memory that is used again and grows as it is filled. */

const INITIAL_BYTES = 4_096;

export class ByteWriter {
  /** What is written ends at `at`; whoever writes past it reserves before. */
  protected memory = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  protected at = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.at;
  }

  /** Forgets what was written after the first so many bytes. */
  back(length: number): void {
    this.at = length;
  }

  /** What was written, until something else is. */
  view(): Uint8Array {
    return this.memory.subarray(0, this.at);
  }

  /** What was written after the first `from` bytes, in memory of its own; those before it stay. */
  take(from = 0): Uint8Array {
    const taken = Buffer.allocUnsafe(this.at - from);
    taken.set(this.memory.subarray(from, this.at));
    this.at = from;
    return taken;
  }

  /** Once more what was written between two lengths. */
  again(from: number, to: number): void {
    this.reserve(to - from);
    this.memory.copyWithin(this.at, from, to);
    this.at += to - from;
  }

  byte(byte: number): void {
    this.reserve(1);
    this.memory[this.at++] = byte;
  }

  /** What is encoded already. */
  encoded(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.memory.set(bytes, this.at);
    this.at += bytes.length;
  }

  protected reserve(bytes: number): void {
    if (this.at + bytes <= this.memory.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.memory.length * 2, this.at + bytes));
    larger.set(this.memory.subarray(0, this.at));
    this.memory = larger;
  }
}
