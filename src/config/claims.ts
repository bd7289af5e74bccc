import { byPlace, type Path } from "./document.ts";
import type { Inspection } from "./draft.ts";

/** Takes something that can belong to one entry only. The later claimant in the file is told who has it. */
export type Claim = (what: string, claimant: Claimant) => void;

export interface Claimant {
  /** The entry's name, for the complaint of the other one. */
  readonly name: string;
  readonly path: Path;
  /** Followed by the other's name and line. */
  readonly wrong: string;
  readonly remedy: string;
}

export function createClaims({ document, complain }: Pick<Inspection<unknown>, "document" | "complain">): Claim {
  const owners = new Map<string, Claimant>();
  const order = (a: Claimant, b: Claimant) => byPlace(document.place(a.path, "key"), document.place(b.path, "key"));
  return (what, claimant) => {
    const owner = owners.get(what);
    if (owner === undefined) {
      owners.set(what, claimant);
      return;
    }
    const [first, second] = order(owner, claimant) <= 0 ? [owner, claimant] : [claimant, owner];
    const { line } = document.place(first.path, "key");
    complain(second.path, `${second.wrong} ${first.name}, line ${line}`, second.remedy, "key");
  };
}

/** Names differ in more than case. Each path ends with its name. */
export function claimNames(
  inspection: Pick<Inspection<unknown>, "document" | "complain">,
  paths: readonly Path[],
): void {
  const claim = createClaims(inspection);
  for (const path of paths) {
    const name = String(path.at(-1));
    claim(name.toLowerCase(), { name, path, wrong: "the name is taken by", remedy: "choose another name" });
  }
}
