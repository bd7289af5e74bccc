/** Asks something of the gateway that runs on this machine, by a file: see diagnostics/request-desk.ts. */
import { chmod, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, sleep } from "../core/clock.ts";
import { makeDirectory } from "../core/directory.ts";
import {
  ANSWER_END,
  answerIn,
  type GatewayAnswer,
  type GatewayRequest,
  REQUEST_FOLDER,
  replaceFile,
} from "../diagnostics/request-desk.ts";

/** The gateway is another user than root, whose umask may keep everybody else out. There is no secret in a request. */
const READABLE_BY_ALL = 0o644;
const ANSWER_LIMIT_MS = 10_000;
const ANSWER_LOOK_MS = 100;

/**
 * The tool's side: asks the gateway that runs with this runtime directory.
 * @returns undefined when it does not answer
 * @throws Error of the system when the request cannot be left there
 */
export async function askGateway(
  dir: string,
  request: GatewayRequest,
  id: string,
  clock: Clock,
): Promise<GatewayAnswer | undefined> {
  const folder = join(dir, REQUEST_FOLDER);
  makeDirectory(folder);
  const asked = join(folder, `${id}.json`);
  const answered = join(folder, `${id}${ANSWER_END}`);
  await replaceFile(asked, JSON.stringify(request));
  // Gone already: the gateway could read it.
  await chmod(asked, READABLE_BY_ALL).catch(() => undefined);
  const untilMs = clock.monotonicMs() + ANSWER_LIMIT_MS;
  while (clock.monotonicMs() < untilMs) {
    const text = await readFile(answered, "utf8").catch(() => undefined);
    if (text !== undefined) {
      await rm(answered, { force: true });
      return (
        answerIn(text) ?? { done: false, text: "the running gateway answers in a way that this version does not know" }
      );
    }
    await sleep(clock, ANSWER_LOOK_MS);
  }
  await rm(asked, { force: true });
  return undefined;
}
