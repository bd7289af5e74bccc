/** `sallyport doctor`: every check that a technician would make by hand, each with what it means and what to do. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { EXIT, messageOf, UserError } from "../../core/errors.ts";
import { readArguments } from "../arguments.ts";
import type { CommandIo } from "../io.ts";
import { pageColumns } from "../listing.ts";
import { machineText } from "../machine-text.ts";
import { type DoctorOptions, examine } from "./examine.ts";
import { type Finding, findingText, hasFault, totalsText } from "./finding.ts";
import { archive, configurationWithoutSecrets, type ReportFile } from "./report.ts";

const USAGE = "usage: sallyport doctor [FILE] [--test] [--report ARCHIVE] [--json]";

const HELP = `${USAGE}

Finds out what is wrong with this board, its wiring and its way to the brokers.
It changes nothing and takes seconds. Each check is OK, WARNING (it works, but)
or FAULT, with what it means, what to do, and what was seen.

  board     power, heat, memory          port      there, free, fit for the line
  line      wiring and settings          pin       there, an input, its level
  clock     right, and who says so       storage   room, wear, errors, outbox
  network   the way out, no way in       broker    name, TLS, login, rights

A line that nobody uses is tested: doctor listens, asks each device six times
and, where one is silent, tries other speeds and parities. From what comes back
it tells swapped wires, wrong settings, missing termination or bias, noise, a
second device of one address and more apart. While the service runs, lines are
judged by its counters instead, and brokers by its sessions.

  FILE              default: /etc/sallyport/gateway.yaml, else ./gateway.yaml
  --board NAME      lines and pins may be called by the labels of this board;
                    default: $SALLYPORT_BOARD, else none
  --test            test lines in use too: the service lends each one for some
                    seconds, and its tags are switched off meanwhile
  --no-broker       leave the brokers out
  --report ARCHIVE  write what was found, the configuration and the picture of
                    the service into one .tar.gz for support; without secrets
  --json            for machines: {"faults":0,"warnings":0,"isComplete":true,
                    "findings":[…]}

exit code   0 no fault, 1 at least one fault, 64 wrong usage, 69 told to end
            before all was checked, 74 the archive cannot be written

As root it sees more: who holds a port, the levels of pins.
`;

const USUAL_FILES = ["/etc/sallyport/gateway.yaml", "gateway.yaml"];

export async function doctor(args: string[], io: CommandIo): Promise<number> {
  const options = parse(args, io);
  if (options === "help") {
    io.out(HELP);
    return EXIT.ok;
  }
  const columns = pageColumns(io.columns);
  const findings: Finding[] = [];
  const examination = await examine(options, io, (found) => {
    findings.push(...found);
    if (!options.json) for (const finding of found) io.out(findingText(finding, columns));
  });
  const count = (verdict: Finding["verdict"]) => findings.filter((finding) => finding.verdict === verdict).length;
  const { isComplete } = examination;
  const content = { faults: count("FAULT"), warnings: count("WARNING"), isComplete, findings };
  const totals = totalsText(findings, isComplete);
  io.out(options.json ? machineText(content) : `\n${totals}`);
  if (options.report !== undefined) {
    const texts = findings.map((finding) => findingText(finding, columns)).join("");
    writeReport(options.report, examination.wallMs, [
      { name: "doctor.txt", text: `${texts}\n${totals}` },
      { name: "doctor.json", text: machineText(content) },
      { name: "gateway.yaml", text: configurationWithoutSecrets(textOf(options.file)) },
      ...(examination.status === undefined ? [] : [{ name: "status.json", text: machineText(examination.status) }]),
    ]);
    if (!options.json) io.out(`written: ${options.report}\n`);
  }
  if (hasFault(findings)) return EXIT.failed;
  return isComplete ? EXIT.ok : EXIT.unavailable;
}

function writeReport(path: string, wallMs: number, files: readonly ReportFile[]): void {
  try {
    writeFileSync(path, archive(files, wallMs), { mode: 0o600 });
  } catch (error) {
    throw new UserError(`cannot write ${path}: ${messageOf(error)}; give --report a place to write`, EXIT.io);
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function parse(args: string[], io: CommandIo): DoctorOptions | "help" {
  return readArguments(USAGE, () => {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        board: { type: "string" },
        test: { type: "boolean", default: false },
        "no-broker": { type: "boolean", default: false },
        report: { type: "string" },
        json: { type: "boolean", default: false },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    if (values.help) return "help";
    if (positionals.length > 1) throw new Error("name one file only");
    const usual = USUAL_FILES.find((path) => existsSync(path)) ?? USUAL_FILES[0] ?? "";
    return {
      file: resolve(positionals[0] ?? usual),
      board: values.board ?? io.env.SALLYPORT_BOARD,
      test: values.test,
      brokers: !values["no-broker"],
      report: values.report,
      json: values.json,
    };
  });
}
