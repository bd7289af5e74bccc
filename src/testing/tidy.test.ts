import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { functionsOf, importsOf, type SourceText, sourceText } from "./source-text.ts";
import { checkFile, checkTopLevel, FILE_LINES_LIMIT, type Finding, FUNCTION_LINES_LIMIT } from "./tidy.ts";
import { checkImports } from "./tidy-imports.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

function readSources(folder: string): SourceText[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .sort()
    .map((name) => sourceText(join(folder, name), readFileSync(join(ROOT, folder, name), "utf8")));
}

/** Each finding on its line, as an editor can open it. */
function told(findings: readonly Finding[]): string {
  return findings.map((finding) => `${finding.path}:${finding.line} ${finding.problem}`).join("\n");
}

const SOURCES = [...readSources("src"), ...readSources("hw-test")];

function assertNone(findings: readonly Finding[]): void {
  if (findings.length > 0) assert.fail(`\n${told(findings)}`);
}

test("every file keeps the house rules", () => {
  assertNone(SOURCES.flatMap(checkFile));
});

test("every import follows main → commands → gateway → stages → pipeline → core, without cycles", () => {
  assertNone(checkImports(SOURCES));
});

test("the top level holds what the product is made of", () => {
  assertNone(checkTopLevel(readdirSync(ROOT)));
});

test("the scanner reads every file to its end", () => {
  for (const { path, text, code, comments } of SOURCES) {
    assert.equal(code.length, text.length, path);
    assert.equal(comments.length, text.length, path);
    const depth = [...code.matchAll(/[{}]/g)].reduce((sum, brace) => sum + (brace[0] === "{" ? 1 : -1), 0);
    assert.equal(depth, 0, `${path}: the braces pair`);
  }
});

// Each rule, shown what it must catch and what it must let pass.

const PRODUCT = "src/tags/tag-table.ts";

interface Case {
  readonly rule: string;
  readonly path?: string;
  readonly bad: readonly string[];
  readonly good: readonly string[];
}

const CASES: readonly Case[] = [
  {
    rule: "reads time or chance by itself",
    bad: [
      "const t = Date.now();",
      "setTimeout(f, 1);",
      "globalThis.setInterval(f)",
      "a = new Date();",
      "x(Math.random)",
      "`$" + "{performance.now()}`",
    ],
    good: [
      "// Date.now()",
      '"setTimeout"',
      "new Date(0)",
      "client.setTimeout(50)",
      "/Date.now/.test(x)",
      "clearTimeout(handle)",
      "`Date.now()`",
    ],
  },
  { rule: "reads time or chance by itself", path: "src/tags/a.test.ts", bad: ["setImmediate(f);"], good: [] },
  { rule: "reads time or chance by itself", path: "src/core/clock.ts", bad: [], good: ["Date.now()"] },
  {
    rule: "touches process",
    bad: ["process.exit(1)", "process?.env", 'process["env"]'],
    good: ["this.process.x", "preprocess.x", "{ process: 1 }"],
  },
  { rule: "touches process", path: "src/main.ts", bad: [], good: ["process.argv"] },
  { rule: "touches process", path: "src/testing/pty.ts", bad: [], good: ["process.pid"] },
  { rule: "writes to the console", path: "src/a.test.ts", bad: ["console.log(1)"], good: ["screen.console.x"] },
  {
    rule: "goes round the type checker",
    bad: ["x as any", "f(a: any)", "new Set<any>()", "let a: any[]", "x as unknown as Y"],
    good: ["x as unknown", "const company: anyone", "// any: any"],
  },
  { rule: "silences the type checker", bad: ["// @ts-ignore", "// @ts-expect-error"], good: ['"@ts-ignore"'] },
  { rule: "silences the type checker", path: "src/a.test.ts", bad: ["// @ts-nocheck"], good: ["// @ts-expect-error"] },
  { rule: "leaves work behind", bad: ["// TODO: x", "/* FIXME */", "/** XXX */"], good: ['"TODO"', "// mastodon"] },
  {
    rule: "names an issue",
    bad: ["// see issue 12", "// as in #7", "// PR #3"],
    good: ["// a fault of 12 V", "this.#a1"],
  },
  {
    rule: "could listen (P1",
    bad: ["socket.listen(1)", "net.createServer(f)", "createSocket('udp4')", "new net.Server()"],
    good: ["listener(1)", "broker.server", "// .listen("],
  },
  { rule: "could listen (P1", path: "src/testing/broker-main.ts", bad: [], good: ["createServer(f).listen(0)"] },
  {
    rule: "can turn verification off (P2",
    bad: ["{ rejectUnauthorized: false }", "{ rejectUnauthorized: strict }", 'env["NODE_TLS_REJECT_UNAUTHORIZED"]'],
    good: ["{ rejectUnauthorized: true }"],
  },
  {
    rule: "could fetch or run code",
    bad: [
      "eval(text)",
      "await fetch(url)",
      "new Function(text)",
      "new WebSocket(url)",
      "import(file)",
      'import("./" + name)',
    ],
    good: ['await import("./run.ts")', 'import x from "./x.ts"', "outbox.fetch(1)", "type F = Function", "refetch(1)"],
  },
  {
    rule: "exports a default",
    bad: ["export default f;", "export { f as default };"],
    good: ["const x = { default: 1 };"],
  },
  {
    rule: "re-exports",
    bad: ['export * from "./a.ts";', 'export type { A } from "./a.ts";'],
    good: ['import "./a.ts";'],
  },
];

