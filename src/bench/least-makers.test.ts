import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePayload } from "../uplinks/sparkplug/payload.ts";
import { leastJsonMakers, leastSparkplugMakers } from "./least-makers.ts";

test("what is made with the least work is the message that was cut for it", () => {
  const json = Buffer.from('{"values":[{"id":"ä","v":1.25,"q":true},{"id":"b","v":-3,"q":true}]}');
  assert.deepEqual(leastJsonMakers([json])[0]?.(), json);
  const metrics = [0.5, -7].map((value) => ({ name: "speed", value: { field: "double" as const, value } }));
  const sparkplug = Buffer.from(encodePayload({ timestamp: 1, metrics, seq: 3 }));
  assert.deepEqual(leastSparkplugMakers([sparkplug])[0]?.(), sparkplug);
});
