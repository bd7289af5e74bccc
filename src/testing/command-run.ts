/** A command without a terminal, as behind a pipe: what it ends with and what it said. */
export interface CommandRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

type Command<Args> = (args: Args, io: PipedIo) => Promise<number>;
type PipedIo = ReturnType<typeof pipedIo>;

export async function runCommand<Args>(command: Command<Args>, args: Args): Promise<CommandRun> {
  const said = { out: "", err: "" };
  return { code: await command(args, pipedIo(said)), ...said };
}

function pipedIo(said: { out: string; err: string }) {
  return {
    out(text: string) {
      said.out += text;
    },
    err(text: string) {
      said.err += text;
    },
    isTerminal: false,
    columns: 80,
    rows: 24,
    env: {},
    signal: new AbortController().signal,
    onKey: () => () => undefined,
  };
}
