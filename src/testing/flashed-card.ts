/** Images and cards for emulated boards, made by the very scripts that a technician runs. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { truncate, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const MAKE_IMAGE = fileURLToPath(new URL("../../scripts/image.sh", import.meta.url));
const FLASH = fileURLToPath(new URL("../../scripts/flash.sh", import.meta.url));
const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));
/** Images are smaller, so that their data partition must grow. */
const CARD_BYTES = 1_073_741_824;

/** Told line by line, so that it shows what takes how long on a machine that has none of it yet. */
export async function makeImage(
  image: string,
  tell: (line: string) => void,
  ...options: readonly string[]
): Promise<string> {
  const child = spawn("bash", [MAKE_IMAGE, "--output", image, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  for await (const line of createInterface({ input: child.stdout })) tell(line.replaceAll(`${dirname(image)}/`, ""));
  const [code] = await exited;
  if (code !== 0) throw new Error("the image could not be made");
  return image;
}

/** A new card, as a file. */
export async function flashCard(image: string, site: string, card: string): Promise<void> {
  await writeFile(card, "");
  await truncate(card, CARD_BYTES);
  const args = ["--image", image, "--unsigned", "--site", site, "--device", card, "--yes"];
  const env = { ...process.env, SALLYPORT: `${process.execPath} --import tsx ${MAIN}` };
  await promisify(execFile)(FLASH, args, { env });
}
