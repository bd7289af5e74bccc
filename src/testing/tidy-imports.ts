/** Who may import whom: main → commands → gateway → stages → pipeline → core, without cycles. */
import { posix } from "node:path";
import { type Import, importsOf, type SourceText } from "./source-text.ts";
import { type Finding, roleOf } from "./tidy.ts";

const STAGES = ["sources/modbus", "sources/gpio", "tags", "store", "uplinks", "clock", "diagnostics", "leds"] as const;
const FROM_PIPELINE = ["pipeline", "core"];
const FROM_GATEWAY = [...STAGES, "config", ...FROM_PIPELINE];
const FROM_COMMANDS = ["commands", "hw-test", "gateway", "first-boot", ...FROM_GATEWAY];

/** What the files of an area may import of ours. Every stage may import itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  main: ["commands", "config", "core"],
  commands: FROM_COMMANDS,
  // These run simulators and the development broker.
  "commands/demo": [...FROM_COMMANDS, "testing"],
  "commands/simulate": [...FROM_COMMANDS, "testing"],
  gateway: FROM_GATEWAY,
  // The steps of a command, in the folder where people look for them.
  "hw-test": ["hw-test", "leds", ...FROM_COMMANDS],
  // Runs before the gateway does, on its files.
  "first-boot": ["first-boot", "config", "core"],
  ...Object.fromEntries(STAGES.map((stage) => [stage, [stage, "config.ts", ...FROM_PIPELINE]])),
  config: ["config", ...FROM_PIPELINE],
  pipeline: ["core"],
  core: ["core"],
  // What the README shows of the commands.
  "testing/screens": ["testing", "testing/screens", ...FROM_COMMANDS],
  "testing/fuzz": ["testing", "testing/fuzz", ...FROM_COMMANDS],
  testing: ["testing", "gateway", "first-boot", ...FROM_GATEWAY],
  bench: ["bench", "testing", ...FROM_COMMANDS],
  test: ["testing", "testing/screens", "testing/fuzz", "bench", ...FROM_COMMANDS],
};

/** npm packages of the product and where they may be known: a file, or a folder where the package is its language. */
const ADAPTERS: Readonly<Record<string, readonly string[]>> = {
  "better-sqlite3": ["src/store/sqlite.ts"],
  "modbus-serial": ["src/sources/modbus/bus.ts"],
  mqtt: ["src/uplinks/mqtt-connection.ts"],
  "mqtt-packet": ["src/uplinks/mqtt-connection.ts"],
  onoff: ["src/sources/gpio/sysfs-pins.ts"],
  serialport: ["src/sources/modbus/serialport-line.ts"],
  valibot: ["src/config/"],
  yaml: ["src/config/document.ts"],
};

const FETCHES = "could fetch or run code that was not installed; do without";

/** Parts of Node with which a promise could be broken, and what to do instead. */
const BANNED_BUILTINS: Readonly<Record<string, string>> = {
  "node:child_process": "starts a program; the gateway is one process, helpers are named in the README",
  "node:cluster": "can listen (P1: outbound only); do without",
  "node:http": FETCHES,
  "node:http2": FETCHES,
  "node:https": FETCHES,
  "node:module": FETCHES,
  "node:repl": FETCHES,
  "node:vm": FETCHES,
  "node:dgram": "can listen (P1: outbound only); do without",
  "node:inspector": "can listen (P1: outbound only); do without",
  "node:timers": "makes timers; take a Clock as an argument (core/clock.ts)",
  "node:timers/promises": "makes timers; take a Clock as an argument (core/clock.ts)",
  "node:process": "touches process; only main.ts may, pass the value down as an argument",
};

const MAY_USE_BUILTIN: Readonly<Record<string, string>> = {
  "src/main.ts node:process": "argv, signals and exit codes",
  "src/core/clock.ts node:process": "hrtime, the monotonic clock",
  "src/uplinks/proxy-tunnel.ts node:http": "CONNECT to a proxy; the body of no answer is read",
  "src/sources/gpio/chardev-pins.ts node:child_process": "perl with gpio-lines.pl: Node has no ioctl for pins",
  "src/diagnostics/service-manager.ts node:child_process": "systemd-notify: Node cannot send to a Unix datagram socket",
};

