/**
 * A line as a stream of bytes: all that the bus knows of the port behind it. The real one is serialport-line.ts,
 * the simulated one lives with the simulators; one contract suite holds both to the same behaviour.
 */
export interface SerialLine {
  /** Opens the port with its settings, locked. Rejects with the reason in words; may be called again after an end. */
  open(): Promise<void>;
  /** Resolves when every byte has left for the wire. Rejects when the port is closed or vanishes. */
  write(bytes: Uint8Array): Promise<void>;
  /** What was received before is not delivered after this: it is handed over now, or thrown away. */
  discardInput(): Promise<void>;
  /** What arrives may wait in the host until `resume`: a reply that takes its time need not be looked at all the while. */
  pause(): void;
  resume(): void;
  /** Closes the file. Closing a closed line does nothing. */
  close(): Promise<void>;
  /** The one listener; set before open. Chunks have no meaning, only their order. */
  onData: (bytes: Uint8Array) => void;
  /** The port ended without close() having been called: adapter unplugged, file gone. Called once per open. */
  onLost: (reason: string) => void;
}
