/** One archive for support: what doctor found, the configuration, the picture of the service. Never a secret. */
import { gzipSync } from "node:zlib";

export interface ReportFile {
  readonly name: string;
  readonly text: string;
}

const BLOCK_BYTES = 512;
const MODE = "0000600";
const OWNER = "0000000";

/** Keys whose values are no business of anybody. */
const SECRET_KEY =
  /(["']?(?:pass|passwd|password|passphrase|secret|token|apikey|api-key|privatekey|credentials?)["']?\s*[:=]\s*)("[^"]*"|'[^']*'|[^\s,}\]]+)/gi;
const URL_LOGIN = /(\w+:\/\/)[^\s/"'@]*:[^\s"']*@/g;
const PEM = /-----BEGIN [^-]+-----[\s\S]*?(?:-----END [^-]+-----|$)/g;

/** Whatever text it is: logins in URLs, values of secret keys and PEM blocks are taken out. */
export function withoutSecrets(text: string): string {
  return text.replace(PEM, "(left out)").replace(URL_LOGIN, "$1…@").replace(SECRET_KEY, "$1(left out)");
}

/** A configuration, without its comments too: people note passwords there. */
export function configurationWithoutSecrets(yaml: string): string {
  const lines = yaml.split("\n").map((line) => withoutComment(line).trimEnd());
  return withoutSecrets(lines.filter((line) => line !== "").join("\n"));
}

/** A # begins a comment at the line's begin or after a space, outside quotes (YAML 1.2, 6.6). */
function withoutComment(line: string): string {
  let quote = "";
  for (const [at, char] of [...line].entries()) {
    if (quote !== "") {
      if (char === quote) quote = "";
    } else if (char === '"' || char === "'") {
      quote = char;
    } else if (char === "#" && (at === 0 || /\s/.test(line[at - 1] ?? ""))) {
      return line.slice(0, at);
    }
  }
  return line;
}

/** A .tar.gz (POSIX.1-1988, ustar) with every file cleaned once more. @param wallMs time of its files */
export function archive(files: readonly ReportFile[], wallMs: number): Uint8Array {
  const parts = files.flatMap(({ name, text }) => {
    const content = Buffer.from(withoutSecrets(text), "utf8");
    const padding = Buffer.alloc((BLOCK_BYTES - (content.length % BLOCK_BYTES)) % BLOCK_BYTES);
    return [header(name, content.length, wallMs), content, padding];
  });
  return gzipSync(Buffer.concat([...parts, Buffer.alloc(2 * BLOCK_BYTES)]));
}

/** Fields have fixed places; the checksum counts itself as spaces. */
function header(name: string, bytes: number, wallMs: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  block.write(`sallyport-report/${name}`, 0, 100, "utf8");
  block.write(MODE, 100, 8, "latin1");
  block.write(OWNER, 108, 8, "latin1");
  block.write(OWNER, 116, 8, "latin1");
  block.write(bytes.toString(8).padStart(11, "0"), 124, 12, "latin1");
  block.write(
    Math.floor(wallMs / 1_000)
      .toString(8)
      .padStart(11, "0"),
    136,
    12,
    "latin1",
  );
  block.write("        0", 148, 9, "latin1");
  block.write("ustar\x0000", 257, 8, "latin1");
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8, "latin1");
  return block;
}
