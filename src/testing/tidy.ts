/**
 * The house rules of CONTRIBUTING.md as pure functions over (path, text). Each finding says what to do instead.
 * Who may import whom stands in tidy-imports.ts.
 */
import { functionsOf, importsOf, lineAt, type SourceText } from "./source-text.ts";

export interface Finding {
  readonly path: string;
  readonly line: number;
  /** What is wrong; what to do instead. */
  readonly problem: string;
}

export const FILE_LINES_LIMIT = 400;
export const FUNCTION_LINES_LIMIT = 70;

export type Role = "product" | "test" | "testing" | "bench";

/** `test`: test files. `testing`: what they are made with. Only `product` is on a gateway. */
export function roleOf(path: string): Role {
  if (path.endsWith(".test.ts")) return "test";
  if (path.startsWith("src/testing/")) return "testing";
  return path.startsWith("src/bench/") ? "bench" : "product";
}

interface Ban {
  readonly in: "code" | "comments" | "text";
  readonly pattern: RegExp;
  readonly problem: string;
  readonly roles: readonly Role[];
  /** Files that may, each with its reason. */
  readonly except: Readonly<Record<string, string>>;
}

const ALL: readonly Role[] = ["product", "test", "testing", "bench"];

const BANS: readonly Ban[] = [
  {
    in: "code",
    pattern:
      /(?:\bglobalThis\.|(?<![.\w$]))(?:Date\.now|setTimeout|setInterval|setImmediate|Math\.random|performance\.now|AbortSignal\.timeout|hrtime|new Date\(\s*\))(?!\w)/g,
    problem: "reads time or chance by itself; take a Clock or a Random as an argument (core/clock.ts, core/random.ts)",
    roles: ALL,
    except: {
      "src/core/clock.ts": "the host's clock",
      "src/core/random.ts": "the host's chance",
      "src/testing/virtual-clock.ts": "an immediate lets promises settle, which no timer of the clock can",
    },
  },
  {
    in: "code",
    pattern: /(?<![.\w$])process\s*(?:\?\.|[.[])/g,
    problem: "touches process; only main.ts may, pass the value down as an argument",
    roles: ["product"],
    except: { "src/main.ts": "argv, signals and exit codes" },
  },
  {
    in: "code",
    pattern: /(?<![.\w$])console\s*[.[]/g,
    problem: "writes to the console; take a Log (core/log.ts), or return the text and let the caller write it",
    roles: ALL,
    except: {},
  },
  {
    in: "code",
    pattern: /\bas\s+any\b|:\s*any\b|<any\b|\bany\[\]|\bas\s+unknown\s+as\b/g,
    problem: "goes round the type checker; take `unknown` and narrow it",
    roles: ALL,
    except: {},
  },
  {
    in: "comments",
    pattern: /@ts-(?:ignore|nocheck)\b/g,
    problem: "silences the type checker; mend the type",
    roles: ALL,
    except: {},
  },
  {
    in: "comments",
    pattern: /@ts-expect-error\b/g,
    problem: "silences the type checker; only a test may, to prove that something does not compile",
    roles: ["product", "testing", "bench"],
    except: {},
  },
  {
    in: "comments",
    pattern: /\b(?:TODO|FIXME|XXX)\b/g,
    problem: "leaves work behind; do it now or open an issue",
    roles: ALL,
    except: {},
  },
  {
    in: "comments",
    pattern: /\b(?:issue|PR|pull request)\s*#?\d+\b|(?<!\w)#\d+\b/gi,
    problem: "names an issue; say the reason itself, for a reader who never saw the change",
    roles: ALL,
    except: {},
  },
  {
    in: "code",
    pattern: /\.listen\s*\(|\bcreateServer\b|\bcreateSocket\b|\bnew\s+(?:\w+\.)?Server\s*\(/g,
    problem: "could listen (P1: outbound only); a server belongs in src/testing",
    roles: ["product", "bench"],
    except: {},
  },
  {
    in: "code",
    pattern:
      /(?<![.\w$])(?:eval|fetch|importScripts)\s*\(|(?<![.\w$])(?:new\s+)?(?:Function|WebSocket|EventSource)\s*\(|\bimport\s*\((?!\s*"[^"]*"\s*\))/g,
    problem: "could fetch or run code that was not installed; import by a fixed name",
    roles: ["product"],
    except: {},
  },
  {
    in: "text",
    pattern:
      /\brejectUnauthorized\s*:(?!\s*true\b)|\bNODE_TLS_REJECT_UNAUTHORIZED\b|\bcheckServerIdentity\s*:\s*\(\s*\)/g,
    problem: "can turn verification off (P2: TLS only); write `rejectUnauthorized: true` and give the CA",
    roles: ["product", "testing", "bench"],
    except: { "src/testing/tidy.ts": "holds these words as the rule" },
  },
  {
    in: "code",
    pattern: /\bexport\s+default\b|\bas\s+default\b/g,
    problem: "exports a default; give it a name",
    roles: ALL,
    except: {},
  },
];

/** Everything a file can do wrong by itself, imports apart. */
export function checkFile(file: SourceText): Finding[] {
  return [...checkName(file.path), ...checkBans(file), ...checkReExports(file), ...checkLengths(file)];
}

function checkBans(file: SourceText): Finding[] {
  const role = roleOf(file.path);
  return BANS.filter((ban) => ban.roles.includes(role) && !(file.path in ban.except)).flatMap((ban) =>
    [...file[ban.in].matchAll(ban.pattern)].map((match) => ({
      path: file.path,
      line: lineAt(file.text, match.index),
      problem: `\`${match[0].trim()}\` ${ban.problem}`,
    })),
  );
}

const MAGNETS = /^(?:utils?|common|types|helpers?|misc|shared|lib|index)$/;
const KEBAB = /^[a-z0-9]+(?:-[a-z0-9]+)*$/;

function checkName(path: string): Finding[] {
  // `outbox.property.test.ts` is a second test file of outbox.ts.
  const names = path.replace(/(?:(?:\.[a-z]+)?\.test)?\.ts$/, "").split("/");
  return names.flatMap((name) => {
    if (MAGNETS.test(name)) return [{ path, line: 1, problem: `\`${name}\` names nothing; name it for its noun` }];
    if (!KEBAB.test(name)) return [{ path, line: 1, problem: `\`${name}\` is not in kebab-case; rename it` }];
    return [];
  });
}

function checkReExports(file: SourceText): Finding[] {
  return importsOf(file)
    .filter((found) => found.reExport)
    .map((found) => ({
      path: file.path,
      line: found.line,
      problem: `re-exports \`${found.specifier}\`; import it from where it is made (no barrels)`,
    }));
}

function checkLengths(file: SourceText): Finding[] {
  const findings: Finding[] = [];
  const lines = lineAt(file.text, file.text.trimEnd().length);
  if (lines >= FILE_LINES_LIMIT) {
    const problem = `has ${lines} lines, the limit is under ${FILE_LINES_LIMIT}; find the second noun and give it a file`;
    findings.push({ path: file.path, line: lines, problem });
  }
  // A suite is a list of tests: each counts for itself.
  const own = file.path.endsWith(".test.ts") || file.path.endsWith("-contract.ts");
  for (const span of functionsOf(file, own)) {
    if (span.lines < FUNCTION_LINES_LIMIT) continue;
    const problem = `\`${span.name}\` has ${span.lines} lines, the limit is under ${FUNCTION_LINES_LIMIT}; take its parts out`;
    findings.push({ path: file.path, line: span.line, problem });
  }
  return findings;
}

const TOP_FOLDERS = ["board", "hw-test", "scripts", "src", "systemd"];
const TOP_FILES = ["CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "README.md", "package.json"];
const TOOL_FILES = ["biome.json", "knip.json", "package-lock.json", "tsconfig.json"];
/** Made by tools and kept out of the repository. */
const MADE = ["coverage", "dist", "node_modules", "state"];

/** The top level of the project shows the product, not its tools. Names that begin with a dot belong to tools. */
export function checkTopLevel(names: readonly string[]): Finding[] {
  const allowed = new Set([...TOP_FOLDERS, ...TOP_FILES, ...TOOL_FILES, ...MADE]);
  return names
    .filter((name) => !name.startsWith(".") && !name.endsWith(".tsbuildinfo") && !allowed.has(name))
    .map((name) => ({
      path: name,
      line: 1,
      problem: "does not belong at the top; put it into the folder of its purpose",
    }));
}
