/**
 * TypeScript text as the tidy rules see it: code apart from comments, imports, functions with their lengths.
 * A scanner, not a parser: it knows where literals and comments begin and end, and pairs braces. The native compiler
 * has no parser for others to call, and for these rules this is enough.
 */

export interface SourceText {
  /** From the root of the project, with slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments and the insides of strings blanked: same length, same lines. */
  readonly code: string;
  /** The text with all but comments blanked: same length, same lines. */
  readonly comments: string;
}

export interface Import {
  readonly specifier: string;
  readonly line: number;
  readonly reExport: boolean;
}

export interface FunctionSpan {
  /** The beginning of its first line, trimmed. */
  readonly name: string;
  readonly line: number;
  readonly lines: number;
}

type Kind = "code" | "comment" | "literal";

/** A piece of text from where the one before ends. */
interface Piece {
  readonly kind: Kind;
  readonly end: number;
}

export function sourceText(path: string, text: string): SourceText {
  let code = "";
  let comments = "";
  let at = 0;
  for (const piece of pieces(text)) {
    const part = text.slice(at, piece.end);
    code += piece.kind === "code" ? part : blank(part);
    comments += piece.kind === "comment" ? part : blank(part);
    at = piece.end;
  }
  return { path, text, code, comments };
}

/** 1-based line of an offset. */
export function lineAt(text: string, offset: number): number {
  let line = 1;
  for (let i = text.indexOf("\n"); i >= 0 && i < offset; i = text.indexOf("\n", i + 1)) line++;
  return line;
}

const IMPORT = /\b(import|export)\b(?:\s*\(\s*|[^;"'`()=]*?\bfrom\s*|\s*)(["'])/g;

/** Static and dynamic imports and re-exports, types too. */
export function importsOf(source: SourceText): Import[] {
  return [...source.code.matchAll(IMPORT)].map((match) => {
    const start = match.index + match[0].length;
    const end = source.code.indexOf(match[2] ?? '"', start);
    return {
      specifier: source.text.slice(start, end),
      line: lineAt(source.text, match.index),
      reExport: match[1] === "export",
    };
  });
}

interface Block {
  readonly header: string;
  readonly start: number;
  /** Parentheses open around it. */
  readonly parens: number;
  /** Lines of the functions inside it. */
  innerLines: number;
}

/** Functions, methods and arrow functions with a body in braces. With `own`, without the lines of those inside them. */
export function functionsOf(source: SourceText, own: boolean): FunctionSpan[] {
  const open: Block[] = [];
  const spans: FunctionSpan[] = [];
  let headerFrom = 0;
  let parens = 0;
  let closed = "";
  for (const match of source.code.matchAll(/[{};()]|,\n/g)) {
    const mark = match[0];
    if (mark === "(") parens++;
    else if (mark === ")") parens--;
    else if (mark === "{") {
      const text = source.code.slice(headerFrom, match.index);
      // `): { a: number } {`: the braces of the result type stand between the header and its body.
      const header = text.trim() === "" && closed.endsWith(":") ? closed : text.trim();
      open.push({ header, start: headerFrom + text.length - text.trimStart().length, parens, innerLines: 0 });
      parens = 0;
    } else if (mark === "}") {
      const block = open.pop();
      if (block === undefined) continue;
      parens = block.parens;
      closed = block.header;
      const line = lineAt(source.code, block.start);
      const lines = lineAt(source.code, match.index) - line + 1;
      const isFunction = beginsFunction(block.header);
      const outer = open.at(-1);
      if (outer !== undefined) outer.innerLines += isFunction ? lines : block.innerLines;
      if (isFunction) spans.push({ name: nameOf(source, block), line, lines: own ? lines - block.innerLines : lines });
    }
    // A semicolon or comma inside parentheses, as in `for (;;)`, belongs to the header.
    if (mark === "{" || mark === "}" || (parens === 0 && mark !== "(" && mark !== ")")) {
      headerFrom = match.index + mark.length;
    }
  }
  return spans;
}

const NAME_MAX_CHARS = 60;

function nameOf(source: SourceText, block: Block): string {
  const line = source.text.slice(block.start).split("\n", 1).at(0) ?? "";
  return line.slice(0, NAME_MAX_CHARS);
}

const NOT_FUNCTIONS = /\bclass\b|(?:^|[\s:])(?:if|for|while|switch|catch|with)\s*(?:await\s*)?\(/;

function beginsFunction(header: string): boolean {
  if (header.endsWith("=>")) return true;
  return !NOT_FUNCTIONS.test(header) && /\)\s*(?::.*)?$/s.test(header);
}

function blank(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

/** Code, comments and the insides of literals in turn. Quotes count as code, so that imports can be found. */
function* pieces(text: string): Generator<Piece> {
  let at = 0;
  /** Depth of braces at which each open `${` returns to its template. */
  const templates: number[] = [];
  let depth = 0;
  while (at < text.length) {
    const char = text.charAt(at);
    const pair = text.slice(at, at + 2);
    if (pair === "//" || pair === "/*") {
      const close = pair === "//" ? text.indexOf("\n", at) : text.indexOf("*/", at + 2) + 2;
      at = close < at + 2 ? text.length : close;
      yield { kind: "comment", end: at };
      continue;
    }
    const returnsToTemplate = char === "}" && templates.at(-1) === depth;
    if (char === "{") depth++;
    if (char === "}" && !returnsToTemplate) depth--;
    at++;
    yield { kind: "code", end: at };
    if (char === '"' || char === "'") at = literalEnd(text, at, char);
    else if (char === "/" && beginsRegex(text, at - 1)) at = regexEnd(text, at);
    else if (char === "`" || returnsToTemplate) {
      if (returnsToTemplate) templates.pop();
      at = templateEnd(text, at);
      const opens = text.startsWith("${", at);
      if (opens) templates.push(depth);
      yield { kind: "literal", end: at };
      at += opens ? 2 : 1;
      yield { kind: "code", end: at };
      continue;
    } else continue;
    yield { kind: "literal", end: at };
    yield { kind: "code", end: ++at };
  }
}

/** Offset of the closing quote. */
function literalEnd(text: string, from: number, quote: string): number {
  let at = from;
  while (at < text.length && text.charAt(at) !== quote && text.charAt(at) !== "\n")
    at += text.charAt(at) === "\\" ? 2 : 1;
  return at;
}

/** Offset of the closing backtick, or of the next `${`. */
function templateEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text.charAt(at) !== "`" && !text.startsWith("${", at))
    at += text.charAt(at) === "\\" ? 2 : 1;
  return at;
}

function regexEnd(text: string, from: number): number {
  let at = from;
  let inClass = false;
  while (at < text.length && text.charAt(at) !== "\n" && (inClass || text.charAt(at) !== "/")) {
    const char = text.charAt(at);
    if (char === "[") inClass = true;
    if (char === "]") inClass = false;
    at += char === "\\" ? 2 : 1;
  }
  return at;
}

/** A slash after a value divides; after an operator, an opening or a keyword it begins a pattern. */
function beginsRegex(text: string, slash: number): boolean {
  const before = text.slice(Math.max(0, slash - 40), slash).trimEnd();
  return before === "" || /[(,=:[!&|?{};+\-*%~^<>]$|\b(?:return|typeof|case|in|of|yield|await)$/.test(before);
}
