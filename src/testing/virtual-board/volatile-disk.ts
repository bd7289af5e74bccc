/**
 * A disk with a cache that a power cut empties: what was written and not flushed lives or dies by chance, block by block,
 * in any order. A file behind a network block device (NBD), as QEMU attaches it.
 * https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md
 */
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import type { Random } from "../../core/random.ts";

export interface VolatileDiskOptions {
  /** The file; it must be there. */
  readonly file: string;
  /** The Unix socket to listen on. */
  readonly socket: string;
  readonly random: Random;
}

/** What a card writes at once; a write of a part of it is one of the whole. */
const BLOCK_BYTES = 4096;
/** Beyond this an honest disk writes by itself, oldest first. */
const CACHED_BLOCKS_MAX = 16_384;
const SURVIVING = 0.5;

export class VolatileDisk {
  readonly #file: number;
  readonly #server: Server;
  readonly #options: VolatileDiskOptions;
  readonly #cached = new Map<number, Buffer>();
  #orders = 0;
  #isHonest = true;
  #hasPower = true;
  /** Called at so many orders. */
  #failure: { readonly at: number; readonly failed: () => void } | undefined;

  private constructor(options: VolatileDiskOptions) {
    this.#options = options;
    this.#file = openSync(options.file, "r+");
    this.#server = createServer((socket) => new NbdConnection(socket, this)).listen(options.socket);
  }

  static open(options: VolatileDiskOptions): Promise<VolatileDisk> {
    return new Promise((resolve, reject) => {
      const disk = new VolatileDisk(options);
      disk.#server.once("listening", () => resolve(disk)).once("error", reject);
    });
  }