export function checkImports(files: readonly SourceText[]): Finding[] {
  return [...files.flatMap(checkFileImports), ...findCycles(files)];
}

function checkFileImports(file: SourceText): Finding[] {
  return importsOf(file).flatMap((found) => {
    const problem = found.specifier.startsWith(".")
      ? ownProblem(file, found)
      : packageProblem(file.path, found.specifier);
    return problem === undefined ? [] : [{ path: file.path, line: found.line, problem }];
  });
}

function ownProblem(file: SourceText, found: Import): string | undefined {
  if (!found.specifier.endsWith(".ts"))
    return `imports \`${found.specifier}\`; write the file's own name, ending in .ts`;
  const target = resolve(file.path, found.specifier);
  if (target === "src/main.ts") return "imports main.ts, which runs at once; start it as a program";
  if (target.endsWith(".test.ts")) return `imports the test ${target}; move what both need into src/testing`;
  const from = roleOf(file.path) === "test" ? "test" : areaOf(file.path);
  const to = areaOf(target);
  const allowed = MAY_IMPORT[from];
  if (allowed === undefined) return `stands in no known folder (${from}); put it into a stage, or add the stage here`;
  if (allowed.includes(to) || (target === "src/config/config.ts" && allowed.includes("config.ts"))) return undefined;
  // A command may be a folder of its own.
  if (to.startsWith("commands/") && allowed.includes("commands")) return undefined;
  return `${from} must not import ${to} (${target}); ${remedy(to)}`;
}

function remedy(to: string): string {
  if (to === "testing") return "only tests, benches, the demo and simulate may";
  if (to === "config") return "take the types of config/config.ts and let gateway.ts hand the rest in";
  return "meet it through the seams of pipeline.ts, joined in gateway.ts";
}

function packageProblem(path: string, specifier: string): string | undefined {
  if (roleOf(path) !== "product") return undefined;
  if (specifier.startsWith("node:")) {
    const banned = BANNED_BUILTINS[specifier];
    return banned === undefined || `${path} ${specifier}` in MAY_USE_BUILTIN ? undefined : `\`${specifier}\` ${banned}`;
  }
  const parts = specifier.split("/");
  const name = parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  const adapters = ADAPTERS[name];
  if (adapters === undefined)
    return `\`${name}\` is no package of the product; do without, or name its one adapter here`;
  return adapters.some((adapter) => path.startsWith(adapter))
    ? undefined
    : `\`${name}\` is known to ${adapters.join(", ")} only; go through it`;
}

/** The folder or file under src/ that the rules speak of. */
function areaOf(path: string): string {
  if (path.startsWith("hw-test/")) return "hw-test";
  const parts = path.replace(/\.ts$/, "").split("/").slice(1);
  const [first = "", second = ""] = parts;
  if (first === "sources") return `${first}/${second}`;
  if (first === "commands" && (second === "demo" || second === "simulate")) return `${first}/${second}`;
  if (first === "testing" && (second === "screens" || second === "fuzz")) return `${first}/${second}`;
  return first;
}

function resolve(path: string, specifier: string): string {
  return posix.join(posix.dirname(path), specifier);
}

/** Type imports count: a cycle of types is a file that cannot be understood alone. Each cycle is told once. */
function findCycles(files: readonly SourceText[]): Finding[] {
  const edges = new Map(
    files.map((file) => [
      file.path,
      importsOf(file)
        .filter((found) => found.specifier.startsWith("."))
        .map((found) => ({ to: resolve(file.path, found.specifier), line: found.line })),
    ]),
  );
  const findings: Finding[] = [];
  const done = new Set<string>();
  const trail: string[] = [];
  const visit = (path: string): void => {
    trail.push(path);
    for (const { to, line } of edges.get(path) ?? []) {
      const start = trail.indexOf(to);
      if (start >= 0) {
        const cycle = [...trail.slice(start), to].join(" → ");
        findings.push({
          path,
          line,
          problem: `closes a cycle: ${cycle}; move what both need to one side, or below both`,
        });
      } else if (!done.has(to)) visit(to);
    }
    trail.pop();
    done.add(path);
  };
  for (const path of edges.keys()) if (!done.has(path)) visit(path);
  return findings;
}
