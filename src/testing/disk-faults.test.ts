/** The service on a card that fails while it runs, and from the start: seen from the far end. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { after, afterEach, before, describe, test } from "node:test";
import { type DiskFaults, DiskShim } from "./disk-shim/disk-shim.ts";
import { FieldSite } from "./field-site.ts";
import type { GatewayProcess } from "./gateway-process.ts";

const SLOW_SYNC_MS = 5_000;
/** A card that refused is asked again within a minute. */
const RETRY_LIMIT_MS = 90_000;

interface Case {
  readonly name: string;
  readonly faults: DiskFaults;
  /** As the far end sees it. */
  readonly health: RegExp;
}

const CASES: readonly Case[] = [
  { name: "a full card", faults: { grow: "ENOSPC" }, health: /^full: there is no room on the card/ },
  {
    name: "a remount as read-only",
    faults: { write: "EROFS", open: "EROFS" },
    health: /^failing: disk I\/O error \(SQLITE_IOERR_WRITE\)/,
  },
  { name: "errors at writing", faults: { write: "EIO" }, health: /^failing: disk I\/O error/ },
  { name: "errors at syncing", faults: { sync: "EIO" }, health: /^failing: disk I\/O error \(SQLITE_IOERR_FSYNC\)/ },
  { name: "errors at reading and writing", faults: { read: "EIO", write: "EIO" }, health: /^failing: disk I\/O error/ },
  { name: "an fsync of 5 s", faults: { syncDelayMs: SLOW_SYNC_MS }, health: /^slow: the card takes \d+ s/ },
];

const AT_START: readonly Case[] = [
  { name: "a directory without rights", faults: { open: "EACCES" }, health: /^failing: unable to open/ },
  { name: "a card that is write-protected", faults: { open: "EROFS", write: "EROFS" }, health: /^failing: / },
];

describe("P8: the gateway reads, publishes and says what is amiss", () => {
  let shim: DiskShim;
  let site: FieldSite | undefined;

  before(async () => {
    shim = await DiskShim.compile();
  });
  afterEach(async () => {
    shim.set({});
    await site?.close();
    site = undefined;
  });
  after(() => shim.close());

  async function start(): Promise<{ site: FieldSite; gateway: GatewayProcess }> {
    const opened = await FieldSite.open();
    site = opened;
    await opened.subscribe();
    const file = await opened.configureWithBacklog();
    const runtimeDir = join(opened.stateDir, "..", "runtime");
    await mkdir(runtimeDir);
    const environment = { ...shim.environment(`${opened.stateDir}/`), RUNTIME_DIRECTORY: runtimeDir };
    const gateway = await opened.startGateway(file, environment);
    return { site: opened, gateway };
  }

  function hasHealth(s: FieldSite, health: RegExp, when: string): Promise<void> {
    return s.tells("outbox/health", health, when, RETRY_LIMIT_MS);
  }

  test("while the card fails, and after it", async () => {
    const { site: s, gateway } = await start();
    await s.publishes("in order");
    for (const { name, faults, health } of CASES) {
      await hasHealth(s, /^ok$/, `before ${name}`);
      shim.set(faults);
      await hasHealth(s, health, name);
      await s.publishes(name);
      shim.set({});
    }
    await hasHealth(s, /^ok$/, "at the end");
    assert.equal(await gateway.stop(), 0);
    assert.equal(s.reader().counts().losses, 0, "nothing was lost in any of it");
  });

  for (const { name, faults, health } of AT_START) {
    test(`from the start on: ${name}`, async () => {
      shim.set(faults);
      const { site: s, gateway } = await start();
      await s.publishes(name);
      await hasHealth(s, health, name);
      assert.equal(await gateway.stop(), 0);
    });
  }
});
