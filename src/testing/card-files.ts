/** A card in memory whose power is cut: what was synced stays, of the rest nobody knows how much. */
import { dirname } from "node:path";
import type { Random } from "../core/random.ts";
import type { Access, BootFiles, Entry, NewFile } from "../first-boot/boot-files.ts";

interface CardEntry {
  readonly kind: "file" | "folder" | "link";
  bytes: Buffer;
  access: Access;
}

/** A change of names that a cut may undo. */
interface Pending {
  readonly folder: string;
  readonly path: string;
  readonly before: CardEntry | undefined;
}

export class PowerCut extends Error {}

export class CardFiles implements BootFiles {
  readonly #random: Random;
  readonly #entries = new Map<string, CardEntry>();
  #pending: Pending[] = [];
  #operations = 0;
  #cutAt = Number.POSITIVE_INFINITY;

  constructor(random: Random) {
    this.#random = random;
  }

  /** The power goes at the so-manieth change from now, in its midst. */
  cutAfter(operations: number): void {
    this.#cutAt = this.#operations + operations;
  }

  /** After a cut: what is found when the power is back. */
  restart(): void {
    this.#cutAt = Number.POSITIVE_INFINITY;
    const undone = Math.floor(this.#random.next() * (this.#pending.length + 1));
    for (const { path, before } of this.#pending.splice(this.#pending.length - undone).reverse()) {
      if (before === undefined) this.#entries.delete(path);
      else this.#entries.set(path, before);
    }
    this.#pending = [];
  }

  /** Puts a file there without any cost, as a laptop does. */
  put(path: string, text: string): void {
    for (let folder = dirname(path); folder !== "/"; folder = dirname(folder)) {
      if (!this.#entries.has(folder)) this.#entries.set(folder, folderWith({ mode: 0o755 }));
    }
    this.#entries.set(path, { kind: "file", bytes: Buffer.from(text), access: { mode: 0o644 } });
  }

  text(path: string): string | undefined {
    return this.read(path)?.toString("utf8");
  }

  access(path: string): Access | undefined {
    return this.#entries.get(path)?.access;
  }

  /** Paths of all files below a folder. */
  filesBelow(folder: string): readonly string[] {
    return [...this.#entries]
      .filter(([path, { kind }]) => kind === "file" && path.startsWith(`${folder}/`))
      .map(([path]) => path)
      .sort();
  }

  entries(folder: string): readonly Entry[] {
    return [...this.#entries]
      .filter(([path, { kind }]) => dirname(path) === folder && path !== folder && kind !== "link")
      .map(([path, { kind, bytes }]) => ({
        name: path.slice(folder.length + 1),
        isFolder: kind === "folder",
        bytes: bytes.length,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  read(path: string): Buffer | undefined {
    const entry = this.#entries.get(path);
    return entry?.kind === "file" ? entry.bytes : undefined;
  }

  makeFolder(path: string, access: Access): void {
    this.#work();
    this.#needFolder(dirname(path));
    const found = this.#entries.get(path);
    if (found === undefined) this.#name(path, folderWith(access));
    else found.access = access;
  }

  write(path: string, content: Uint8Array, file: NewFile): void {
    this.#needFolder(dirname(path));
    const bytes = Buffer.from(content);
    const torn = () => {
      const written = bytes.subarray(0, Math.floor(this.#random.next() * bytes.length));
      this.#name(path, { kind: "file", bytes: written, access: file });
    };
    this.#work(torn);
    this.#name(path, { kind: "file", bytes, access: file });
  }

  overwrite(path: string, content: Uint8Array): void {
    const entry = this.#need(path);
    const bytes = Buffer.from(entry.bytes);
    this.#work(() => {
      bytes.set(content.subarray(0, Math.floor(this.#random.next() * content.length)));
      entry.bytes = bytes;
    });
    bytes.set(content);
    entry.bytes = bytes;
  }

  rename(from: string, to: string): void {
    const entry = this.#need(from);
    this.#work();
    this.#name(to, entry);
    this.#forget(from);
  }

  link(path: string): void {
    this.#work();
    if (this.#entries.has(path)) return;
    this.#name(path, { kind: "link", bytes: Buffer.alloc(0), access: { mode: 0o777 } });
  }

  remove(path: string): void {
    const below = [...this.#entries.keys()].filter((name) => name === path || name.startsWith(`${path}/`));
    // The deepest first, one by one: so does the host.
    for (const name of below.sort().reverse()) {
      this.#work();
      this.#forget(name);
    }
  }

  syncFolder(path: string): void {
    this.#needFolder(path);
    this.#work();
    this.#pending = this.#pending.filter(({ folder }) => folder !== path);
  }

  #work(inItsMidst: () => void = () => undefined): void {
    this.#operations += 1;
    if (this.#operations < this.#cutAt) return;
    inItsMidst();
    throw new PowerCut("the power was cut");
  }

  #need(path: string): CardEntry {
    const entry = this.#entries.get(path);
    if (entry === undefined) throw new Error(`there is no ${path}`);
    return entry;
  }

  #needFolder(path: string): void {
    if (path !== "/" && this.#need(path).kind !== "folder") throw new Error(`${path} is no folder`);
  }

  #name(path: string, entry: CardEntry): void {
    this.#pending.push({ folder: dirname(path), path, before: this.#entries.get(path) });
    this.#entries.set(path, entry);
  }

  #forget(path: string): void {
    this.#pending.push({ folder: dirname(path), path, before: this.#entries.get(path) });
    this.#entries.delete(path);
  }
}

function folderWith(access: Access): CardEntry {
  return { kind: "folder", bytes: Buffer.alloc(0), access };
}
