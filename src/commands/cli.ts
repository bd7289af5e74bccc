import { ConfigurationError, EXIT, UserError } from "../core/errors.ts";
import type { CommandIo } from "./io.ts";
import { counted } from "./listing.ts";

/** A command: its arguments without its own name in, an exit code of sysexits out. */
type Command = (args: string[], io: CommandIo) => Promise<number>;

interface CommandEntry {
  readonly summary: string;
  /** Loaded when called, so that `check` does not pay for SQLite, nor `run` for the demo. */
  readonly load: () => Promise<Command>;
}

/** By when they are needed. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, CommandEntry>>>> = {
  "to begin with": {
    demo: {
      summary: "see it work: simulated devices, a broker, outages",
      load: async () => (await import("./demo/demo.ts")).demo,
    },
    init: { summary: "write a first gateway.yaml", load: async () => (await import("./init/init.ts")).init },
    import: {
      summary: "lines from Kepware's CSV or Node-RED's flows",
      load: async () => (await import("./import/import.ts")).importLines,
    },
    check: { summary: "check gateway.yaml; needs no hardware", load: async () => (await import("./check.ts")).check },
    schema: {
      summary: "JSON Schema of gateway.yaml, for editors",
      load: async () => (await import("./schema.ts")).schema,
    },
    models: { summary: "list and show device models", load: async () => (await import("./models.ts")).models },
    simulate: {
      summary: "play a site's devices, to try what reads them",
      load: async () => (await import("./simulate/simulate.ts")).simulate,
    },
  },
  "at the line": {
    scan: {
      summary: "find the devices and settings of a line",
      load: async () => (await import("./scan/scan.ts")).scan,
    },
    read: {
      summary: "read registers of one device, in every byte order",
      load: async () => (await import("./read/read.ts")).read,
    },
    write: {
      summary: "write a register of one device, at the bench",
      load: async () => (await import("./write/write.ts")).write,
    },
    listen: { summary: "watch a line without sending", load: async () => (await import("./listen/listen.ts")).listen },
  },
  "the service": {
    run: { summary: "run the gateway: the service", load: async () => (await import("./run.ts")).run },
    watch: {
      summary: "live values of the running service",
      load: async () => (await import("./watch/watch.ts")).watch,
    },
    doctor: {
      summary: "find out what is wrong with board, wiring and broker",
      load: async () => (await import("./doctor/doctor.ts")).doctor,
    },
    outbox: {
      summary: "what waits for which broker, and what happened here",
      load: async () => (await import("./outbox.ts")).outbox,
    },
    export: {
      summary: "stored samples as CSV or JSON lines",
      load: async () => (await import("./export.ts")).exportSamples,
    },
    "first-boot": {
      summary: "an image's own: take over the site of its card",
      load: async () => (await import("./first-boot.ts")).firstBoot,
    },
    "hw-test": {
      summary: "test a board's lines, pins, flash and clock",
      load: async () => (await import("./hw-test.ts")).hwTest,
    },
    keygen: {
      summary: "make a key for remote commands",
      load: async () => (await import("./keygen.ts")).keygen,
    },
    command: { summary: "sign a remote command", load: async () => (await import("./command.ts")).command },
  },
};

const COMMANDS: Readonly<Record<string, CommandEntry>> = Object.fromEntries(
  Object.values(GROUPS).flatMap((group) => Object.entries(group)),
);

/** Runs one command line. Never throws what a user caused. */
export async function runCommandLine(args: readonly string[], io: CommandIo): Promise<number> {
  const [name, ...rest] = args;
  if (name === undefined || name === "--help" || name === "-h" || name === "help") {
    io.out(helpText());
    return name === undefined ? EXIT.usage : EXIT.ok;
  }
  const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (entry === undefined) {
    io.err(`sallyport: there is no command "${name}"; sallyport --help lists them\n`);
    return EXIT.usage;
  }
  try {
    return await (await entry.load())(rest, io);
  } catch (error) {
    if (error instanceof ConfigurationError) {
      io.err(`${error.message}\n${counted(error.problems.length, "mistake")}; nothing was started\n`);
      return error.exitCode;
    }
    if (error instanceof UserError) {
      io.err(`sallyport ${name}: ${error.message}\n`);
      return error.exitCode;
    }
    throw error;
  }
}

function helpText(): string {
  const groups = Object.entries(GROUPS).map(([title, commands]) => {
    const lines = Object.entries(commands).map(([name, { summary }]) => {
      return `  ${name.padEnd(10)} ${summary}\n`;
    });
    return `${title}\n${lines.join("")}`;
  });
  return `Sallyport: reads Modbus RTU devices and inputs, keeps what the broker has
not acknowledged, and sends it outward over MQTT on TLS. Nothing can
connect to it.

usage: sallyport COMMAND [options]      sallyport COMMAND --help

${groups.join("\n")}
Begin with:  sallyport demo
`;
}
