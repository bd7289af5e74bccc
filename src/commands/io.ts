/** What a command knows of the terminal and the process around it. main.ts makes the real one, tests their own. */
export interface CommandIo {
  /** Standard output, for results. */
  out(text: string): void;
  /** Resolves when a pipe behind standard output has taken what it was given; absent where none is slow. */
  written?(): Promise<void>;
  /** Standard error, for complaints and progress. */
  err(text: string): void;
  /** Standard output is a terminal. */
  readonly isTerminal: boolean;
  readonly columns: number;
  readonly rows: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted by SIGTERM and SIGINT: end cleanly and soon. */
  readonly signal: AbortSignal;
  /** Calls back at each SIGHUP, which else ends the command like SIGTERM; absent where none can come. */
  onHangup?(listener: () => void): void;
  /** Somebody can press keys here; absent: nobody can. */
  readonly hasKeyboard?: boolean;
  /** Calls back for each key pressed, unechoed, until the returned function is called. Nothing comes without a terminal. */
  onKey(listener: (key: string) => void): () => void;
}