for (const { rule, path = PRODUCT, bad, good } of CASES) {
  test(`caught in ${path}: ${rule}`, () => {
    for (const text of bad) {
      const problems = checkFile(sourceText(path, `\n${text}\n`)).filter((found) => found.problem.includes(rule));
      assert.deepEqual([problems.length, problems[0]?.line], [1, 2], text);
    }
    for (const text of good) assert.equal(told(checkFile(sourceText(path, `\n${text}\n`))), "", text);
  });
}

test("caught: names that name nothing, or in another case", () => {
  for (const path of ["src/utils/a.ts", "src/tags/types.ts", "src/tags/helpers.test.ts", "src/tags/index.ts"]) {
    assert.match(told(checkFile(sourceText(path, ""))), /names nothing/, path);
  }
  assert.match(told(checkFile(sourceText("src/tags/tagTable.ts", ""))), /kebab-case/);
  assert.equal(told(checkFile(sourceText("src/tags/tag-table.test.ts", ""))), "");
});

function linesOf(count: number): string {
  return "a();\n".repeat(count);
}

test("caught: files and functions at their limits", () => {
  assert.equal(told(checkFile(sourceText(PRODUCT, linesOf(FILE_LINES_LIMIT - 1)))), "");
  assert.match(told(checkFile(sourceText(PRODUCT, linesOf(FILE_LINES_LIMIT)))), /has 400 lines/);
  for (const header of [
    "function f(): void {",
    "const f = async (a: A): Promise<B> => {",
    "  async run<T, U>(a: Map<T, U>): Promise<Map<T, U>> {",
    "  onAppend(listener: () => void): () => void {",
    "function f(): { a: number; b: string } {",
    "function f({ a, b }: { a: number; b: string }, c = { d: 1 }) {",
    "const f = function* () {",
    "x.then((a) => {",
    "const made = {\n  a,\n  b: () => {",
  ]) {
    const close = "}".repeat(header.startsWith("const made") ? 2 : 1);
    const least = FUNCTION_LINES_LIMIT - 2;
    const problems = (inner: number) => told(checkFile(sourceText(PRODUCT, `${header}\n${linesOf(inner)}${close}\n`)));
    assert.equal(problems(least - 1), "", header);
    assert.match(problems(least), /has 70 lines/, header);
  }
});

