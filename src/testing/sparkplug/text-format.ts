/** Reads what `protoc --decode` writes: protobuf's text format, a field a line. */

/** A number, a word, or the bytes of a string; or a message within. */
export type TextValue = string | Buffer | TextFields;

/** By field name, or by number where the schema has none; in the order of the wire. */
export type TextFields = ReadonlyMap<string, readonly TextValue[]>;

const LINE = /^(?<name>\w+)(?:: (?<value>.*)| (?<opens>\{))$/;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", r: "\r", t: "\t", a: "\x07", b: "\b", f: "\f", v: "\v" };

/** Throws where a line is none of this format. */
export function parseTextFormat(text: string): TextFields {
  const root = new Map<string, TextValue[]>();
  const open: Map<string, TextValue[]>[] = [root];
  for (const line of text.split("\n")) {
    const trimmed = line.trim();
    if (trimmed === "") continue;
    const top = open.at(-1);
    if (top === undefined) throw new Error("more messages end than begin");
    if (trimmed === "}") {
      open.pop();
      continue;
    }
    const { name, value, opens } = LINE.exec(trimmed)?.groups ?? {};
    if (name === undefined) throw new Error(`no line of the text format: ${trimmed}`);
    const values = top.get(name) ?? [];
    top.set(name, values);
    if (opens === undefined) {
      values.push(scalar(value ?? ""));
    } else {
      const message = new Map<string, TextValue[]>();
      values.push(message);
      open.push(message);
    }
  }
  if (open.length !== 1) throw new Error("a message does not end");
  return root;
}

function scalar(text: string): string | Buffer {
  return text.startsWith('"') ? unescaped(text.slice(1, -1)) : text;
}

/** Every byte beyond ASCII is written as three octal digits. */
function unescaped(text: string): Buffer {
  const latin1 = text.replace(/\\(?:([0-7]{3})|(.))/g, (_, octal: string | undefined, letter: string) =>
    octal === undefined ? (ESCAPES[letter] ?? letter) : String.fromCharCode(Number.parseInt(octal, 8)),
  );
  return Buffer.from(latin1, "latin1");
}
