/** Runs `protoc` over the schema of this folder: an encoder and decoder that share nothing with ours. */
import { spawn } from "node:child_process";
import { dirname } from "node:path";
import { buffer, text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const SCHEMA = fileURLToPath(new URL("./payload.proto", import.meta.url));
const PACKAGE = "sallyport.testing";

/** Undefined where it refuses the input. Throws where it does not run. */
export async function runProtoc(
  way: "encode" | "decode",
  message: string,
  input: Uint8Array | string,
): Promise<Buffer | undefined> {
  const args = [`--${way}=${PACKAGE}.${message}`, `--proto_path=${dirname(SCHEMA)}`, SCHEMA];
  const child = spawn("protoc", args, { stdio: ["pipe", "pipe", "pipe"] });
  const exited = new Promise<number | null>((resolve, reject) => {
    child.once("close", resolve);
    child.once("error", reject);
  });
  // It may end before it has read all of what it refuses.
  child.stdin.on("error", () => undefined);
  child.stdin.end(input);
  const [out, err, code] = await Promise.all([buffer(child.stdout), text(child.stderr), exited]);
  if (code === 0) return out;
  if (/Failed to parse input/.test(err)) return undefined;
  throw new Error(`protoc ended with ${code}: ${err}`);
}