test("let pass: long blocks that are no functions, and suites of short tests", () => {
  for (const header of [
    "class A extends f() {",
    "for (let i = 0; i < n; i++) {",
    "for await (const a of b) {",
    "if (a) {} else if (b(c)) {",
    "const table: Record<A, () => void> = {",
    "export interface A {",
  ]) {
    assert.equal(told(checkFile(sourceText(PRODUCT, `${header}\n${linesOf(FUNCTION_LINES_LIMIT)}}\n`))), "", header);
  }
  const suite = `export function suite() {\n${`  test("a", () => {\n${linesOf(30)}  });\n`.repeat(4)}}\n`;
  assert.equal(told(checkFile(sourceText("src/testing/line-contract.ts", suite))), "");
  assert.match(told(checkFile(sourceText("src/testing/pty.ts", suite))), /has 130 lines/);
});

function importFindings(path: string, specifier: string): string {
  return told(checkImports([sourceText(path, `import type { A } from "${specifier}";\n`)]));
}

test("caught: imports against the way of the data", () => {
  const REFUSED: readonly (readonly [string, string, RegExp])[] = [
    ["src/core/tag.ts", "../pipeline.ts", /core must not import pipeline/],
    ["src/pipeline.ts", "./tags/tag-table.ts", /pipeline must not import tags/],
    ["src/config/load.ts", "../tags/tag-table.ts", /config must not import tags/],
    ["src/tags/tag-table.ts", "../store/outbox.ts", /tags must not import store .*seams of pipeline/],
    ["src/sources/modbus/bus.ts", "../gpio/counter.ts", /sources\/modbus must not import sources\/gpio/],
    ["src/tags/tag-table.ts", "../config/load.ts", /tags must not import config .*types of config\/config\.ts/],
    ["src/tags/tag-table.ts", "../gateway.ts", /tags must not import gateway/],
    ["src/tags/tag-table.ts", "../testing/virtual-clock.ts", /only tests, benches, the demo and simulate may/],
    ["src/gateway.ts", "./commands/check.ts", /gateway must not import commands/],
    ["src/commands/check.ts", "../testing/pty.ts", /commands must not import testing/],
    ["src/commands/check.ts", "../main.ts", /start it as a program/],
    ["src/main.ts", "./gateway.ts", /main must not import gateway/],
    ["src/testing/pty.ts", "../commands/check.ts", /testing must not import commands/],
    ["src/tags/tag-table.ts", "./deadband.test.ts", /imports the test/],
    ["src/tags/tag-table.ts", "./deadband.js", /ending in \.ts/],
    ["src/sources/serial.ts", "../core/tag.ts", /stands in no known folder/],
    ["src/stray/a.ts", "../core/tag.ts", /stands in no known folder/],
  ];
  for (const [path, specifier, problem] of REFUSED) assert.match(importFindings(path, specifier), problem);
});

test("let pass: imports along the way of the data", () => {
  for (const [path, specifier] of [
    ["src/main.ts", "./commands/cli.ts"],
    ["src/commands/run.ts", "../gateway.ts"],
    ["src/commands/cli.ts", "./demo/story.ts"],
    ["src/commands/demo/story.ts", "../../testing/ledger.ts"],
    ["src/commands/simulate.ts", "../testing/modbus-device.ts"],
    ["src/gateway.ts", "./sources/gpio/gpio-source.ts"],
    ["src/tags/tag-table.ts", "../config/config.ts"],
    ["src/uplinks/json/encode.ts", "../session.ts"],
    ["src/tags/tag-table.test.ts", "../store/outbox.ts"],
    ["hw-test/serial-loop.ts", "../src/sources/modbus/serial-line.ts"],
  ] as const) {
    assert.equal(importFindings(path, specifier), "");
  }
});

