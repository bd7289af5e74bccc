/** What a check is, and what it says of the stories it has read. */
import type { SentMessage, Session, Story } from "./story.ts";

export type Check = (stories: readonly Story[], report: Report) => void;

const SHOWN_MAX = 20;

/** A rule that nobody had a chance to break was not checked: what was looked at is counted. */
export class Report {
  #seen = 0;
  readonly #broken: string[] = [];

  get seen(): number {
    return this.#seen;
  }

  get broken(): readonly string[] {
    return this.#broken;
  }

  /** One thing more that the rule speaks of was looked at. */
  look(): void {
    this.#seen += 1;
  }

  /** Looks, and says what is wrong where it does not hold. */
  expect(holds: boolean, story: Story, index: number, what: string): void {
    this.look();
    if (!holds && this.#broken.length < SHOWN_MAX) this.#broken.push(`${story.name}, entry ${index}: ${what}`);
  }
}

export type Verdict = "pass" | "fail" | "not seen";

export function verdictOf(report: Report): Verdict {
  if (report.broken.length > 0) return "fail";
  return report.seen > 0 ? "pass" : "not seen";
}

export function eachSession(stories: readonly Story[], visit: (session: Session, story: Story) => void): void {
  for (const story of stories) for (const session of story.sessions) visit(session, story);
}

/** In the order of the wire. */
export function eachSent(
  stories: readonly Story[],
  types: readonly string[],
  visit: (message: SentMessage, session: Session, story: Story) => void,
): void {
  eachSession(stories, (session, story) => {
    for (const message of session.sent) if (types.includes(message.type)) visit(message, session, story);
  });
}

export const BIRTHS: readonly string[] = ["NBIRTH", "DBIRTH"];
export const DATA: readonly string[] = ["NDATA", "DDATA"];
export const ALL: readonly string[] = ["NBIRTH", "DBIRTH", "NDATA", "DDATA", "DDEATH", "NDEATH"];
