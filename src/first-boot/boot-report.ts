/** What first boot tells on the card, for somebody who has nothing but a laptop and plain words. */
import type { Problem } from "../core/errors.ts";

export interface BootWords {
  /** As `2026-11-22 08:00`; the board may not know it. */
  readonly when: string;
  readonly problems: readonly Problem[];
  /** The board runs with a site it had before, or with this one where only a certificate is missing. */
  readonly goesOn: boolean;
}

/** Lines end as Windows likes them. */
const LINE_END = "\r\n";

export function errorText({ when, problems, goesOn }: BootWords): string {
  const lines = [
    "SALLYPORT: SOMETHING IS WRONG WITH THE SITE ON THIS CARD",
    "",
    `Found when the board was started (its clock said ${when} UTC; it may be wrong).`,
    goesOn
      ? "The board goes on with what it knows, as far as it can."
      : "The gateway does not run until this is mended.",
    "",
    ...problems.flatMap((problem, index) => [
      `${index + 1}. ${placeText(problem)}`,
      `   What is wrong: ${problem.wrong}`,
      `   What to do:    ${problem.remedy}`,
      "",
    ]),
    "Mend the files in the folder site, put the card back, and switch the board on.",
    "This file then goes by itself.",
    "",
  ];
  return lines.join(LINE_END);
}

function placeText({ file, line, column, key }: Problem): string {
  const within = key === "" ? "" : `, at ${key}`;
  return file === "site" ? "the folder site" : `${file}, line ${line}, column ${column}${within}`;
}

/** @param lines of doctor */
export function reportText(when: string, hostname: string, lines: string): string {
  const text = [
    `SALLYPORT: ${hostname}, ${when} UTC`,
    "",
    "What `sallyport doctor` found a minute after the last start:",
    "",
    lines.trimEnd(),
    "",
  ].join("\n");
  return text.replaceAll("\n", LINE_END);
}
