import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertRefused, atSite, CommandSite } from "../../testing/command-site.ts";

const SETPOINT = "pump/setpoint";

describe("what may be done", () => {
  test(
    "P10: a signed command is accepted, written and confirmed, each told on its topic and among the data",
    atSite(async (site) => {
      const told = await site.send(site.envelope());
      assert.deepEqual(
        told.map(({ state, id, v, key }) => [state, id, v, key]),
        ["accepted", "written", "confirmed"].map((state) => [state, SETPOINT, 1_200, site.key.authorized.id]),
      );
      assert.equal(site.device.get("holdingRegister", 110), 1_200);
      assert.deepEqual(
        site.toldAmongData().map((text) => JSON.parse(text).state),
        ["accepted", "written", "confirmed"],
      );
      const events = site.toldAmongData("events").filter((text) => text.includes("command"));
      assert.match(events.join(), /^#\d+ command: "pump\/setpoint"=1200 confirmed; by key [0-9a-f]{16}, from cloud$/);
    }),
  );

  test(
    "every type of value arrives as the device holds it, in the order of the command",
    atSite(async (site) => {
      const values = [
        { id: "pump/ramp", v: 1.5 },
        { id: "pump/total", v: "18446744073709551615" },
        { id: "pump/level", v: 0.3 },
        { id: "pump/run", v: true },
      ];
      const told = await site.send(site.envelope({ values }));
      assert.deepEqual(
        told.filter(({ state }) => state === "confirmed").map(({ id }) => id),
        values.map(({ id }) => id),
      );
      assert.deepEqual(
        site.written.map(([address]) => address),
        [112, 113, 114, 115, 116, 117, 120],
      );
      const held = [112, 113, 114, 120].map((address) => site.device.get("holdingRegister", address));
      assert.deepEqual([...held, site.device.get("coil", 3)], [0x3fc0, 0, 0xffff, 3, 1]);
    }),
  );

  test(
    "commands are carried out in the order of their arrival, a device that does not answer is told so, and what follows is left alone",
    atSite(async (site) => {
      for (const v of [1, 2, 3]) site.publish(site.envelope({ values: [{ id: SETPOINT, v }] }));
      await site.clock.advance(3_000);
      assert.deepEqual(
        site.written.map(([, value]) => value),
        [1, 2, 3],
      );
      site.device.faults = { silent: true };
      const told = await site.send(
        site.envelope({
          values: [
            { id: SETPOINT, v: 4 },
            { id: "pump/run", v: true },
          ],
        }),
      );
      assert.match(
        told.find(({ state }) => state === "failed")?.reason ?? "",
        /does not answer: it may have been written/,
      );
      assert.match(
        told.find(({ id, state }) => id === "pump/run" && state === "refused")?.reason ?? "",
        /earlier value/,
      );
      assert.equal(site.device.get("coil", 3), 0);
    }),
  );

  test(
    "a device that holds something else then is never told as confirmed",
    atSite(async (site) => {
      site.device.onWrite = (address) => site.device.set("holdingRegister", address, 1_000);
      const told = await site.send(site.envelope());
      assert.deepEqual(
        told.map(({ state }) => state),
        ["accepted", "written", "unconfirmed"],
      );
      assert.match(told.at(-1)?.reason ?? "", /the device holds 1000 then/);
    }),
  );

  test(
    "only a tag that says so takes a command that nobody signed, as Kepware's clients send it",
    atSite(async (site) => {
      const told = await site.send('[{"id":"pump/open","v":7}]');
      assert.deepEqual(
        told.map(({ state }) => state),
        ["accepted", "written", "confirmed"],
      );
      assert.deepEqual(site.written.splice(0), [[130, 7]]);
      assertRefused(site, await site.send('[{"id":"pump/open","v":11}]'), /out of its limits, 0 to 10/);
      assertRefused(site, await site.send('[{"id":"pump/setpoint","v":7}]'), /signed commands only/);
      assertRefused(
        site,
        await site.send('[{"id":"pump/open","v":7},{"id":"pump/setpoint","v":7}]'),
        /signed commands only|another value/,
      );
    }),
  );

  test(
    "P4: what waits when the gateway stops is not begun, and that is told after the next start",
    atSite(async (site) => {
      site.device.faults = { silent: true };
      for (let i = 0; i < 3; i++) site.publish(site.envelope());
      await site.clock.advance(100);
      const stopping = site.stop();
      site.device.faults = {};
      await stopping;
      assert.deepEqual(site.written, []);
      await site.start();
      await site.clock.advance(3_000);
      const ends = site.toldAmongData().map((text) => JSON.parse(text));
      const refused = ends.filter(({ state }) => state === "refused");
      assert.deepEqual(
        refused.map(({ reason }) => reason),
        ["the gateway stops, or has a new configuration", "the gateway stops, or has a new configuration"],
      );
    }),
  );

  test(
    "P4: the result of a command is told once the broker is back, by its topic and by the history",
    atSite(async (site) => {
      site.publish(site.envelope());
      await site.clock.advance(1);
      site.broker.drop();
      site.broker.refuse("away");
      await site.clock.advance(5_000);
      assert.ok(site.written.length === 1 && site.results().length < 3);
      site.broker.refuse(undefined);
      await site.connected();
      await site.clock.advance(5_000);
      const all = ["accepted", "written", "confirmed"];
      assert.deepEqual([...new Set(site.results().map(({ state }) => state))], all);
      assert.deepEqual([...new Set(site.toldAmongData().map((text) => JSON.parse(text).state))], all);
    }),
  );
});

test("P10: a command that the card does not remember is not carried out", async () => {
  let isFull = false;
  const site = new CommandSite({ isCardFull: () => isFull });
  await site.startAndWait();
  isFull = true;
  const first = site.envelope();
  const told = await site.send(first);
  assert.deepEqual(
    told.map(({ state }) => state),
    ["refused"],
  );
  assert.match(told[0]?.reason ?? "", /cannot be remembered/);
  isFull = false;
  assertRefused(site, await site.send(first), /it was here before/);
  await site.send(site.envelope());
  assert.equal(site.written.length, 1);
  await site.end();
});
