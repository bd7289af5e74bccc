/** A command without a terminal, as behind a pipe: what it ends with and what it said. */
export interface CommandRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

type Command<Args> = (args: Args, io: PipedIo) => Promise<number>;
type PipedIo = ReturnType<typeof pipedIo>;

/** @param isEnough where given, the command is told to end, as by SIGTERM, once what it printed is enough */
export async function runCommand<Args>(
  command: Command<Args>,
  args: Args,
  isEnough: (out: string) => boolean = () => false,
): Promise<CommandRun> {
  const said = { out: "", err: "" };
  return { code: await command(args, pipedIo(said, isEnough)), ...said };
}

function pipedIo(said: { out: string; err: string }, isEnough: (out: string) => boolean) {
  const end = new AbortController();
  return {
    out(text: string) {
      said.out += text;
      if (isEnough(said.out)) end.abort();
    },
    err(text: string) {
      said.err += text;
    },
    isTerminal: false,
    columns: 80,
    rows: 24,
    env: {},
    signal: end.signal,
    onKey: () => () => undefined,
  };
}
