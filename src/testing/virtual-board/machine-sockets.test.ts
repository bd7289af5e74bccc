import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { unexpectedSockets } from "./machine-sockets.ts";

const BOARD = `
udp   UNCONN 0 0    10.0.2.15%enp0s4:68 0.0.0.0:* users:(("systemd-network",pid=356,fd=30))
u_str LISTEN 0 4096 /run/systemd/private 1214 * 0
u_str LISTEN 0 4096 /run/systemd/journal/stdout 1230 * 0
u_seq LISTEN 0 4096 /run/udev/control 1232 * 0
`;

describe("the sockets of a whole board", () => {
  test("P1: those with a reason may be there", () => assert.deepEqual(unexpectedSockets(BOARD), []));

  for (const [what, line] of [
    ["a TCP port", "tcp LISTEN 0 128 0.0.0.0:22 0.0.0.0:*"],
    ["LLMNR", "udp UNCONN 0 0 0.0.0.0:5355 0.0.0.0:*"],
    ["a DHCP server", "udp UNCONN 0 0 0.0.0.0:67 0.0.0.0:*"],
    ["LLDP", "p_raw UNCONN 0 0 [35020]:enp0s4 *"],
    ["the service's own Unix socket", "u_str LISTEN 0 4096 /run/sallyport/control 99 * 0"],
  ] as const) {
    test(`P1: ${what} may not`, () => assert.deepEqual(unexpectedSockets(BOARD + line), [line]));
  }

  test("nothing at all is no proof", () => assert.equal(unexpectedSockets("\n").length, 1));
});