test("caught: packages outside their adapter, and builtins that could break a promise", () => {
  assert.match(importFindings("src/store/outbox.ts", "better-sqlite3"), /known to src\/store\/sqlite\.ts only/);
  assert.match(importFindings("src/store/sqlite.ts", "aedes"), /no package of the product/);
  assert.match(
    importFindings("src/tags/tag-table.ts", "@serialport/stream/dist"),
    /`@serialport\/stream` is no package/,
  );
  assert.match(importFindings("src/tags/tag-table.ts", "node:dgram"), /P1/);
  assert.match(importFindings("src/tags/tag-table.ts", "node:process"), /only main\.ts may/);
  assert.match(importFindings("src/tags/tag-table.ts", "node:child_process"), /one process/);
  assert.match(importFindings("src/tags/tag-table.ts", "node:https"), /not installed/);
  assert.equal(importFindings("src/uplinks/proxy-tunnel.ts", "node:http"), "");
  assert.equal(importFindings("src/store/sqlite.ts", "better-sqlite3"), "");
  assert.equal(importFindings("src/tags/tag-table.ts", "node:path"), "");
  assert.equal(importFindings("src/testing/broker-main.ts", "aedes"), "");
});

test("caught once: a cycle, of types too", () => {
  const a = sourceText("src/tags/a.ts", 'import type { B } from "./b.ts";\n');
  const b = sourceText("src/tags/b.ts", '\nimport { C } from "./c.ts";\n');
  const c = sourceText("src/tags/c.ts", 'import { type A } from "./a.ts";\n');
  const cycle = "src/tags/a.ts → src/tags/b.ts → src/tags/c.ts → src/tags/a.ts";
  const another = sourceText("src/tags/d.ts", 'import type { B } from "./b.ts";\n');
  assert.equal(
    told(checkImports([a, b, c, another])),
    `src/tags/c.ts:1 closes a cycle: ${cycle}; move what both need to one side, or below both`,
  );
  assert.equal(told(checkImports([a, b])), "");
});

test("caught: what does not belong at the top", () => {
  assert.equal(told(checkTopLevel(["src", ".ci", "package.json", "node_modules"])), "");
  assert.match(told(checkTopLevel(["docs"])), /^docs:1 does not belong at the top/);
});

test("the scanner tells code from comments and literals", () => {
  // `%{` stands for the opening of a placeholder, which the linter would take for a mistake here.
  const literal = (text: string) => text.replaceAll("%{", "$" + "{");
  const text = literal("`a %{b(`c %{d} }`) + { e: 1 }.e} // f`; // g\nx = y / 2 / z; r = /[/`\"]\\//g; s = 'it\\'s';");
  const seen = sourceText(PRODUCT, text);
  const code = literal("` %{b(` %{d} `) + { e: 1 }.e} `; \nx = y / 2 / z; r = / /g; s = ' ';");
  assert.equal(seen.code.replace(/ +/g, " "), code);
  assert.equal(seen.comments.trim(), "// g");
});

test("the scanner finds imports of every form", () => {
  const text = [
    'import a, { type B } from "./a.ts";',
    'import {\n  c,\n} from "./c.ts";',
    'import "./d.ts";',
    'const e = await import("./e.ts");',
    'type F = typeof import("./f.ts");',
    '// import "./no.ts"',
    'const from = "./no.ts";',
    'export const x = f("./no.ts");',
  ].join("\n");
  const found = importsOf(sourceText(PRODUCT, text)).map((one) => `${one.line} ${one.specifier}`);
  assert.deepEqual(found, ["1 ./a.ts", "2 ./c.ts", "5 ./d.ts", "6 ./e.ts", "7 ./f.ts"]);
});

test("the scanner names functions by their first line", () => {
  const text =
    "f({});\nclass A {\n  b = g({});\n  run(a: number): void {\n    each((b) => {\n      a;\n    });\n  }\n}\n";
  assert.deepEqual(functionsOf(sourceText(PRODUCT, text), true), [
    { name: "each((b) => {", line: 5, lines: 3 },
    { name: "run(a: number): void {", line: 4, lines: 2 },
  ]);
});
