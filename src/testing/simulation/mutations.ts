/** All planted mistakes. */
import type { Mutation } from "./mutation.ts";
import { FIELD_MUTATIONS } from "./mutations-field.ts";
import { LIMIT_MUTATIONS } from "./mutations-limits.ts";
import { SPARKPLUG_MUTATIONS } from "./mutations-sparkplug.ts";
import { STORE_MUTATIONS } from "./mutations-store.ts";
import { UPLINK_MUTATIONS } from "./mutations-uplinks.ts";

export const MUTATIONS: readonly Mutation[] = [
  ...FIELD_MUTATIONS,
  ...STORE_MUTATIONS,
  ...UPLINK_MUTATIONS,
  ...SPARKPLUG_MUTATIONS,
  ...LIMIT_MUTATIONS,
];
