import assert from "node:assert/strict";
import { test } from "node:test";
import { connackReason, connectRefusal, publishRefusal, reasonWords } from "./mqtt-reason.ts";

test("the return codes of MQTT 3.1.1 read like the reason codes of MQTT 5", () => {
  for (const [returnCode, reasonCode] of [
    [1, 0x84],
    [2, 0x85],
    [3, 0x88],
    [4, 0x86],
    [5, 0x87],
  ] as const) {
    assert.equal(connackReason(returnCode), reasonCode);
    assert.equal(connectRefusal(returnCode, "u"), connectRefusal(reasonCode, "u"));
  }
});

test("every reason code gives words, and the code for who looks it up", () => {
  for (let code = 0x80; code <= 0xff; code++) assert.match(reasonWords(code), /^.+ \(0x[0-9A-F]{2}\)$/);
});

test("a refused login names its user, and where to mend it", () => {
  assert.equal(
    connectRefusal(0x86, "pump"),
    "the broker refuses the login of user pump: user name or password is wrong (0x86); check login.username and the password file",
  );
  assert.match(connectRefusal(0x87, undefined), /not authorised \(0x87\); it may want a login/);
  assert.equal(connectRefusal(0x89, "pump"), "the broker refuses this gateway: it is busy (0x89)");
});

test("a refused message names its topic", () => {
  const error = Object.assign(new Error("Publish error"), { code: 0x97 });
  assert.equal(publishRefusal("a/b", error), "the broker refuses messages to a/b: a quota is used up (0x97)");
});
