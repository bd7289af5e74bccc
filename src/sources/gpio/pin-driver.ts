/**
 * A GPIO pin as the gateway needs it: open, read, close, and edges with their time. Levels are electrical, true is
 * high; what a level means is the input's business. One contract suite holds every driver to this.
 */

/** A pin as the kernel names it: the label of its chip and the line within. Numbers that change with the kernel stay out. */
export interface PinAddress {
  readonly chip: string;
  readonly line: number;
  /** The resistor inside the chip; absent: as it is. */
  readonly bias?: PinBias;
}

export type PinBias = "pull-up" | "pull-down" | "disabled";

export interface PinEvents {
  /** The level after an edge, and when it came. Short pulses may be told late or as one edge, never as an edge that was none. */
  readonly edge: (level: boolean, monotonicMs: number) => void;
  /** So many edges came before the next one is told, and are lost. Drivers that cannot know never say it. */
  readonly missed?: (edges: number) => void;
  /** The pin is gone: its chip was unplugged or its watcher ended. Said once; only close() is of use then. */
  readonly lost: (reason: string) => void;
}

export interface Pin {
  read(): Promise<boolean>;
  /** No event comes after the call. Closing a closed pin does nothing. */
  close(): Promise<void>;
}

export interface PinDriver {
  /**
   * Makes the pin an input and watches both edges. No event comes before it resolves, and the level found is no edge.
   * Rejects with the reason in words.
   */
  open(address: PinAddress, events: PinEvents): Promise<Pin>;
}