  get bytes(): number {
    return fstatSync(this.#file).size;
  }

  /** How often it was told to write or to flush. */
  get orders(): number {
    return this.#orders;
  }

  /** Without it nothing is done, and nobody answers. */
  get hasPower(): boolean {
    return this.#hasPower;
  }

  /** From now on it says that it flushed and did not, and a cut loses all of that. What is built on it must lose data. */
  lie(): void {
    this.#isHonest = false;
  }

  /** The power fails as it is told for the nth time from now to write or to flush: that is not done any more. */
  failsAt(orders: number): Promise<void> {
    return new Promise((resolve) => {
      this.#failure = { at: this.#orders + orders, failed: resolve };
    });
  }

  read(at: number, length: number): Buffer {
    const bytes = Buffer.alloc(length);
    readSync(this.#file, bytes, 0, length, at);
    if (this.#cached.size === 0) return bytes;
    for (const [block, from, to] of blocksOf(at, length)) {
      const cached = this.#cached.get(block);
      if (cached !== undefined) cached.copy(bytes, block * BLOCK_BYTES + from - at, from, to);
    }
    return bytes;
  }

  write(at: number, bytes: Buffer): void {
    if (!this.#obeys()) return;
    for (const [block, from, to] of blocksOf(at, bytes.length)) {
      const begin = block * BLOCK_BYTES;
      const cached = this.#cached.get(block) ?? this.read(begin, BLOCK_BYTES);
      bytes.copy(cached, from, begin + from - at, begin + to - at);
      // The latest written is the last: an evicted block is one that has waited long.
      this.#cached.delete(block);
      this.#cached.set(block, cached);
    }
    if (!this.#isHonest) return;
    for (const block of this.#cached.keys()) {
      if (this.#cached.size <= CACHED_BLOCKS_MAX) break;
      this.#keep(block);
    }
  }

  flush(): void {
    if (!this.#obeys() || !this.#isHonest) return;
    for (const block of [...this.#cached.keys()]) this.#keep(block);
  }

  /** The power fails. Returns how many blocks had waited, and how many of them are lost. */
  cut(): { readonly waiting: number; readonly lost: number } {
    const waiting = this.#cached.size;
    let lost = 0;
    for (const block of [...this.#cached.keys()]) {
      if (this.#isHonest && this.#options.random.next() < SURVIVING) this.#keep(block);
      else lost += 1;
    }
    this.#cached.clear();
    return { waiting, lost };
  }

  async close(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
    closeSync(this.#file);
  }

  #obeys(): boolean {
    this.#orders += 1;
    if (this.#failure?.at === this.#orders) {
      this.#hasPower = false;
      this.#failure.failed();
    }
    return this.#hasPower;
  }

  #keep(block: number): void {
    const bytes = this.#cached.get(block);
    if (bytes === undefined) return;
    const begin = block * BLOCK_BYTES;
    writeSync(this.#file, bytes, 0, Math.min(BLOCK_BYTES, this.bytes - begin), begin);
    this.#cached.delete(block);
  }
}

/** The blocks that bytes lie in, and which part of each. */
function* blocksOf(at: number, length: number): Generator<readonly [block: number, from: number, to: number]> {
  for (let begin = at; begin < at + length; ) {
    const block = Math.floor(begin / BLOCK_BYTES);
    const end = Math.min(at + length, (block + 1) * BLOCK_BYTES);
    yield [block, begin - block * BLOCK_BYTES, end - block * BLOCK_BYTES];
    begin = end;
  }
}

const MAGIC = { init: "NBDMAGIC", option: "IHAVEOPT", request: 0x25609513, reply: 0x67446698 } as const;
const OPTION_REPLY_MAGIC = 0x0003e889045565a9n;
/** Fixed newstyle, and no padding. */
const HANDSHAKE_FLAGS = 3;
const OPTION = { abort: 2, go: 7 } as const;
const OPTION_REPLY = { ack: 1, info: 3, unsupported: 0x80000001 } as const;
/** Has flags, can flush, can force a write to the medium. */
const EXPORT_FLAGS = 1 | 4 | 8;
const COMMAND = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;
const FORCED = 1;
const HEADER = { client: 4, option: 16, request: 28 } as const;
const EINVAL = 22;

/** One conversation: it begins with options and goes on with requests. */
class NbdConnection {
  readonly #socket: Socket;
  readonly #disk: VolatileDisk;
  #input: Buffer = Buffer.alloc(0);
  #step: "client" | "option" | "request" = "client";

  constructor(socket: Socket, disk: VolatileDisk) {
    this.#socket = socket;
    this.#disk = disk;
    const greeting = Buffer.alloc(18);
    greeting.write(MAGIC.init + MAGIC.option, "latin1");
    greeting.writeUInt16BE(HANDSHAKE_FLAGS, 16);
    socket.write(greeting);
    socket.on("error", () => undefined);
    socket.on("data", (bytes: Buffer) => {
      this.#input = this.#input.length === 0 ? bytes : Buffer.concat([this.#input, bytes]);
      for (let taken = this.#take(); taken > 0; taken = this.#take()) this.#input = this.#input.subarray(taken);
    });
  }

  /** Handles what is whole, and returns how many bytes that were. */
  #take(): number {
    const header = HEADER[this.#step];
    if (this.#input.length < header) return 0;
    switch (this.#step) {
      case "client":
        this.#step = "option";
        return header;
      case "option": {
        const length = this.#input.readUInt32BE(12);
        if (this.#input.length < header + length) return 0;
        this.#option(this.#input.readUInt32BE(8));
        return header + length;
      }
      case "request": {
        const command = this.#input.readUInt16BE(6);
        const length = command === COMMAND.write ? this.#input.readUInt32BE(24) : 0;
        if (this.#input.length < header + length) return 0;
        this.#request(command, this.#input.subarray(header, header + length));
        return header + length;
      }
    }
  }

  #option(option: number): void {
    if (option === OPTION.go) {
      const info = Buffer.alloc(12);
      info.writeBigUInt64BE(BigInt(this.#disk.bytes), 2);
      info.writeUInt16BE(EXPORT_FLAGS, 10);
      this.#answer(option, OPTION_REPLY.info, info);
      this.#answer(option, OPTION_REPLY.ack);
      this.#step = "request";
    } else {
      this.#answer(option, option === OPTION.abort ? OPTION_REPLY.ack : OPTION_REPLY.unsupported);
    }
  }

  #answer(option: number, reply: number, data: Buffer = Buffer.alloc(0)): void {
    const header = Buffer.alloc(20);
    header.writeBigUInt64BE(OPTION_REPLY_MAGIC);
    header.writeUInt32BE(option, 8);
    header.writeUInt32BE(reply, 12);
    header.writeUInt32BE(data.length, 16);
    this.#socket.write(Buffer.concat([header, data]));
  }

  #request(command: number, data: Buffer): void {
    const isForced = (this.#input.readUInt16BE(4) & FORCED) !== 0;
    const cookie = Buffer.from(this.#input.subarray(8, 16));
    const at = Number(this.#input.readBigUInt64BE(16));
    const length = this.#input.readUInt32BE(24);
    switch (command) {
      case COMMAND.read:
        this.#reply(cookie, 0, this.#disk.read(at, length));
        break;
      case COMMAND.write:
        this.#disk.write(at, data);
        if (isForced) this.#disk.flush();
        this.#reply(cookie, 0);
        break;
      case COMMAND.flush:
        this.#disk.flush();
        this.#reply(cookie, 0);
        break;
      case COMMAND.disconnect:
        this.#socket.end();
        break;
      default:
        this.#reply(cookie, EINVAL);
    }
  }

  #reply(cookie: Buffer, error: number, data: Buffer = Buffer.alloc(0)): void {
    if (!this.#disk.hasPower) return;
    const header = Buffer.alloc(8);
    header.writeUInt32BE(MAGIC.reply);
    header.writeUInt32BE(error, 4);
    this.#socket.write(Buffer.concat([header, cookie, data]));
  }
}
