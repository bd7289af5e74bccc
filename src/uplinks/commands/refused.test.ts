import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertRefused, atSite, CommandSite, testKey, WAIT_AT_MOST_MS } from "../../testing/command-site.ts";
import { EXAMINED, WAITING_MAX } from "./command-desk.ts";
import { AHEAD_MAX_MS, LIFETIME_MAX_MS } from "./freshness.ts";
import { TOLD } from "./refusal-book.ts";
import { commandText } from "./signed-command.ts";

const SETPOINT = "pump/setpoint";

describe("P10: what does not move the device", () => {
  test(
    "a command that comes again, also after a restart and beside others",
    atSite(async (site) => {
      const first = site.envelope();
      await site.send(first);
      assert.equal(site.written.splice(0).length, 1);
      assertRefused(site, await site.send(first), /it was here before/);
      await site.stop();
      await site.start();
      assertRefused(site, await site.send(first), /it was here before/);
      await site.clock.advance(2 * AHEAD_MAX_MS);
      const second = site.envelope({ values: [{ id: SETPOINT, v: 5 }] });
      site.publish(second);
      site.publish(second);
      await site.clock.advance(3_000);
      assert.deepEqual(site.written, [[110, 5]]);
    }),
  );

  test(
    "one that was refused, when what it was refused for is over",
    atSite(async (site) => {
      const beyond = site.envelope({ issuedMs: site.clock.wallMs() + AHEAD_MAX_MS + 10_000 });
      assertRefused(site, await site.send(beyond), /compare the clocks/);
      await site.clock.advance(20_000);
      assertRefused(site, await site.send(beyond), /it was here before/);
    }),
  );

  test(
    "one that comes after another that was issued later, also after a restart",
    atSite(async (site) => {
      const first = site.envelope({ values: [{ id: SETPOINT, v: 1 }] });
      const second = site.envelope({ values: [{ id: SETPOINT, v: 2 }] });
      await site.clock.advance(1);
      const third = site.envelope({ values: [{ id: SETPOINT, v: 3 }] });
      await site.send(third);
      assert.deepEqual(site.written.splice(0), [[110, 3]]);
      assertRefused(site, await site.send(second), /one that was issued later was here before it/);
      await site.stop();
      await site.start();
      assertRefused(site, await site.send(first), /issued too early for this gateway/);
    }),
  );

  test(
    "an expired one, one that lives too long, one that expires before it is issued",
    atSite(async (site) => {
      const late = site.envelope();
      await site.clock.advance(60_000);
      assertRefused(site, await site.send(late), /it expired at 2026/);
      const nowMs = site.clock.wallMs();
      assertRefused(
        site,
        await site.send(site.envelope({ expiresMs: nowMs + LIFETIME_MAX_MS + 1 })),
        /does not expire within 300 s/,
      );
      assertRefused(site, await site.send(site.envelope({ expiresMs: nowMs })), /does not expire within/);
    }),
  );

  test(
    "one that expires while it waits for others",
    atSite(async (site) => {
      site.device.faults = { silent: true };
      const soonMs = site.clock.wallMs() + 500;
      for (let i = 0; i < 3; i++) site.publish(site.envelope());
      site.publish(site.envelope({ expiresMs: soonMs }));
      await site.clock.advance(10_000);
      assert.match(site.results().at(-1)?.reason ?? "", /it expired at/);
    }),
  );

  test(
    "P7: one that comes while too many wait",
    atSite(async (site) => {
      site.device.faults = { silent: true };
      for (let i = 0; i < WAITING_MAX + 2; i++) site.publish(site.envelope());
      await site.clock.advance(100);
      const refused = site.results().filter(({ state }) => state === "refused");
      assert.deepEqual(
        refused.map(({ reason }) => reason),
        [`${WAITING_MAX} commands wait already`],
      );
    }),
  );

  test(
    "P7: one that nobody signed, while others that nobody signed wait; one that is signed finds room",
    atSite(async (site) => {
      site.device.faults = { silent: true };
      for (let i = 0; i < WAITING_MAX; i++) site.publish('[{"id":"pump/open","v":7}]');
      site.publish(site.envelope());
      await site.clock.advance(100);
      const told = (wanted: string) => site.results().filter(({ state }) => state === wanted);
      assert.equal(told("refused").length, WAITING_MAX / 2 - 1);
      assert.equal(told("accepted").at(-1)?.id, SETPOINT);
    }),
  );

  test(
    "what a storm left untold, when commands are taken out of the file: it is told before nobody can hear it",
    atSite(async (site) => {
      for (let i = 0; i < 3 * TOLD.burst; i++) site.publish("no command");
      await site.clock.advance(1);
      await site.reload([]);
      await site.clock.advance(20_000);
      assert.deepEqual(await site.send(site.envelope()), []);
      assert.deepEqual(site.written, []);
      const counted = site.toldAmongData().reduce((sum, text) => sum + (JSON.parse(text).count ?? 1), 0);
      assert.ok(counted >= TOLD.burst, `${counted} told`);
    }),
  );

  test(
    "an old one, whatever the clock is stepped to",
    atSite(async (site) => {
      const first = site.envelope();
      await site.send(first);
      site.written.splice(0);
      // Long enough that its nonce is forgotten, which another command's memory shows.
      await site.clock.advance(2 * LIFETIME_MAX_MS);
      await site.send(site.envelope({ values: [{ id: SETPOINT, v: 9 }] }));
      assert.equal(site.written.splice(0).length, 1);
      site.clock.stepWall(-2 * LIFETIME_MAX_MS);
      assertRefused(site, await site.send(first), /one that was issued later was here|issued too early/);
      site.clock.stepWall(-3_600_000);
      assertRefused(site, await site.send(site.envelope()), /one that was issued later was here|issued too early/);
    }),
  );

  test("one that comes while nobody vouches for the clock, and the same one later", async () => {
    let isGood = false;
    const site = new CommandSite({ isClockGood: () => isGood });
    await site.start();
    await site.clock.advance(2 * WAIT_AT_MOST_MS);
    assert.ok(
      site.log.some((line) => /all values are uncertain/.test(line)),
      "it is only waited for",
    );
    assertRefused(site, await site.send(site.envelope()), /the clock is not known to be good/);
    isGood = true;
    await site.clock.advance(60_000);
    const told = await site.send(site.envelope());
    assert.deepEqual(
      told.map(({ state }) => state),
      ["accepted", "written", "confirmed"],
    );
    await site.end();
  });

  test(
    "one of a wrong key, of a revoked one, of another gateway, for a tag that the key is not for",
    (() => {
      const [all, one] = [testKey(), testKey(["pump/level"])];
      return atSite(
        async (site) => {
          assertRefused(site, await site.send(site.envelope({}, testKey())), /no authorized key signed it/);
          assertRefused(
            site,
            await site.send(site.envelope({ gateway: "plant/other" })),
            /for the gateway plant\/other/,
          );
          assertRefused(site, await site.send(site.envelope({}, one)), /is not for this tag/);
          await site.send(site.envelope({ values: [{ id: "pump/level", v: 1 }] }, one));
          assert.equal(site.written.splice(0).length, 1, "but for its own");
          await site.reload([all]);
          assertRefused(
            site,
            await site.send(site.envelope({ values: [{ id: "pump/level", v: 2 }] }, one)),
            /no authorized key/,
          );
        },
        { keys: [all, one] },
      );
    })(),
  );

  test(
    "one that takes another one's key id or signature, or signs something else with an authorized key",
    atSite(async (site) => {
      const { text, keyId, signature } = site.signed();
      const other = commandText(site.content({ values: [{ id: SETPOINT, v: 1_500 }] }));
      const told = Buffer.from(signature).toString("base64");
      assertRefused(
        site,
        await site.send(JSON.stringify({ command: other, key: keyId, signature: told })),
        /no authorized key/,
      );
      const stranger = testKey();
      const forged = JSON.parse(site.envelope({}, stranger));
      assertRefused(site, await site.send(JSON.stringify({ ...forged, key: keyId })), /no authorized key/);
      assertRefused(
        site,
        await site.send(JSON.stringify({ command: text, key: keyId, signature: told, values: [] })),
        /neither/,
      );
    }),
  );

  test(
    "a value out of its limits, of another type, between two steps, for a tag that is not writable or not there",
    atSite(async (site) => {
      const cases: readonly (readonly [string, unknown, RegExp])[] = [
        [SETPOINT, 1_501, /out of its limits, 0 to 1500/],
        [SETPOINT, -1, /out of its limits/],
        [SETPOINT, 1.5, /is not a whole number/],
        [SETPOINT, true, /is not a whole number/],
        [SETPOINT, "", /is not a whole number/],
        ["pump/run", 1, /is not true or false/],
        ["pump/ramp", 1e39, /is not a number that the type can hold/],
        ["pump/ramp", 10.5, /out of its limits, -10 to 10/],
        ["pump/ramp", -10.5, /out of its limits/],
        ["pump/total", "18446744073709551616", /is not a number from 0/],
        ["pump/total", 2 ** 60, /one beyond 2\^53 is written as a text/],
        ["pump/level", 0.25, /the device would hold 0\.3, not 0\.25/],
        ["pump/speed", 1, /not writable/],
        ["pump/SETPOINT", 1, /no such tag/],
        ["gateway/outbox/health", "ok", /no such tag/],
      ];
      for (const [id, v, reason] of cases) {
        const values = [{ id, v: v as number }];
        assertRefused(site, await site.send(site.envelope({ values })), reason);
        // All are told, however many a person may try.
        await site.clock.advance(5_000);
      }
      const two = [
        { id: SETPOINT, v: 1 },
        { id: SETPOINT, v: 2 },
      ];
      assertRefused(site, await site.send(site.envelope({ values: two })), /stands in it twice/);
    }),
  );

  test(
    "one that the broker kept, and what is no command at all",
    atSite(async (site) => {
      await site.stop();
      site.publish(site.envelope(), { retain: true });
      await site.start();
      await site.clock.advance(3_000);
      assert.deepEqual([site.written, site.results()], [[], []]);
      for (const text of [
        "",
        "{}",
        "[]",
        "null",
        "[{}]",
        '{"command":1,"key":2,"signature":3}',
        "\u{fffd}",
        `"${"x".repeat(20_000)}"`,
      ]) {
        assertRefused(site, await site.send(text), /./);
        await site.clock.advance(5_000);
      }
    }),
  );

  test(
    "a signed one with a bit flipped in any of its bytes",
    atSite(async (site) => {
      const bytes = Buffer.from(site.envelope());
      for (const [index, byte] of bytes.entries()) {
        const flipped = Buffer.from(bytes);
        flipped[index] = byte ^ (1 << (index % 8));
        site.publish(flipped);
        await site.clock.advance(1_000 / EXAMINED.perS);
      }
      assert.deepEqual(site.written, []);
      assert.deepEqual([...new Set(site.results().map(({ state }) => state))], ["refused"]);
      await site.send(bytes);
      assert.equal(site.written.length, 1, "as it was signed it is carried out");
    }),
  );

  test(
    "10,000 a second: what is looked at is bounded, and so is what is told; what was carried out stays on record",
    atSite(async (site) => {
      const forged = site.envelope({}, testKey());
      const authentic = site.envelope();
      await site.send(authentic);
      site.written.splice(0);
      const before = site.results().length;
      for (let ms = 0; ms < 1_000; ms += 10) {
        for (let i = 0; i < 50; i++) {
          site.publish(forged);
          site.publish(authentic);
        }
        await site.clock.advance(10);
      }
      await site.clock.advance(10_000);
      const told = site.results().slice(before);
      assert.deepEqual(site.written, []);
      assert.ok(told.length <= 2 * (TOLD.burst + 2), `${told.length} are told`);
      const counted = told.reduce((sum, { count = 1 }) => sum + count, 0);
      assert.equal(counted, 10_000, "none is left out of the count");
      const own = await site.send(site.envelope());
      assert.equal(own.at(-1)?.state, "confirmed", "and then it goes on");
      const onRecord = site.toldAmongData("events").filter((text) => text.includes(" confirmed; by key "));
      assert.equal(onRecord.length, 2, "neither is left out for the storm between them");
    }),
  );

  test(
    "one that was carried out before state.db was lost, or both files were",
    atSite(async (site) => {
      const first = site.envelope();
      await site.send(first);
      site.written.splice(0);
      for (const files of [["state.db"], ["state.db", "outbox.db"]]) {
        await site.stop();
        for (const file of files) rmSync(join(site.stateDir, file), { force: true });
        await site.start();
        assertRefused(site, await site.send(first), /issued too early for this gateway/);
      }
      await site.clock.advance(AHEAD_MAX_MS);
      const told = await site.send(site.envelope());
      assert.equal(told.at(-1)?.state, "confirmed", "what is issued from then on is carried out");
    }),
  );

  test(
    "one from before state.db was lost, with a clock that was set back as well",
    atSite(async (site) => {
      const first = site.envelope({ expiresMs: site.clock.wallMs() + LIFETIME_MAX_MS });
      await site.send(first);
      site.written.splice(0);
      await site.stop();
      rmSync(join(site.stateDir, "state.db"));
      site.clock.stepWall(-60_000);
      await site.start();
      await site.clock.advance(45_000);
      assertRefused(site, await site.send(first), /issued too early|here before/);
    }),
  );
});
