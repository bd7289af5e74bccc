import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { type Judgement, judge, readAssertions, TABLES } from "./assertions.ts";
import { leadLife } from "./life.ts";
import { Site } from "./site.ts";
import type { Story } from "./story.ts";

const WORDS = { edge: "bind an edge node", inbound: "bind whoever commands it" } as const;
const assertions = { edge: await readAssertions("edge"), inbound: await readAssertions("inbound") };

describe("Sparkplug B 3.0, self-assessed at real brokers", () => {
  let stories: readonly Story[] = [];

  before(async () => {
    const site = await Site.open();
    try {
      await leadLife(site, () => undefined);
    } catch (thrown) {
      throw new Error(`${thrown}; the gateway's last words: ${site.log().slice(-2_000)}`, { cause: thrown });
    } finally {
      await site.close();
    }
    stories = await Promise.all(site.uplinks.map((uplink) => uplink.story()));
  });

  for (const table of TABLES) {
    describe(`the assertions that ${WORDS[table]}`, () => {
      for (const assertion of assertions[table]) {
        test(`${assertion.id}: ${assertion.words}`, (context) => {
          const [judgement] = judge([assertion], stories);
          assertHolds(judgement);
          if (judgement?.verdict === "not applicable") context.diagnostic(`not applicable: ${assertion.without}`);
        });
      }
    });
  }
});

function assertHolds(judgement: Judgement | undefined): void {
  const { verdict, broken } = judgement ?? {};
  assert.ok(verdict === "pass" || verdict === "not applicable", `${verdict}: ${broken?.join("; ")}`);
}
