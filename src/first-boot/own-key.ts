/** A key that never leaves its board: made there, and its request left on the FAT for whoever signs it. */
import { join } from "node:path";
import { messageOf } from "../core/errors.ts";
import { type BootFiles, replaceFile } from "./boot-files.ts";
import { certificateRequest, makeKey } from "./certificate-request.ts";
import { OWN_CERTIFICATE, OWN_KEY, type Places, placeOf } from "./places.ts";
import { MARKS } from "./site-content.ts";

const KEY_MODE = 0o600;
/** A FAT keeps no modes. */
const REQUEST_MODE = 0o644;
const REQUEST_END = "-----END CERTIFICATE REQUEST-----";

/** What came with a site as its key is none. */
export class UnusableKey extends Error {}

/** Only where flash.sh left the mark for it, and never in place of a key that is there. */
export function provideKey(files: BootFiles, places: Places, nameOf: () => string): void {
  if (files.read(join(places.site, MARKS.keyOnBoard)) === undefined) return;
  const path = placeOf(OWN_KEY, places);
  if (files.read(path) === undefined) {
    const owner = places.service;
    replaceFile(files, path, Buffer.from(makeKey()), { mode: KEY_MODE, ...(owner !== undefined && { owner }) });
  }
  const request = join(places.site, MARKS.request);
  const isAsked = files.read(request)?.includes(REQUEST_END) ?? false;
  if (isAsked || files.read(placeOf(OWN_CERTIFICATE, places)) !== undefined) return;
  const serial = files.read(join(places.site, MARKS.serial))?.toString("utf8").trim() ?? "";
  const text = requestWith(files.read(path)?.toString("utf8") ?? "", nameOf(), serial);
  replaceFile(files, request, Buffer.from(text), { mode: REQUEST_MODE });
}

function requestWith(key: string, name: string, serial: string): string {
  try {
    return certificateRequest(key, name, serial);
  } catch (error) {
    throw new UnusableKey(`${OWN_KEY} is no key to make one with (${messageOf(error)})`);
  }
}
