/** Who wrote what: a line in the log of the running gateway, else in a file. */
import { randomUUID } from "node:crypto";
import { accessSync, appendFileSync, constants } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { hostClock } from "../../core/clock.ts";
import { EXIT, messageOf, UserError } from "../../core/errors.ts";
import { askGateway } from "../ask-gateway.ts";
import type { CommandIo } from "../io.ts";
import { findGateway } from "../running-gateway.ts";

const LOG_FILE = "sallyport-write.log";

export interface WriteLog {
  /** @returns where it stands */
  note(text: string): Promise<string>;
}

/** @throws UserError where nothing could be noted: then nothing must be written */
export function openWriteLog(file: string | undefined, io: CommandIo): WriteLog {
  const gateway = file === undefined ? findGateway(io) : undefined;
  const path = resolve(file ?? join(io.env.STATE_DIRECTORY?.split(":")[0] ?? ".", LOG_FILE));
  const inFile = async (text: string) => {
    appendFileSync(path, `${new Date(hostClock.wallMs()).toISOString()} ${text}\n`);
    return path;
  };
  if (gateway !== undefined) {
    return {
      async note(text) {
        const answer = await askGateway(gateway.runtimeDir, { ask: "note", text }, randomUUID(), hostClock).catch(
          () => undefined,
        );
        return answer?.done === true ? "the log of the gateway" : inFile(text);
      },
    };
  }
  try {
    accessSync(dirname(path), constants.W_OK);
    appendFileSync(path, "");
  } catch (error) {
    const remedy = "give --log a file that can be written: nothing is written to a device unnoted";
    throw new UserError(`${messageOf(error)}; ${remedy}`, EXIT.io);
  }
  return { note: inFile };
}
