import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { assertRefused, atSite, CommandSite, type CommandSiteOptions, GATEWAY } from "../../testing/command-site.ts";
import { TOPIC } from "../../testing/uplink-rig.ts";
import { decodePayload, encodePayload } from "../sparkplug/payload.ts";
import { AHEAD_MAX_MS } from "./freshness.ts";
import { deviceCommand } from "./sparkplug-command.ts";

const SPARKPLUG: CommandSiteOptions = { uplink: { format: "sparkplug" } };
const DCMD = "spBv1.0/plant/DCMD/gateway/pump";

/** What the gateway listens to, and its ears: a broker may tell it anything there, asked for or not. */
function ears(site: CommandSite) {
  const listening = new Map<string, Parameters<typeof site.broker.subscribe>[1]>();
  const subscribe = site.broker.subscribe.bind(site.broker);
  site.broker.subscribe = (filter, listener) => {
    listening.set(filter, listener);
    const end = subscribe(filter, listener);
    return () => {
      listening.delete(filter);
      end();
    };
  };
  return {
    filters: () => [...listening.keys()].sort(),
    tell(topic: string, payload: string | Uint8Array) {
      const [listener] = listening.values();
      listener?.({ topic, payload: Buffer.from(payload), qos: 1, retain: false }, false);
    },
  };
}

function dcmd(site: CommandSite): Uint8Array {
  const content = site.content();
  return deviceCommand(site.signed(content), content, () => "int16");
}

describe("P10: who has the broker, and what was sent before, moves nothing", () => {
  for (const files of [["state.db"], ["state.db", "outbox.db"]]) {
    test(
      `by an old ${files.join(" and ")} put back`,
      atSite(async (site) => {
        const kept = mkdtempSync(join(tmpdir(), "sallyport-kept-"));
        await site.stop();
        for (const file of files) cpSync(join(site.stateDir, file), join(kept, file));
        await site.startAndWait();
        const first = site.envelope();
        await site.send(first);
        assert.equal(site.written.splice(0).length, 1);
        await site.stop();
        for (const file of files) cpSync(join(kept, file), join(site.stateDir, file));
        rmSync(kept, { recursive: true });
        await site.start();
        assertRefused(site, await site.send(first), /issued too early for this gateway/);
        await site.clock.advance(AHEAD_MAX_MS);
        assert.equal((await site.send(site.envelope())).at(-1)?.state, "confirmed", "and then it goes on");
      }),
    );
  }

  test(
    "by a name that another gateway had when it carried the command out, taken over by a reload or a start",
    atSite(async (site) => {
      const former = site.envelope({ gateway: "plant/former" });
      assertRefused(site, await site.send(former), /it is for the gateway plant\/former/);
      await site.reload([site.key], { group: "plant", name: "former" });
      assertRefused(site, await site.send(former), /issued too early for this gateway/);
      await site.clock.advance(2 * AHEAD_MAX_MS);
      const told = await site.send(site.envelope({ gateway: "plant/former" }));
      assert.equal(told.at(-1)?.state, "confirmed", "and then it goes by that name");
      assert.match((await site.send(site.envelope({ gateway: GATEWAY })))[0]?.reason ?? "", /it is for the gateway/);
    }),
  );

  test(
    "by a signed DCMD that was refused for what was changed about it, sent as it was signed later",
    atSite(async (site) => {
      const signed = dcmd(site);
      const decoded = decodePayload(signed);
      await site.send(encodePayload({ ...decoded, seq: 1 }), { topic: DCMD });
      await site.send(signed, { topic: DCMD });
      assert.deepEqual(site.written, []);
      await site.send(dcmd(site), { topic: DCMD });
      assert.equal(site.written.length, 1, "another one moves it");
    }, SPARKPLUG),
  );

  test("by topics that the gateway does not listen to: it hears its own write topic and nothing else", async () => {
    const site = new CommandSite();
    const { filters, tell } = ears(site);
    await site.startAndWait();
    assert.deepEqual(filters(), [`${TOPIC}/write`]);
    for (const topic of [TOPIC, `${TOPIC}/write/result`, `${TOPIC}/Write`, "other/write", DCMD, "$share/x/write", ""])
      tell(topic, site.envelope());
    await site.clock.advance(3_000);
    assert.deepEqual([site.written, site.results(), filters()], [[], [], [`${TOPIC}/write`]]);
    tell(`${TOPIC}/write`, site.envelope());
    await site.clock.advance(3_000);
    assert.equal(site.written.length, 1);
    await site.end();
  });

  test("by Sparkplug topics of other nodes: it hears commands to itself and its own births, those until they came", async () => {
    const site = new CommandSite({ uplink: { format: "sparkplug", primaryHost: "scada-1" } });
    const { filters, tell } = ears(site);
    const own = ["spBv1.0/STATE/scada-1", "spBv1.0/plant/DCMD/gateway/+", "spBv1.0/plant/NCMD/gateway"];
    const births = ["spBv1.0/plant/DBIRTH/gateway/pump", "spBv1.0/plant/NBIRTH/gateway"];
    const starting = site.start();
    site.broker.publish(hostState(site));
    await starting;
    assert.deepEqual(filters(), own);
    await site.clock.advance(60_000);
    const others = [
      "spBv1.0/plant/DCMD/other/pump",
      "spBv1.0/other/DCMD/gateway/pump",
      `${DCMD}/more`,
      `${TOPIC}/write`,
    ];
    for (const topic of [...others, ...births, "spBv1.0/STATE/scada-2", "spBv1.0/plant/NCMD/other"])
      tell(topic, dcmd(site));
    await site.clock.advance(3_000);
    assert.deepEqual([site.written, filters()], [[], own]);
    tell(DCMD, dcmd(site));
    await site.clock.advance(3_000);
    assert.equal(site.written.length, 1);
    await site.end();
  });

  for (const format of ["json", "sparkplug"] as const) {
    test(`by a ${format} broker, where no commands are allowed`, async () => {
      const site = new CommandSite({ keys: [], uplink: { format } });
      const { filters, tell } = ears(site);
      await site.startAndWait();
      const own = format === "json" ? [] : ["spBv1.0/plant/DCMD/gateway/+", "spBv1.0/plant/NCMD/gateway"];
      assert.deepEqual(filters(), own);
      tell(`${TOPIC}/write`, site.envelope());
      tell(DCMD, dcmd(site));
      await site.clock.advance(3_000);
      assert.deepEqual([site.written, filters()], [[], own]);
      await site.end();
    });
  }
});

function hostState(site: CommandSite) {
  const payload = Buffer.from(JSON.stringify({ online: true, timestamp: site.clock.wallMs() }));
  return { topic: "spBv1.0/STATE/scada-1", payload, qos: 1, retain: true } as const;
}
