/** Whoever reads at a broker and says what it takes for current, in whichever format. */
import type { Message } from "../../pipeline.ts";
import { type Currency, Reader, type ReaderTag } from "../reader.ts";

export interface FarReader {
  receive(message: Message, retained: boolean): void;
  /** The reader lost its own connection: what came meanwhile is missed. */
  disconnected(): void;
  online(): boolean;
  devices(): readonly string[];
  currency(device: string): Currency;
  tags(device: string): readonly ReaderTag[];
  tag(id: string): ReaderTag | undefined;
  /** A device that is lost is not shown at all, not even as bad. */
  readonly showsNoLost: boolean;
}

/** Of the JSON topics. */
export class JsonReader implements FarReader {
  readonly showsNoLost = false;
  readonly #reader: Reader;

  constructor(topic: string) {
    this.#reader = new Reader(topic);
  }

  receive({ topic, payload }: Message, retained: boolean): void {
    this.#reader.receive(topic, payload, retained);
  }

  disconnected(): void {
    this.#reader.disconnected();
  }

  online(): boolean {
    return this.#reader.online();
  }

  devices(): readonly string[] {
    return this.#reader.devices();
  }

  currency(device: string): Currency {
    return this.#reader.currency(device);
  }

  tags(device: string): readonly ReaderTag[] {
    return this.#reader.tags(device);
  }

  tag(id: string): ReaderTag | undefined {
    return this.#reader.tag(id);
  }
}
