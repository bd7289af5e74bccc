import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { judge, readAssertions, reportOf, summaryOf, TABLES, tableOf } from "./assertions.ts";
import { BREAKS } from "./broken-stories.ts";
import { verdictOf } from "./check.ts";
import { CHECKS } from "./checks.ts";
import { madeInFive, madeInThree, madeWithHost } from "./right-stories.ts";

describe("the checks of Sparkplug B", () => {
  test("each finds what it looks for in recordings that are right, and nothing wrong", async () => {
    const stories = await Promise.all([madeInFive(), madeInThree(), madeWithHost()].map((made) => made.read()));
    for (const check of CHECKS.keys()) {
      const report = reportOf(check, stories);
      assert.equal(verdictOf(report), "pass", `${check}: seen ${report.seen}, ${report.broken.join("; ")}`);
    }
  });

  for (const [check, { make, spoil }] of BREAKS) {
    test(`${check} sees a recording that is wrong`, async () => {
      const made = make();
      spoil(made);
      const report = reportOf(check, [await made.read()]);
      assert.equal(verdictOf(report), "fail", `seen ${report.seen}`);
    });
  }

  test("each has a recording that it must find wrong, save the one that only permits", () => {
    const unbroken = [...CHECKS.keys()].filter((check) => !BREAKS.has(check));
    assert.deepEqual(unbroken, ["same-device-under-two-nodes"]);
  });
});

describe("the assertions of Sparkplug B 3.0", () => {
  test("201 bind an edge node and 25 its commands; each has words and a check, and each check an assertion", async () => {
    const [edge, inbound] = await Promise.all(TABLES.map(readAssertions));
    assert.equal(new Set(edge?.map(({ id }) => id)).size, 201);
    assert.equal(new Set(inbound?.map(({ id }) => id)).size, 25);
    const all = [...(edge ?? []), ...(inbound ?? [])];
    for (const { id, words, check } of all) assert.ok(words !== "" && CHECKS.has(check), `${id}: ${check}`);
    const used = new Set(all.map(({ check }) => check));
    assert.deepEqual(
      [...CHECKS.keys()].filter((check) => !used.has(check)),
      [],
    );
  });

  test("what was not seen is no pass, and what does not apply says why", async () => {
    const assertions = await readAssertions("edge");
    const nothing = judge(assertions, []);
    assert.equal(summaryOf(nothing), "201 assertions: 0 pass, 0 not applicable, 0 fail, 201 not seen");
    const stories = await Promise.all([madeInFive(), madeInThree(), madeWithHost()].map((made) => made.read()));
    const judged = judge(assertions, stories);
    assert.match(summaryOf(judged), /^201 assertions: 167 pass, 34 not applicable, 0 fail, 0 not seen$/);
    assert.match(
      tableOf(judged),
      /^\| tck-id-topics-nbirth-templates .* not applicable: no templates are published \|$/m,
    );
  });
});
