/** Whether a value may be written to a tag, by whom. Pure. */
import type { AuthorizedKey, RegisterTag } from "../../config/config.ts";
import type { Value } from "../../core/tag.ts";
import type { Given } from "./arrival.ts";
import { givenOf } from "./given-value.ts";

export interface WriteRules {
  tag(id: string): RegisterTag | undefined;
  /** What keeps the device from holding it. */
  obstacle(id: string, value: Value): string | undefined;
}

export type Ruled =
  | { readonly kind: "allowed"; readonly id: string; readonly value: NonNullable<Value> }
  | { readonly kind: "forbidden"; readonly id: string; readonly reason: string };

/** @param key absent: nobody signed it */
export function ruleOn({ id, v }: Given, key: AuthorizedKey | undefined, rules: WriteRules): Ruled {
  const forbidden = (reason: string): Ruled => ({ kind: "forbidden", id, reason });
  const tag = rules.tag(id);
  if (tag === undefined) return forbidden("there is no such tag");
  if (!tag.writable) return forbidden("the tag is not writable");
  if (key === undefined && !tag.unsigned) return forbidden("the tag takes signed commands only");
  if (key !== undefined && !mayWrite(key, tag)) return forbidden(`key ${key.id} is not for this tag`);
  const held = givenOf(v, tag.type);
  if ("wrong" in held) return forbidden(held.wrong);
  const beyond = beyondLimits(tag, held.value);
  if (beyond !== undefined) return forbidden(beyond);
  const obstacle = rules.obstacle(id, held.value);
  return obstacle === undefined ? { kind: "allowed", id, value: held.value } : forbidden(obstacle);
}

/** Device names hold no slash, so the form `device/*` is no tag's id. */
function mayWrite({ tags }: AuthorizedKey, { id, device }: RegisterTag): boolean {
  return tags === undefined || tags.includes(id) || tags.includes(`${device}/*`);
}

/** The narrower of the limits of writing and the range of the tag. */
function beyondLimits({ writeLimits, min, max }: RegisterTag, value: NonNullable<Value>): string | undefined {
  if (typeof value !== "number" && typeof value !== "bigint") return undefined;
  const lowest = Math.max(writeLimits?.min ?? -Infinity, min ?? -Infinity);
  const highest = Math.min(writeLimits?.max ?? Infinity, max ?? Infinity);
  return value < lowest || value > highest ? `${value} is out of its limits, ${lowest} to ${highest}` : undefined;
}
