import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { afterAnswer, afterAsking, afterWriting, mustAsk, OPEN_BARRIER, QUESTIONS_MAX } from "./barrier.ts";

test("P4: nothing is confirmed that the broker may not have read, and all is confirmed in the end", () => {
  const happenings = fc.array(fc.constantFrom("write", "ask", "answer"), { maxLength: 200 });
  fc.assert(
    fc.property(happenings, (all) => {
      let barrier = OPEN_BARRIER;
      /** What the broker gets, in order: messages by number, and questions. */
      const wire: (number | "question")[] = [];
      let read = 0;
      const answer = () => {
        const at = wire.indexOf("question");
        if (at < 0) return;
        for (const one of wire.splice(0, at + 1)) if (one !== "question") read = one;
        barrier = afterAnswer(barrier);
      };
      for (const what of all) {
        if (what === "write") {
          barrier = afterWriting(barrier);
          wire.push(barrier.written);
        } else if (what === "ask" && mustAsk(barrier)) {
          barrier = afterAsking(barrier);
          wire.push("question");
        } else if (what === "answer") {
          answer();
        }
        assert.equal(barrier.confirmed, read);
        assert.ok(!mustAsk(barrier) || typeof wire.at(-1) === "number", "nothing is asked for nothing");
        assert.ok(barrier.asked.length <= QUESTIONS_MAX);
      }
      for (let i = 0; i <= QUESTIONS_MAX; i++) answer();
      if (mustAsk(barrier)) {
        barrier = afterAsking(barrier);
        wire.push("question");
        answer();
      }
      assert.equal(barrier.confirmed, barrier.written);
    }),
  );
});
