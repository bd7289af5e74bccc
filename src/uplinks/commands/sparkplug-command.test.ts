import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ValueType } from "../../core/tag.ts";
import { CommandSite, type CommandSiteOptions, testKey } from "../../testing/command-site.ts";
import { decodePayload, encodePayload, type Metric } from "../sparkplug/payload.ts";
import type { Arrival } from "./arrival.ts";
import { Keyring } from "./keyring.ts";
import { type CommandContent, parseCommandText } from "./signed-command.ts";
import { deviceCommand, parseDeviceCommand } from "./sparkplug-command.ts";

const TYPES: Readonly<Record<string, ValueType>> = {
  "pump/setpoint": "int16",
  "pump/ramp": "float32",
  "pump/total": "uint64",
  "pump/level": "float64",
  "pump/run": "bool",
  "pump/open": "uint16",
  "pump/speed": "int16",
};
const typeOf = (id: string) => TYPES[id] ?? "int16";
const DCMD = { topic: "spBv1.0/plant/DCMD/gateway/pump" };

class SparkplugSite extends CommandSite {
  constructor(options: CommandSiteOptions = {}) {
    super({ ...options, uplink: { format: "sparkplug" } });
  }

  payload(changes: Partial<CommandContent> = {}, key = this.key): Uint8Array {
    const content = this.content(changes);
    return deviceCommand(this.signed(content, key), content, typeOf);
  }

  /** What became of it, as the node's metric tells. */
  async command(payload: Uint8Array): Promise<readonly { state: string; reason?: string; id?: string }[]> {
    const before = this.broker.received.length;
    await this.send(payload, DCMD);
    const data = this.broker.received.slice(before).filter(({ topic }) => topic.includes("/NDATA/"));
    const metrics = data.flatMap(({ payload: bytes }) => decodePayload(bytes).metrics);
    return metrics
      .filter(({ name }) => name === "commands/result")
      .map(({ value }) => JSON.parse(String(value?.value)));
  }
}

function withSite(work: (site: SparkplugSite) => Promise<void>): () => Promise<void> {
  return async () => {
    const site = new SparkplugSite();
    try {
      await site.startAndWait();
      await work(site);
    } finally {
      await site.end();
    }
  };
}

describe("P10: DCMD", () => {
  test(
    "a signed one is carried out once, and the node tells its result; what is changed about it is refused",
    withSite(async (site) => {
      const payload = site.payload({
        values: [
          { id: "pump/setpoint", v: 7 },
          { id: "pump/total", v: "18446744073709551615" },
        ],
      });
      const told = (await site.command(payload)).map(({ state }) => state);
      assert.deepEqual(told, ["accepted", "accepted", "written", "confirmed", "written", "confirmed"]);
      assert.deepEqual(site.written.splice(0)[0], [110, 7]);
      assert.match((await site.command(payload))[0]?.reason ?? "", /it was here before/);
      const decoded = decodePayload(site.payload());
      const change = (metric: Partial<Metric>) =>
        encodePayload({ ...decoded, metrics: decoded.metrics.map((each) => ({ ...each, ...metric })) });
      const cases: readonly (readonly [Uint8Array, RegExp])[] = [
        [change({ value: { field: "int", value: 8 } }), /not the values that were signed/],
        [change({ name: "level" }), /is of type float64/],
        [change({ timestamp: 1 }), /its timestamps are not/],
        [change({ isHistorical: false }), /what no signed command has/],
        [change({ alias: 3 }), /what no signed command has/],
        [change({ value: { field: "boolean", value: true } }), /no value that int16 can have/],
        [encodePayload({ ...decoded, seq: 1 }), /what no signed command has/],
        [encodePayload({ ...decoded, timestamp: 1 }), /its timestamps are not/],
        [Buffer.concat([encodePayload(decoded), Uint8Array.of(0x78, 1)]), /what no signed command has/],
      ];
      for (const [bytes, reason] of cases) {
        assert.match((await site.command(bytes))[0]?.reason ?? "", reason);
        await site.clock.advance(5_000);
      }
      assert.deepEqual(site.written, []);
    }),
  );

  test(
    "one that the broker kept from before moves nothing: commands are for now",
    withSite(async (site) => {
      await site.stop();
      site.publish(site.payload(), { ...DCMD, retain: true });
      await site.start();
      await site.clock.advance(3_000);
      assert.deepEqual(site.written, []);
    }),
  );

  test(
    "an unsigned one, as plain hosts send it, moves only a tag that says so",
    withSite(async (site) => {
      const plain = (name: string, value: number) =>
        encodePayload({ timestamp: site.clock.wallMs(), metrics: [{ name, value: { field: "int", value } }] });
      assert.deepEqual(
        (await site.command(plain("open", 5))).map(({ state }) => state),
        ["accepted", "written", "confirmed"],
      );
      assert.deepEqual(site.written.splice(0), [[130, 5]]);
      assert.match((await site.command(plain("setpoint", 5)))[0]?.reason ?? "", /signed commands only/);
      assert.match((await site.command(plain("open", 65_531)))[0]?.reason ?? "", /is not a number from -32768/);
      assert.match((await site.command(plain("nothing", 5)))[0]?.reason ?? "", /no such tag/);
      assert.match((await site.command(encodePayload({ metrics: [{ alias: 1 }] })))[0]?.reason ?? "", /by its name/);
      assert.match((await site.command(Uint8Array.of(0xff)))[0]?.reason ?? "", /no Sparkplug payload/);
      assert.deepEqual(site.written, []);
    }),
  );
});

describe("P10: no bit of a signed DCMD can be another one", () => {
  const key = testKey();
  const keyring = new Keyring([key.authorized]);
  const site = new CommandSite({ keys: [key] });
  const content = site.content();

  function accepts(arrival: Arrival): boolean {
    // What looks like a plain one by then needs a tag that anybody may write.
    if (arrival.kind !== "signed" || keyring.signerOf(arrival.command) === undefined) return false;
    const read = parseCommandText(arrival.command.text);
    return typeof read !== "string" && arrival.contradiction?.(read) === undefined;
  }

  function flips(bytes: Uint8Array, read: (bytes: Uint8Array) => Arrival): void {
    assert.ok(accepts(read(bytes)), "as it was signed");
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assert.ok(!accepts(read(flipped)), `bit ${bit & 7} of byte ${bit >> 3}`);
    }
  }

  test("each of them is refused", () => {
    flips(deviceCommand(site.signed(content), content, typeOf), (bytes) => parseDeviceCommand("pump", bytes, typeOf));
  });
});
