import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { LIMITS } from "./defaults.ts";
import { parseRegisterNumber, parseUnreadable, registerNumber, wireAddress } from "./register-number.ts";

const address = fc.record(
  {
    table: fc.constantFrom("coil", "discreteInput", "inputRegister", "holdingRegister"),
    address: fc.integer(LIMITS.address),
  },
  { noNullPrototype: true },
);

describe("register numbers", () => {
  test("manual and wire form of the same register", () => {
    const pairs = ["40101", "400101", "00001", "10004", "30053", "465536", "49999", "410000"].map((number) => {
      const at = parseRegisterNumber(number);
      return [number, at && wireAddress(at)];
    });
    assert.deepEqual(pairs, [
      ["40101", "holdingRegister:100"],
      ["400101", "holdingRegister:100"],
      ["00001", "coil:0"],
      ["10004", "discreteInput:3"],
      ["30053", "inputRegister:52"],
      ["465536", "holdingRegister:65535"],
      ["49999", "holdingRegister:9998"],
      ["410000", "holdingRegister:9999"],
    ]);
  });

  test("every address reads back from its manual form", () => {
    fc.assert(fc.property(address, (at) => assert.deepEqual(parseRegisterNumber(registerNumber(at)), at)));
  });

  test("what names no register is refused", () => {
    for (const text of [
      "40000",
      "400000",
      "465537",
      "499999",
      "20001",
      "50001",
      "4001",
      "4000101",
      "101",
      "4x101",
      "",
    ]) {
      assert.equal(parseRegisterNumber(text), undefined, text);
    }
  });

  test("whatever is accepted lies in its table", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 9_999_999 }), (number) => {
        const at = parseRegisterNumber(String(number));
        if (at !== undefined) assert.ok(at.address >= 0 && at.address <= LIMITS.address.max);
      }),
    );
  });
});

test("unreadable registers: the manual's digit, addresses of the wire", () => {
  assert.deepEqual(parseUnreadable("4:200-219"), { table: "holdingRegister", from: 200, to: 219 });
  assert.deepEqual(parseUnreadable("3:7"), { table: "inputRegister", from: 7, to: 7 });
  for (const text of ["2:1-5", "4:219-200", "4:0-65536", "4:", "4:1-", "200-219", "4:-1"]) {
    assert.equal(parseUnreadable(text), undefined, text);
  }
});
