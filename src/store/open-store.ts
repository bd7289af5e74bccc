/** The store as the gateway sees it: opens both files and joins what works on them. */
import { join, resolve } from "node:path";
import type { OutboxConfig } from "../config/config.ts";
import type { Clock } from "../core/clock.ts";
import type { KnownTime } from "../core/known-time.ts";
import type { Log } from "../core/log.ts";
import type { CommandMemory } from "../core/remote-write.ts";
import type { TagRef } from "../core/tag.ts";
import type { ConfiguredUplink, Outbox, StateStore } from "../pipeline.ts";
import { type Facts, type OpenedBlocks, StorageFailure } from "./block-store.ts";
import { createCommandMemory } from "./command-memory.ts";
import { Dictionary } from "./dictionary.ts";
import { lastSeenIn } from "./fact-text.ts";
import { Incidents } from "./incidents.ts";
import { createOutbox } from "./outbox.ts";
import { limitsFor, type OutboxLimits } from "./outbox-limits.ts";
import { walBytesOf } from "./retention.ts";
import { savedOutbox } from "./saved-facts.ts";
import type { OpenedState } from "./sqlite-state.ts";
import { State } from "./state.ts";
import { inProcessStorage, type Storage, threadStorage } from "./storage-client.ts";

const STATE_WAL_BYTES = 262_144;

export interface StoreOptions {
  readonly config: OutboxConfig;
  readonly stateDir: string;
  /** All that are configured: from the opening on each has its queue, and what others left waits for their return. */
  readonly uplinks: readonly ConfiguredUplink[];
  /** All configured tags: an unclean stop is told for each. */
  readonly tags: readonly TagRef[];
  readonly clock: Clock;
  /** Absent: the clock is good. Told what the files remember before anything is stamped. */
  readonly time?: KnownTime;
  readonly log: Log;
  /** The gateway's is a thread: a slow card must not stop the bus. A ready-made one is ended with the store. */
  readonly worker: "thread" | "in-process" | Storage;
  /** Of storage-worker in a bundle. */
  readonly workerUrl?: URL;
  readonly limits?: Partial<OutboxLimits>;
}

export interface Store {
  /** Closing it closes everything. */
  readonly outbox: Outbox;
  readonly state: StateStore;
  readonly commands: CommandMemory;
}

/**
 * Damaged files are set aside and told; the gateway goes on with new ones.
 * On a card that can be neither read nor written they are in memory alone, and each commit says why.
 *
 * @throws StorageFailure when another gateway works on a file
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const storage = storageFor(options);
  try {
    return await openWith(storage, options);
  } catch (thrown) {
    await storage.end();
    throw thrown;
  }
}

function storageFor({ worker, workerUrl }: StoreOptions): Storage {
  if (worker === "thread") return threadStorage(workerUrl);
  return worker === "in-process" ? inProcessStorage() : worker;
}

const NO_STATE: OpenedState = { setAside: undefined, facts: [] };
const NO_BLOCKS: OpenedBlocks = {
  setAside: undefined,
  tags: [],
  facts: [],
  highest: undefined,
  newest: [],
  usage: {
    fileBytes: 0,
    pagesBytes: 0,
    usedBytes: 0,
    writtenBytes: 0,
    partition: undefined,
    lowest: undefined,
    moreReleased: false,
    oldestMs: [],
  },
};

/** A gateway whose card is broken still reads and publishes. Two on one file would give numbers twice. */
async function unlessRefused<T>(opening: Promise<T>, log: Log): Promise<T | undefined> {
  try {
    return await opening;
  } catch (thrown) {
    if (!(thrown instanceof StorageFailure) || thrown.kind === "busy") throw thrown;
    log.error(`${thrown.message}; what is taken in stays in memory, and what the file holds waits for the next start`);
    return undefined;
  }
}

async function openWith(storage: Storage, options: StoreOptions): Promise<Store> {
  const { config, stateDir, uplinks, tags, clock, time, log } = options;
  const path = resolve(stateDir, config.path);
  const nowMs = clock.wallMs();
  const statePath = join(stateDir, "state.db");
  const stateFile =
    (await unlessRefused(storage.state.open({ path: statePath, nowMs, walBytes: STATE_WAL_BYTES }), log)) ?? NO_STATE;
  const incidents = new Incidents(log);
  if (stateFile.setAside !== undefined) {
    incidents.tell(
      `state.db could not be used (${stateFile.setAside.reason}); it was set aside as ${stateFile.setAside.path}`,
    );
  }
  const found = await unlessRefused(
    storage.blocks.open({ path, nowMs, walBytes: walBytesOf(config.maxSizeBytes) }),
    log,
  );
  const opened = found ?? NO_BLOCKS;
  if (stateFile.facts.length === 0 && stateFile !== NO_STATE && opened.facts.length > 0) {
    incidents.tell("state.db was empty or missing: epochs and sessions go on above their copies in outbox.db");
  }
  remember(stateFile.facts, opened, time);
  const known = { clock, log, ...(time && { time }) };
  const isBlind = found === undefined;
  const isStateGone = stateFile === NO_STATE || stateFile.setAside !== undefined;
  const countsLost = isStateGone || (stateFile.facts.length === 0 && opened.facts.length > 0);
  const state = new State(
    { file: storage.state, blocks: storage.blocks, ...known, isBlind, countsLost },
    stateFile.facts,
    opened.facts,
  );
  const outbox = await createOutbox(
    {
      store: storage.blocks,
      config,
      limits: { ...limitsFor(config.maxSizeBytes), ...options.limits },
      uplinks,
      tags,
      formerTags: state.formerTags,
      keepTags: (all) => state.keepTags(all),
      epoch: state.epoch(),
      ...known,
      incidents,
      lastKnown: state.lastKnown,
      // One that cannot be read tells as much.
      hadOutbox: !isBlind && (state.knowsEarlierStart || stateFile.setAside !== undefined),
      stateFailure: () => state.failure(),
      onTick: (known) => state.tick(known),
      onClosed: async (known) => {
        await state.close(known);
        await storage.end();
      },
    },
    opened,
  );
  // After the outbox, which may have set its file aside: the copy of the epoch belongs into the one in use.
  await state.reserveEpochs();
  const commands = createCommandMemory({ file: storage.state, blocks: storage.blocks }, stateFile.facts, opened.facts);
  return { outbox, state, commands };
}

/** What both files know of the time. The outbox knows the safe time, should state.db be lost. */
function remember(state: Facts, { tags, facts }: OpenedBlocks, time: KnownTime | undefined): void {
  if (time === undefined) return;
  const { safe, boots } = savedOutbox(facts, new Dictionary(tags));
  const boot = boots.get(time.boot);
  const seen = lastSeenIn(state) ?? (safe && { ms: safe.ms, boot: "", monotonicMs: 0 });
  time.remember({ seen, knownOffsetMs: boot?.knownOffsetMs, fixed: boot?.fixed });
}
