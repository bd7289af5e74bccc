/** Cards and an image as files, for tests of scripts/flash.sh: a small image with FAT, root and data partition, signed. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdir, mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const FLASH = fileURLToPath(new URL("../../scripts/flash.sh", import.meta.url));
export const MIB = 1_048_576;
const PARTS_MIB = { table: 1, fat: 2, root: 2, data: 2 };
const FAT_AT = PARTS_MIB.table * MIB;
export const ROOT_AT = FAT_AT + PARTS_MIB.fat * MIB;
export const DATA_AT = ROOT_AT + PARTS_MIB.root * MIB;
export const IMAGE_BYTES = DATA_AT + PARTS_MIB.data * MIB;
export const CARD_BYTES = IMAGE_BYTES + 3 * MIB;
/** The service's user on the image. */
export const USER_ID = "970";

const run = promisify(execFile);
/** Debian keeps the tools of file systems out of an ordinary user's path. */
const ENV = { ...process.env, LC_ALL: "C.UTF-8", PATH: `${process.env.PATH}:/usr/sbin:/sbin` };

export const tool = (program: string, ...args: string[]) => run(program, args, { env: ENV });

export interface Outcome {
  readonly code: number | null;
  readonly said: string;
}

export interface FlashOptions {
  /** What is typed. */
  readonly answer?: string;
  /** What stands for `sallyport`. */
  readonly check?: string;
  /** A program that runs it. */
  readonly wrap?: readonly string[];
}

export class CardRig {
  readonly dir: string;

  private constructor(dir: string) {
    this.dir = dir;
  }

  static async make(): Promise<CardRig> {
    const rig = new CardRig(await mkdtemp(join(tmpdir(), "sallyport-flash-")));
    await rig.#makeImage();
    await rig.#makeSite();
    return rig;
  }

  remove(): Promise<void> {
    return rm(this.dir, { recursive: true });
  }

  at(name: string): string {
    return join(this.dir, name);
  }

  async flash(
    args: readonly string[],
    { answer = "", check = "true", wrap = [] }: FlashOptions = {},
  ): Promise<Outcome> {
    const [program = "", ...rest] = [...wrap, "bash", FLASH, ...args];
    const child = spawn(program, rest, { env: { ...ENV, SALLYPORT: check }, stdio: ["pipe", "pipe", "pipe"] });
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
    }
    child.stdin.on("error", () => undefined).end(answer);
    const [code] = await once(child, "close");
    return { code, said };
  }

  /** What writes the signed image and the site to a card. */
  given(device: string): readonly string[] {
    const [image, key, site] = [this.at("image"), this.at("maker.pub"), this.at("site")];
    return ["--image", image, "--public-key", key, "--site", site, "--device", device];
  }

  /** A card that was never used, as a file. */
  async card(name: string, bytes = CARD_BYTES): Promise<string> {
    await writeFile(this.at(name), "");
    await truncate(this.at(name), bytes);
    return this.at(name);
  }

  /** One that was written before. */
  async usedCard(name: string, bytes = CARD_BYTES): Promise<string> {
    await copyFile(this.at("image"), this.at(name));
    await truncate(this.at(name), bytes);
    return this.at(name);
  }

  async dump(device: string, offset: number, path: string): Promise<string> {
    return (await tool("debugfs", "-R", `cat ${path}`, `${device}?offset=${offset}`)).stdout;
  }

  async onFat(device: string, path: string): Promise<string> {
    return (await tool("mtype", "-i", `${device}@@${FAT_AT}`, `::${path}`)).stdout;
  }

  /** Changes the data partition of a card. */
  async putData(device: string, command: string): Promise<void> {
    await tool("debugfs", "-w", "-R", command, `${device}?offset=${DATA_AT}`);
  }

  async #makeImage(): Promise<void> {
    await mkdir(join(this.at("root"), "etc"), { recursive: true });
    await writeFile(
      join(this.at("root"), "etc", "passwd"),
      `root:x:0:0::/:/bin/sh\nsallyport:x:${USER_ID}:${USER_ID}::/:/bin/false\n`,
    );
    const parts = [
      ["fat", PARTS_MIB.fat, "mkfs.fat", "-n", "BOOT"],
      ["rootfs", PARTS_MIB.root, "mke2fs", "-q", "-t", "ext4", "-d", this.at("root")],
      ["data", PARTS_MIB.data, "mke2fs", "-q", "-t", "ext4"],
    ] as const;
    await this.card("image", IMAGE_BYTES);
    const sizes = parts.map(([, mib]) => `size=${mib}MiB, type=83`);
    await run(
      "bash",
      ["-c", `printf 'label: dos\\nstart=1MiB, ${sizes.join("\\n")}\\n' | sfdisk -q "$1"`, "-", this.at("image")],
      { env: ENV },
    );
    let offset = PARTS_MIB.table;
    for (const [name, mib, program, ...args] of parts) {
      await this.card(name, mib * MIB);
      await tool(program, ...args, this.at(name));
      await tool(
        "dd",
        `if=${this.at(name)}`,
        `of=${this.at("image")}`,
        "bs=1M",
        `seek=${offset}`,
        "conv=notrunc",
        "status=none",
      );
      offset += mib;
    }
    await tool("openssl", "genpkey", "-algorithm", "ed25519", "-out", this.at("maker.key"));
    await tool("openssl", "pkey", "-in", this.at("maker.key"), "-pubout", "-out", this.at("maker.pub"));
    await run("bash", ["-c", 'cd "$1" && sha256sum image > image.sha256', "-", this.dir]);
    await tool(
      "openssl",
      "pkeyutl",
      "-sign",
      "-inkey",
      this.at("maker.key"),
      "-rawin",
      "-in",
      this.at("image.sha256"),
      "-out",
      this.at("image.sha256.sig"),
    );
  }

  async #makeSite(): Promise<void> {
    await mkdir(join(this.at("site"), "tls"), { recursive: true });
    await writeFile(
      join(this.at("site"), "site.yaml"),
      "version: 1\nhostname: pump-house-3\nconsole: { passwordFile: console.password }\n",
    );
    await writeFile(join(this.at("site"), "gateway.yaml"), "version: 1\n");
    await writeFile(join(this.at("site"), "console.password"), "geheimnis\n");
    await writeFile(join(this.at("site"), "tls", "ca.pem"), "a CA\n");
  }
}
