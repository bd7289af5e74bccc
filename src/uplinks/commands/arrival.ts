/** What a message on a command topic turned out to be, before anybody asks whether it may be. */
import type { CommandContent, CommandValue, SignedCommand } from "./signed-command.ts";

export type GivenValue = CommandValue | bigint;

/** A value for a tag, by its id `device/tag` where the far end's name for it is known. */
export interface Given {
  readonly id: string;
  readonly v: GivenValue;
}

export type Arrival =
  | {
      readonly kind: "signed";
      readonly command: SignedCommand;
      /** What of the message around it says something else than the signed text; undefined: nothing. */
      readonly contradiction?: (content: CommandContent) => string | undefined;
    }
  | { readonly kind: "plain"; readonly values: readonly Given[] }
  | { readonly kind: "malformed"; readonly reason: string };

export function malformed(reason: string): Arrival {
  return { kind: "malformed", reason };
}
